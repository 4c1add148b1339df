"""Provide weight files, datasets, loaders and transforms for DeZero."""

from dezero_core.state import load_weights, save_weights

from .__about__ import __version__
from .data import datasets, transforms
from .data.datasets import *  # noqa: F403 (the source modules define __all__)
from .data.download import data_folder, get_file
from .data.loaders import DataLoader, SeqDataLoader
from .data.samplers import WeightedRandomSampler
from .weights import flatten_params
from .weights.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .weights.checkpointer import Checkpointer
from .weights.files import atomic_file
from .weights.pytorch import load_pytorch_weights
from .weights.torchvision import resnet_names, vgg16_names

__all__ = [
    "Checkpoint",
    "Checkpointer",
    "DataLoader",
    "SeqDataLoader",
    "WeightedRandomSampler",
    "__version__",
    "atomic_file",
    "data_folder",
    "datasets",
    "flatten_params",
    "get_file",
    "load_checkpoint",
    "load_pytorch_weights",
    "load_weights",
    "resnet_names",
    "save_checkpoint",
    "save_weights",
    "transforms",
    "vgg16_names",
]
__all__ += datasets.__all__
