"""Map the keys of DeZero's VGG16 and ResNet to torchvision's array names."""

from __future__ import annotations

from dezero_core.errors import ArgumentError

BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "avg_mean": "running_mean",
    "avg_var": "running_var",
}
"""A dictionary from DeZero's array names in batch normalisation to PyTorch's array names."""

VGG16_CONVOLUTIONS = {
    "1_1": 0, "1_2": 2, "2_1": 5, "2_2": 7, "3_1": 10, "3_2": 12, "3_3": 14,
    "4_1": 17, "4_2": 19, "4_3": 21, "5_1": 24, "5_2": 26, "5_3": 28,
}  # fmt: skip
"""A dictionary from DeZero's names of convolutions to indices in torchvision's ``features``."""

RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""A dictionary from the depth of a ResNet to the numbers of blocks in its four stages."""


def vgg16_names() -> dict[str, str]:
    """Return a dictionary from the keys of ``VGG16`` to torchvision's array names.

    The VGG16 models of DeZero and torchvision compute the same outputs.
    """
    modules = {f"conv{name}": f"features.{i}" for name, i in VGG16_CONVOLUTIONS.items()}
    modules |= {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    names: dict[str, str] = {}
    for layer, module in modules.items():
        names |= {f"{layer}/W": f"{module}.weight", f"{layer}/b": f"{module}.bias"}
    return names


def resnet_names(n_layers: int = 50) -> dict[str, str]:
    """Return a dictionary from the keys of ``ResNet`` to torchvision's array names.

    The parameters of DeZero's and torchvision's ResNet have the same shapes, but the two models
    compute different outputs: torchvision has the stride in the second convolution of a bottleneck,
    a padding of 1 in the first pooling, and eps = 1e-5. Fine-tune the model before use. DeZero's
    ``conv1/b``, which torchvision lacks, stays zero.

    Args:
        n_layers: the depth: 50 (default), 101 or 152.

    Raises:
        ArgumentError: there is no ResNet of this depth.
    """
    if n_layers not in RESNET_BLOCKS:
        raise ArgumentError(f"resnet_names: n_layers {n_layers}; expected 50, 101 or 152")
    names = {"conv1/W": "conv1.weight", "fc6/W": "fc.weight", "fc6/b": "fc.bias"}
    names |= batch_norm_names("bn1", "bn1")
    for stage, blocks in enumerate(RESNET_BLOCKS[n_layers], start=1):
        for i in range(blocks):
            block = f"res{stage + 1}/{f'b{i}' if i else 'a'}"
            module = f"layer{stage}.{i}"
            for n in (1, 2, 3):
                names[f"{block}/conv{n}/W"] = f"{module}.conv{n}.weight"
                names |= batch_norm_names(f"{block}/bn{n}", f"{module}.bn{n}")
            if i == 0:
                names[f"{block}/conv4/W"] = f"{module}.downsample.0.weight"
                names |= batch_norm_names(f"{block}/bn4", f"{module}.downsample.1")
    return names


def batch_norm_names(layer: str, module: str) -> dict[str, str]:
    """Return a dictionary from the keys of a batch normalisation layer to PyTorch's array names."""
    return {f"{layer}/{ours}": f"{module}.{name}" for ours, name in BATCH_NORM.items()}
