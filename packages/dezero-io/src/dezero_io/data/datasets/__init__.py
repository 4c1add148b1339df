"""Provide published datasets, and datasets computed from formulas."""

from .characters import Characters
from .cifar import CIFAR10, CIFAR100
from .curves import SinCurve, Spiral, get_spiral
from .dataset import Dataset
from .digits import Digits
from .imagenet import ImageNet
from .mnist import MNIST
from .parts import ConcatDataset, Subset, TensorDataset, random_split
from .shakespear import Shakespear, Shakespeare, shakespeare_text

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "MNIST",
    "Characters",
    "ConcatDataset",
    "Dataset",
    "Digits",
    "ImageNet",
    "Shakespear",
    "Shakespeare",
    "SinCurve",
    "Spiral",
    "Subset",
    "TensorDataset",
    "get_spiral",
    "random_split",
    "shakespeare_text",
]
