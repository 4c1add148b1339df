"""Define the timed networks as a user of each library would write them.

The book's framework needs ``numpy.int``, which NumPy 2 removed. It is restored before the import,
in the process that times the framework.
"""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

Step = Callable[[], None]

BATCH = np.random.default_rng(0).random((100, 784), dtype=np.float32)
IMAGES = np.random.default_rng(0).random((64, 1, 28, 28), dtype=np.float32)
PICTURES = np.random.default_rng(0).random((32, 3, 32, 32), dtype=np.float32)
SEQUENCES = np.random.default_rng(0).random((50, 32, 256), dtype=np.float32)
RESNET = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
"""The channels before and in each block of ResNet-20, and the stride of the block."""
LABELS = np.random.default_rng(1).integers(0, 10, 100)


def mnist() -> tuple[Any, Any]:
    """Read images (60000, 1, 28, 28), uint8, and labels from the folder DEZERO_DATA."""
    folder = Path(os.environ["DEZERO_DATA"]) / "mnist"
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )


# DeZero


def dezero_step(model: Any, x: Any, t: Any) -> Step:
    from dezero_nn import SGD, softmax_cross_entropy

    optimizer = SGD(0.01).setup(model)

    def step() -> None:
        loss = softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()

    return step


def dezero_mlp() -> Step:
    from dezero_nn import MLP

    return dezero_step(MLP((1000, 10)), BATCH, LABELS)


def dezero_cnn() -> Step:
    from dezero_nn import CNN

    return dezero_step(CNN(10), IMAGES, LABELS[:64])


def dezero_batch_norm() -> Step:
    from dezero_core.functions import flatten
    from dezero_nn import BatchNorm, Conv2d, Linear, Sequential, pooling, relu

    layers = [Conv2d(32, 3), BatchNorm(), relu, Conv2d(64, 3), BatchNorm(), relu]
    layers += [lambda x: pooling(x, 2, 2), flatten, Linear(128), relu, Linear(10)]
    return dezero_step(Sequential(*layers), IMAGES, LABELS[:64])


def dezero_vgg_model() -> Any:
    """Return 3x3 convolutions of 64, 128 and 256 filters, two of each, for images of 32x32."""
    from dezero_core.functions import flatten
    from dezero_nn import BatchNorm, Conv2d, Linear, Sequential, pooling, relu

    layers: list[Any] = []
    for channels in (64, 128, 256):
        for _ in range(2):
            layers += [Conv2d(channels, 3, pad=1), BatchNorm(), relu]
        layers += [partial(pooling, kernel_size=2, stride=2)]
    return Sequential(*layers, flatten, Linear(10))


def dezero_vgg() -> Step:
    """Train `dezero_vgg_model` on 32 images."""
    return dezero_step(dezero_vgg_model(), PICTURES, LABELS[:32])


def dezero_resnet() -> Step:
    """Train ResNet-20 for 32x32 images (He et al., 2015, section 4.2) on 32 images."""
    from dezero_nn import AvgPool2d, BatchNorm, Conv2d, Flatten, Layer, Linear, Sequential, relu

    class Block(Layer):
        def __init__(self, before: int, channels: int, stride: int) -> None:
            self.conv1 = Conv2d(channels, 3, stride=stride, pad=1, nobias=True)
            self.conv2 = Conv2d(channels, 3, pad=1, nobias=True)
            self.norm1, self.norm2 = BatchNorm(), BatchNorm()
            self.shortcut = None
            if before != channels:
                self.shortcut = Sequential(
                    Conv2d(channels, 1, stride=stride, nobias=True), BatchNorm()
                )

        def forward(self, x: Any) -> Any:
            y = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
            return relu(y + (x if self.shortcut is None else self.shortcut(x)))

    blocks = [Block(*sizes) for sizes in RESNET]
    ends = [AvgPool2d(8), Flatten(), Linear(10)]
    model = Sequential(Conv2d(16, 3, pad=1, nobias=True), BatchNorm(), relu, *blocks, *ends)
    return dezero_step(model, PICTURES, LABELS[:32])


def dezero_inference(batch: int) -> Step:
    """Run the CNN on new images, without a graph and without dropout."""
    from dezero_core import no_grad, test_mode
    from dezero_nn import CNN

    model, x = CNN(10), np.tile(IMAGES, (4, 1, 1, 1))[:batch]

    def step() -> None:
        with no_grad(), test_mode():
            model(x)

    return step


def dezero_recurrent(name: str) -> Step:
    """Train a layer of 256 units on 32 sequences of 50 steps; the loss is the mean output."""
    import dezero_nn
    from dezero_core.functions import mean

    layer = getattr(dezero_nn, name)(256)
    optimizer = dezero_nn.SGD(0.01).setup(layer)

    def step() -> None:
        layer.reset_state()
        loss = mean(layer(SEQUENCES))
        layer.cleargrads()
        loss.backward()
        optimizer.update()

    return step


def dezero_epoch() -> Step:
    from dezero_io import MNIST, DataLoader
    from dezero_nn import MLP, SGD, softmax_cross_entropy

    return book_program(MNIST(), DataLoader, MLP((1000, 10)), SGD(), softmax_cross_entropy)


def book_program(
    dataset: Any, DataLoader: Any, model: Any, optimizer: Any, loss_function: Any
) -> Step:
    """Return a function that runs one epoch of the program in step 52 of the book."""
    batches = DataLoader(dataset, 100)
    optimizer.setup(model)

    def step() -> None:
        sum_loss = 0.0
        for x, t in batches:
            loss = loss_function(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            sum_loss += float(loss.data) * len(t)

    return step


# PyTorch


def torch_step(model: Any, x: Any, t: Any, channels_last: bool = False) -> Step:
    import torch

    x, t = torch.from_numpy(x), torch.from_numpy(t)
    if channels_last:
        model, x = (thing.to(memory_format=torch.channels_last) for thing in (model, x))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        loss = torch.nn.functional.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def torch_mlp_model() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(784, 1000), nn.Sigmoid(), nn.Linear(1000, 10))


def torch_mlp() -> Step:
    return torch_step(torch_mlp_model(), BATCH, LABELS)


def torch_cnn_model() -> Any:
    from torch import nn

    layers = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Dropout(0.25), nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU()]
    layers += [nn.Dropout(0.25), nn.Linear(128, 10)]
    return nn.Sequential(*layers)


def torch_cnn(channels_last: bool = False) -> Step:
    return torch_step(torch_cnn_model(), IMAGES, LABELS[:64], channels_last)


def torch_vgg_model() -> Any:
    from torch import nn

    layers: list[Any] = []
    before = 3
    for channels in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels)]
            layers += [nn.ReLU()]
            before = channels
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256 * 4 * 4, 10))


def torch_vgg(channels_last: bool = False) -> Step:
    return torch_step(torch_vgg_model(), PICTURES, LABELS[:32], channels_last)


def torch_resnet(channels_last: bool = False) -> Step:
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before: int, channels: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, channels, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
            self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)
            self.shortcut: Any = nn.Identity()
            if before != channels:
                conv = nn.Conv2d(before, channels, 1, stride, bias=False)
                self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(channels))

        def forward(self, x: Any) -> Any:
            y = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
            return torch.relu(y + self.shortcut(x))

    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    layers += [Block(*sizes) for sizes in RESNET]
    layers += [nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10)]
    return torch_step(nn.Sequential(*layers), PICTURES, LABELS[:32], channels_last)


def torch_inference(batch: int, channels_last: bool = False) -> Step:
    import torch

    model = torch_cnn_model().eval()
    x = torch.from_numpy(np.tile(IMAGES, (4, 1, 1, 1))[:batch])
    if channels_last:
        model, x = (thing.to(memory_format=torch.channels_last) for thing in (model, x))

    def step() -> None:
        with torch.no_grad():
            model(x)

    return step


def torch_batch_norm() -> Step:
    from torch import nn

    layers = [nn.Conv2d(1, 32, 3), nn.BatchNorm2d(32), nn.ReLU()]
    layers += [nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10)]
    return torch_step(nn.Sequential(*layers), IMAGES, LABELS[:64])


def torch_recurrent(name: str) -> Step:
    import torch

    layer = getattr(torch.nn, name)(256, 256)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    sequences = torch.from_numpy(SEQUENCES)

    def step() -> None:
        y, _ = layer(sequences)
        optimizer.zero_grad()
        y.mean().backward()
        optimizer.step()

    return step


def torch_epoch() -> Step:
    """Run the program of `book_program` with PyTorch's loader and torchvision's dataset."""
    import torch

    dataset = torchvision_mnist()
    batches = torch.utils.data.DataLoader(dataset, 100, shuffle=True)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch_mlp_model())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        sum_loss = 0.0
        for x, t in batches:
            loss = torch.nn.functional.cross_entropy(model(x), t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sum_loss += loss.item() * len(t)

    return step


def define_torchvision_ops() -> None:
    """Define the names of two compiled ops, which importing torchvision needs.

    The compiled part of the installed torchvision may be for GPUs only. Its data sets and
    transforms are in Python.
    """
    import torch

    names = torch.library.Library("torchvision", "DEF")
    for op in ("nms", "qnms"):
        names.define(f"{op}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARIES.append(names)


LIBRARIES: list[Any] = []
"""Libraries of ops, stored because PyTorch removes the ops of a library that is freed."""


def torchvision_mnist() -> Any:
    """Return torchvision's MNIST from the folder DEZERO_DATA, as float images."""
    define_torchvision_ops()
    from torchvision import datasets, transforms

    folder = tempfile.TemporaryDirectory()
    raw = Path(folder.name) / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in (Path(os.environ["DEZERO_DATA"]) / "mnist").glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    with folder:  # the dataset reads its files here
        return datasets.MNIST(folder.name, transform=transforms.ToTensor())


# The book's framework


def import_book() -> Any:
    vars(np)["int"] = int
    import dezero

    return dezero


def book_step(model: Any, x: Any, t: Any) -> Step:
    dezero = import_book()
    optimizer = dezero.optimizers.SGD(0.01).setup(model)

    def step() -> None:
        loss = dezero.functions.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()

    return step


def book_mlp() -> Step:
    return book_step(import_book().models.MLP((1000, 10)), BATCH, LABELS)


def book_cnn() -> Step:
    dezero = import_book()
    F, L = dezero.functions, dezero.layers

    class CNN(dezero.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv0, self.conv1 = L.Conv2d(32, 3), L.Conv2d(64, 3)
            self.fc0, self.fc1 = L.Linear(128), L.Linear(10)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.conv1(F.relu(self.conv0(x))))
            x = F.pooling(x, 2, 2)
            x = F.dropout(F.reshape(x, (x.shape[0], -1)), 0.25)
            x = F.dropout(F.relu(self.fc0(x)), 0.25)
            return self.fc1(x)

    return book_step(CNN(), IMAGES, LABELS[:64])


def book_epoch() -> Step:
    dezero = import_book()

    class MNIST(dezero.Dataset):
        def prepare(self) -> None:
            self.data, self.label = mnist()

    T = dezero.transforms
    dataset = MNIST(transform=T.Compose([T.Flatten(), T.ToFloat(), T.Normalize(0.0, 255.0)]))
    model, optimizer = dezero.models.MLP((1000, 10)), dezero.optimizers.SGD()
    loss = dezero.functions.softmax_cross_entropy
    return book_program(dataset, dezero.DataLoader, model, optimizer, loss)
