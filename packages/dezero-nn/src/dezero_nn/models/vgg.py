"""Define `VGG16`, a network with sixteen layers that have weights."""

from __future__ import annotations

from dezero_core import Variable
from dezero_core.functions import flatten
from dezero_core.variable import Operand

from ..functions import dropout, pooling, relu
from ..layers import Conv2d, Linear
from .images import preprocess
from .model import Model
from .pretrained import load_published, wants_published

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""For each block, the output channels and the number of 3x3 convolutions; pooling ends a block."""


class VGG16(Model):
    """Classify images into 1000 classes by five blocks of convolutions and three linear layers.

    Simonyan and Zisserman, "Very Deep Convolutional Networks", 2014; book step 58.

    Args:
        pretrained: load the published weights (ImageNet, ``vgg16.npz``, 500 MB; default False).

    Attributes:
        conv1_1, conv1_2, conv2_1, ..., conv5_3: `Conv2d`.
        fc6, fc7, fc8: `Linear`.

    Inputs are batches of the images that `preprocess` returns, of shape (N, 3, 224, 224); other
    sizes are possible only without ``pretrained``. Call ``eval()`` to classify.

    Raises:
        PluginError, DataMissing: the weights cannot be loaded.
    """

    preprocess = staticmethod(preprocess)

    def __init__(self, pretrained: bool = False) -> None:
        for block, (channels, convolutions) in enumerate(BLOCKS, start=1):
            for number in range(1, convolutions + 1):
                setattr(self, f"conv{block}_{number}", Conv2d(channels, 3, pad=1))
        self.fc6, self.fc7, self.fc8 = Linear(4096), Linear(4096), Linear(1000)
        if wants_published("VGG16", pretrained):
            load_published(self, "vgg16.npz")

    def forward(self, x: Operand) -> Variable:
        for block, (_, convolutions) in enumerate(BLOCKS, start=1):
            for number in range(1, convolutions + 1):
                x = relu(getattr(self, f"conv{block}_{number}")(x))
            x = pooling(x, 2, 2)
        x = dropout(relu(self.fc6(flatten(x))))
        x = dropout(relu(self.fc7(x)))
        return self.fc8(x)
