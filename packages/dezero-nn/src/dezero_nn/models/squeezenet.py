"""Define `SqueezeNet`, a network with few weights."""

from __future__ import annotations

from dezero_core import Variable
from dezero_core.errors import ArgumentError
from dezero_core.functions import concat, mean
from dezero_core.variable import Operand

from ..functions import dropout, pooling, relu
from ..layers import Conv2d, Layer
from .images import preprocess
from .model import Model
from .pretrained import wants_published


class Fire(Layer):
    """Reduce the channels by a 1x1 convolution; join the results of a 1x1 and a 3x3 convolution.

    Args:
        squeezed: output channels of the first convolution.
        expanded: output channels of each of the other two convolutions.
    """

    def __init__(self, squeezed: int, expanded: int) -> None:
        self.squeeze = Conv2d(squeezed, 1)
        self.expand1, self.expand3 = Conv2d(expanded, 1), Conv2d(expanded, 3, pad=1)

    def forward(self, x: Variable) -> Variable:
        x = relu(self.squeeze(x))
        return concat([relu(self.expand1(x)), relu(self.expand3(x))], axis=1)


class SqueezeNet(Model):
    """Classify images into 1000 classes by a convolution, eight `Fire` modules and a convolution.

    Iandola et al., "SqueezeNet", 2016, version 1.0.

    Args:
        pretrained: must be False (the default), because there are no published weights for this
            model.

    Inputs have the shape (N, 3, H, W).

    Raises:
        ArgumentError: ``pretrained`` is True.
    """

    preprocess = staticmethod(preprocess)

    def __init__(self, pretrained: bool = False) -> None:
        if wants_published("SqueezeNet", pretrained):
            raise ArgumentError("SqueezeNet: no weights are published; VGG16 and ResNet have some")
        self.conv1 = Conv2d(96, 7, stride=2)
        self.fire2, self.fire3, self.fire4 = Fire(16, 64), Fire(16, 64), Fire(32, 128)
        self.fire5, self.fire6 = Fire(32, 128), Fire(48, 192)
        self.fire7, self.fire8 = Fire(48, 192), Fire(64, 256)
        self.fire9 = Fire(64, 256)
        self.conv10 = Conv2d(1000, 1)

    def forward(self, x: Operand) -> Variable:
        x = pooling(relu(self.conv1(x)), 3, 2)
        x = pooling(self.fire4(self.fire3(self.fire2(x))), 3, 2)
        x = pooling(self.fire8(self.fire7(self.fire6(self.fire5(x)))), 3, 2)
        x = relu(self.conv10(dropout(self.fire9(x))))
        return mean(x, (2, 3))
