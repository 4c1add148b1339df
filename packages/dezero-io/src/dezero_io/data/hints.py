"""List hints for names that other frameworks give to datasets and transforms.

The tables list only names that do not exist in DeZero: if you add a name to DeZero, remove its
hint.
"""

DATASETS = {
    **dict.fromkeys(("DataLoader", "DatasetLoader"), "dezero.DataLoader(dataset, batch_size)"),
    "IterableDataset": "dezero.Dataset: a dataset has a length, and examples at integer indices",
    **dict.fromkeys(
        ("FashionMNIST", "KMNIST", "EMNIST", "SVHN", "CelebA", "STL10", "ImageFolder"),
        "a subclass of dezero.Dataset, whose prepare() sets data and label",
    ),
    **dict.fromkeys(("mnist", "get_mnist"), "dezero.datasets.MNIST(train=True)"),
    **dict.fromkeys(("cifar10", "get_cifar10"), "dezero.datasets.CIFAR10(train=True)"),
    **dict.fromkeys(("cifar100", "get_cifar100"), "dezero.datasets.CIFAR100(train=True)"),
    "TupleDataset": "dezero.datasets.TensorDataset(x, t)",
    "SubDataset": "dezero.datasets.Subset(dataset, indices)",
    **dict.fromkeys(
        ("split_dataset", "split_dataset_random"),
        "dezero.datasets.random_split(dataset, sizes)",
    ),
    "ConcatenatedDataset": "dezero.datasets.ConcatDataset(datasets)",
    **{
        name: f"sklearn.datasets.{name}(), and dezero.datasets.TensorDataset(x, t)"
        for name in ("load_iris", "load_digits", "make_moons", "make_blobs")
    },
}
"""Hints for datasets of other frameworks."""

TRANSFORMS = {
    "ToTensor": "dezero.transforms.ToArray() and dezero.transforms.Normalize(0, 255), in Compose",
    "PILToTensor": "dezero.transforms.ToArray()",
    "ToPILImage": "dezero.transforms.ToPIL()",
    "ConvertImageDtype": "dezero.transforms.AsType(dtype)",
    "Grayscale": "dezero.transforms.Convert('L')",
    "Lambda": "the function itself, in Compose",
    **dict.fromkeys(
        (
            "RandomResizedCrop", "RandomVerticalFlip", "RandomRotation", "RandomAffine",
            "RandomErasing", "ColorJitter", "GaussianBlur", "Pad", "FiveCrop",
        ),
        "a function of one image, in Compose",
    ),
}  # fmt: skip
"""Hints for transforms of PyTorch."""
