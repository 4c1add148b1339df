"""Define `ResNet`, a network of residual blocks."""

from __future__ import annotations

from dezero_core import Variable
from dezero_core.errors import ArgumentError
from dezero_core.functions import mean
from dezero_core.variable import Operand

from ..functions import pooling, relu
from ..functions.activation import add_relu
from ..layers import BatchNorm, Conv2d, Layer, Linear
from .images import preprocess
from .model import Model
from .pretrained import load_published, wants_published

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""A dictionary from the number of layers to the numbers of bottlenecks in the four stages."""


class Bottleneck(Layer):
    """Compute y = relu(x + f(x)), where f consists of three convolutions: 1x1, 3x3 and 1x1.

    The first convolution reduces the number of channels, and the last restores it.

    Args:
        mid_channels: channels between the convolutions.
        out_channels: channels of the output.
        stride: stride of the first convolution (default 1).
        project: whether a 1x1 convolution changes x to the shape of f(x) before the addition
            (default False).
    """

    def __init__(
        self, mid_channels: int, out_channels: int, stride: int = 1, project: bool = False
    ) -> None:
        self.conv1, self.bn1 = Conv2d(mid_channels, 1, stride=stride, nobias=True), BatchNorm()
        self.conv2, self.bn2 = Conv2d(mid_channels, 3, pad=1, nobias=True), BatchNorm()
        self.conv3, self.bn3 = Conv2d(out_channels, 1, nobias=True), BatchNorm()
        self.project = project
        if project:
            self.conv4, self.bn4 = Conv2d(out_channels, 1, stride=stride, nobias=True), BatchNorm()

    def forward(self, x: Variable) -> Variable:
        y = relu(self.bn1(self.conv1(x)))
        y = relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return add_relu(y, self.bn4(self.conv4(x)) if self.project else x)


class Stage(Layer):
    """Call the bottlenecks ``a``, ``b1``, ``b2``, ... one after the other; ``a`` may have a stride.

    Attributes that are layers or functions are called in the order in which they were set.
    """

    def __init__(self, blocks: int, mid_channels: int, out_channels: int, stride: int) -> None:
        self.a = Bottleneck(mid_channels, out_channels, stride, project=True)
        for number in range(1, blocks):
            setattr(self, f"b{number}", Bottleneck(mid_channels, out_channels))

    def forward(self, x: Variable) -> Variable:
        for block in list(vars(self).values()):
            if callable(block):
                x = block(x)
        return x


class ResNet(Model):
    """Classify images into 1000 classes by a convolution, four stages and a fully connected layer.

    He et al., "Deep Residual Learning", 2015, with the stride in the first convolution of a
    bottleneck; book step 58.

    Args:
        n_layers: 50, 101 or 152 (default 152).
        pretrained: load the published weights (ImageNet, such as ``resnet50.npz``; default False).

    Inputs are batches of the images that `preprocess` returns, of shape (N, 3, H, W). Call
    ``eval()`` to classify.

    Raises:
        ArgumentError: ``n_layers`` is not 50, 101 or 152.
        PluginError, DataMissing: the weights cannot be loaded.
    """

    preprocess = staticmethod(preprocess)

    def __init__(self, n_layers: int = 152, pretrained: bool = False) -> None:
        if n_layers not in DEPTHS:
            raise ArgumentError(f"ResNet: n_layers {n_layers}; there are 50, 101 and 152")
        blocks = DEPTHS[n_layers]
        self.conv1, self.bn1 = Conv2d(64, 7, stride=2, pad=3), BatchNorm()
        self.res2 = Stage(blocks[0], 64, 256, 1)
        self.res3 = Stage(blocks[1], 128, 512, 2)
        self.res4 = Stage(blocks[2], 256, 1024, 2)
        self.res5 = Stage(blocks[3], 512, 2048, 2)
        self.fc6 = Linear(1000)
        if wants_published("ResNet", pretrained):
            load_published(self, f"resnet{n_layers}.npz")

    def forward(self, x: Operand) -> Variable:
        x = pooling(relu(self.bn1(self.conv1(x))), 3, 2)
        x = self.res5(self.res4(self.res3(self.res2(x))))
        return self.fc6(mean(x, (2, 3)))


class ResNet50(ResNet):
    """A `ResNet` with 50 layers."""

    def __init__(self, pretrained: bool = False) -> None:
        super().__init__(50, pretrained)


class ResNet101(ResNet):
    """A `ResNet` with 101 layers."""

    def __init__(self, pretrained: bool = False) -> None:
        super().__init__(101, pretrained)


class ResNet152(ResNet):
    """A `ResNet` with 152 layers."""

    def __init__(self, pretrained: bool = False) -> None:
        super().__init__(152, pretrained)
