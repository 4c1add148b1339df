"""Load weights of PyTorch models: a state_dict that was saved as safetensors or npz.

The layout of an array depends on its layer. ``pytorch_arrays()`` of each DeZero layer returns the
names of its arrays in PyTorch, and whether they are transposed or a part of a larger array. The
weight of ``Linear`` is (in, out), PyTorch's is (out, in). Recurrent layers have an array for each
gate; PyTorch stacks the gates, and has two biases, which are summed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dezero_core import Buffer, Parameter
from dezero_core.dtypes import dtype_name
from dezero_core.errors import ArgumentError, KeyMismatch, ShapeMismatch
from dezero_core.extend import Limits, Stored
from dezero_core.state import (
    FilePath,
    LoadReport,
    PyTorchArray,
    located,
    named_params,
    require_fit,
    stage_arrays,
)

from .manifest import outline
from .matching import (
    IGNORED,
    Module,
    Unit,
    can_be,
    cleaned,
    expected_shape,
    is_shape,
    is_square,
    matched,
    modules,
    units,
)
from .safetensors import SUFFIX

STATISTICS = {
    "gamma": "weight",
    "beta": "bias",
    "avg_mean": "running_mean",
    "avg_var": "running_var",
}
"""Batch normalisation's names here, and there."""

LISTED = 30
"""The largest number of arrays of a file in a message."""

Sources = dict[str, tuple[PyTorchArray, list[str]]]
"""The layout of an array, and the names in the file that it is computed from, by key."""


VGG16_CONVOLUTIONS = {
    "1_1": 0, "1_2": 2, "2_1": 5, "2_2": 7, "3_1": 10, "3_2": 12, "3_3": 14,
    "4_1": 17, "4_2": 19, "4_3": 21, "5_1": 24, "5_2": 26, "5_3": 28,
}  # fmt: skip
"""Our convolutions, and their places in torchvision's ``features``."""

RESNET_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Bottlenecks of the four stages, by number of layers."""


def load_pytorch_weights(
    tree: Any,
    path: FilePath,
    names: Mapping[str, str | Sequence[str]] | None = None,
    *,
    cast: str | None = None,
    max_bytes: int = Limits.max_bytes,
) -> LoadReport:
    """Load a PyTorch state_dict, saved as safetensors or npz, into ``tree``: all or nothing.

    ``num_batches_tracked`` and the prefixes ``module.`` and ``_orig_mod.`` are ignored. A bias that
    is missing in the file is set to zero.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file.
        names: the name of the array or module in the file, by key or by the path of a layer
            (``{"l1/W": "fc.weight"}``, ``{"l1": "fc"}``); several names for a sum, such as
            the two biases of an LSTM. Anything else is unchanged. If None, layers are matched
            by their shapes, paths and order, if the match is unambiguous.
        cast: which conversions to the model's dtype are allowed, as for `load_weights`.
        max_bytes: refuse files that are larger (default 4 GiB).

    Returns:
        the loaded keys, the keys missing in ``names``, and the source of each key; ``print`` shows
        the pairs.

    Raises:
        KeyMismatch: the model or the file lacks a name, or the file has unexpected names; without
            ``names``, no match or several matches are possible.
        DataMissing, FormatError, LimitError, ShapeMismatch, DtypeMismatch: as for `load_weights`.
    """
    target, file_format = located(path)
    named = named_params(tree)
    title = f"{target} does not fit the model"
    sources: Sources = {}

    def check(stored: Stored) -> None:
        sources.clear()
        sources.update(
            given_sources(tree, names, stored.arrays)
            if names is not None
            else found_sources(tree, stored.arrays, target.suffix != SUFFIX)
        )
        for key, (array, parts) in sources.items():
            require_shape(key, named[key], array, [stored.arrays[name] for name in parts])
        arrays = {key: ours(named[key], *source, stored.arrays) for key, source in sources.items()}
        require_fit({key: named[key] for key in sources}, Stored(arrays), title, cast=cast)

    try:
        stored = file_format.read_checked(target, Limits(max_bytes), check)
    except KeyMismatch as error:
        if str(error).startswith(title):
            raise
        raise KeyMismatch(f"{target}, nothing was loaded: {error}") from error
    chosen = {key: named[key] for key in sources}
    arrays, metadata = dict(stored.arrays), stored.metadata
    del stored  # it would keep the arrays that are converted
    stage_arrays(chosen, taker(named, sources, arrays))()
    missing = tuple(key for key in named if key not in chosen)
    told = {key: described(*source) for key, source in sources.items()}
    return LoadReport(tuple(chosen), missing, (), metadata, told)


def taker(
    named: Mapping[str, Parameter | Buffer], sources: Sources, arrays: dict[str, Any]
) -> Callable[[str], Any]:
    """Return a function for `stage_arrays` that computes the new array of a key.

    It frees each array of the file after the last key that needs it.
    """
    uses = Counter(name for _, names in sources.values() for name in names)

    def take(key: str) -> Any:
        array, names = sources[key]
        found = np.array(ours(named[key], array, names, arrays), order="C")
        for name in names:
            uses[name] -= 1
            if not uses[name]:
                arrays[name] = outline(arrays[name].shape, arrays[name].dtype)
        return found

    return take


def found_sources(tree: Any, arrays: Mapping[str, Any], keeps_order: bool) -> Sources:
    """Match the layers of a tree with the modules in a file."""
    if any("/" in name for name in arrays):
        raise KeyMismatch("the names are not PyTorch's; files of DeZero are read by load_weights")
    named, mine, theirs = named_params(tree), units(tree), modules(arrays)
    shapes = {name: x.shape for name, x in arrays.items()}
    fits = [{m for m, there in enumerate(theirs) if can_be(u, there, named, shapes)} for u in mine]
    try:
        pairs = matched(mine, theirs, fits, keeps_order)
    except KeyMismatch as error:
        layer = next((unit.path.replace(".", "/") for unit in mine if unit.path), "l1")
        module = next((there.path for there in theirs), "fc")
        listed = ", ".join(f"{name} {shape}" for name, shape in [*shapes.items()][:LISTED])
        listed += ", ..." if len(shapes) > LISTED else ""
        reverse = any(name.endswith("_reverse") for name in arrays)
        hint = "Recurrent layers here go in one direction. " if reverse else ""
        raise KeyMismatch(
            f"layers and modules cannot be matched: {error}. {hint}Pass the pairs, such as "
            f'names={{"{layer}": "{module}"}}; the file has {listed}'
        ) from error
    return {key: source for pair in pairs for key, source in sources_of(*pair, named).items()}


def sources_of(unit: Unit, module: Module, named: Mapping[str, Parameter | Buffer]) -> Sources:
    """Return the arrays of a module by the keys of the layer."""
    sources: Sources = {}
    for key, array in unit.arrays.items():
        if array is None:
            sources[key] = PyTorchArray(("",), named[key].shape), list(module.names.values())
        else:
            there = [module.names[local] for local in array.names if local in module.names]
            if not there and not array.names[0].startswith("bias"):
                raise KeyMismatch(f"missing {module.path}.{array.names[0]}, for {key}")
            sources[key] = array, there
    return sources


def given_sources(
    tree: Any, names: Mapping[str, str | Sequence[str]], arrays: Mapping[str, Any]
) -> Sources:
    """Return the sources in ``names``, each with the layout that its layer declares."""
    named, clean = named_params(tree), {short: name for name, short in cleaned(arrays).items()}
    mine = units(tree)
    layers = {unit.path.replace(".", "/"): unit for unit in mine}
    known = {key: array for unit in mine for key, array in unit.arrays.items()}
    theirs = {module.path: module for module in modules(arrays)}
    sources: Sources = {}
    for key, given in names.items():
        there = [given] if isinstance(given, str) else list(given)
        found = [name if name in arrays else clean.get(name) for name in there]
        if key in named:
            lacking = [name for name, full in zip(there, found, strict=True) if full is None]
            if lacking:
                raise KeyMismatch(f"missing {', '.join(map(repr, lacking))}")
            full = [name for name in found if name is not None]
            sources[key] = known[key] or single(key, named[key], arrays[full[0]]), full
            require_every_name(key, sources[key][0], full)
        elif key in layers:
            module = theirs.get(there[0]) or theirs.get(f"{there[0]}_l0")
            if module is None:
                raise KeyMismatch(f"missing {there[0]!r}, a module")
            sources |= sources_of(layers[key], module, named)
        else:
            raise KeyMismatch(f"the model has no {key}; names are by its keys, or its layers")
    used = {name for _, full in sources.values() for name in full}
    others = [name for name in arrays if not name.endswith(IGNORED) and name not in used]
    if others:
        raise KeyMismatch(f"unexpected {', '.join(map(repr, others))}")
    return sources


def single(key: str, x: Parameter | Buffer, array: Any) -> PyTorchArray:
    """Return the layout of an array from the shapes, if its layer does not declare it."""
    if len(array.shape) != 2 or x.data is None:
        return PyTorchArray(("",), array.shape)
    if is_square(array.shape):
        raise KeyMismatch(
            f"{key!r}: no layer says whether {array.shape} must be transposed; define "
            "pytorch_arrays() in the layer that has it"
        )
    return PyTorchArray(("",), array.shape, transposed=array.shape != x.shape)


def require_every_name(key: str, array: PyTorchArray, given: Sequence[str]) -> None:
    """Raise an error unless a sum has all its terms."""
    if len(given) != len(array.names):
        raise KeyMismatch(
            f"{key!r} is made of {' + '.join(array.names)}: expected {len(array.names)} names, "
            f"got {', '.join(given)}"
        )


def require_shape(
    key: str, x: Parameter | Buffer, array: PyTorchArray, arrays: Iterable[Any]
) -> None:
    """Raise an error unless the arrays have the shape that the layer declares."""
    expected = expected_shape(x, array)
    for found in arrays:
        if not is_shape(expected, found.shape):
            shape = ", ".join("any" if n is None else str(n) for n in expected)
            here = "not known yet" if x.data is None else str(x.shape)
            raise ShapeMismatch(
                f"{key!r}: model {here}, file {found.shape}; PyTorch's array for it has the shape "
                f"({shape})"
            )


def ours(
    x: Parameter | Buffer, array: PyTorchArray, names: Sequence[str], arrays: Mapping[str, Any]
) -> Any:
    """Return an array in the layout of the DeZero layer; it may be a view."""
    if not names:
        dtype = next(iter(arrays.values())).dtype if x.data is None else dtype_name(x.dtype)
        return np.zeros([(n or 0) // array.parts for n in expected_shape(x, array)], dtype)
    found = arrays[names[0]]
    for name in names[1:]:
        found = found + arrays[name]
    rows = len(found) // array.parts if array.parts > 1 else 0
    found = found[array.part * rows : (array.part + 1) * rows] if rows else found
    return found.swapaxes(-1, -2) if array.transposed else found


def described(array: PyTorchArray, names: Sequence[str]) -> str:
    """Describe the source of an array."""
    if not names:
        return "zeros: the file has no bias"
    how = [f"part {array.part + 1} of {array.parts}"] if array.parts > 1 else []
    how += ["transposed"] if array.transposed else []
    text = " + ".join(names)
    return f"{text} ({', '.join(how)})" if how else text


def vgg16_names() -> dict[str, str]:
    """For ``VGG16`` and torchvision's ``vgg16``, which compute the same."""
    names: dict[str, str] = {}
    layers = {f"conv{ours}": f"features.{there}" for ours, there in VGG16_CONVOLUTIONS.items()}
    layers |= {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    for layer, there in layers.items():
        names |= {f"{layer}/W": f"{there}.weight", f"{layer}/b": f"{there}.bias"}
    return names


def resnet_names(n_layers: int = 50) -> dict[str, str]:
    """For ``ResNet`` and torchvision's ``resnet50``, ``resnet101`` and ``resnet152``.

    The parameters are the same ones, but not all that is done with them: torchvision has the
    stride in the second convolution of a bottleneck, a margin of one in the first pooling, and
    eps 1e-5. So outputs differ; train a little before use. Our ``conv1/b``, which has no
    counterpart, stays zero.

    Raises:
        ArgumentError: there is no such depth.
    """
    if n_layers not in RESNET_BLOCKS:
        raise ArgumentError(f"resnet_names: n_layers {n_layers}; there are 50, 101 and 152")
    names = {"conv1/W": "conv1.weight", "fc6/W": "fc.weight", "fc6/b": "fc.bias"}
    names |= statistics("bn1", "bn1")
    for stage, blocks in enumerate(RESNET_BLOCKS[n_layers], start=1):
        for block in range(blocks):
            here = f"res{stage + 1}/{f'b{block}' if block else 'a'}"
            there = f"layer{stage}.{block}"
            for n in (1, 2, 3):
                names[f"{here}/conv{n}/W"] = f"{there}.conv{n}.weight"
                names |= statistics(f"{here}/bn{n}", f"{there}.bn{n}")
            if block == 0:
                names[f"{here}/conv4/W"] = f"{there}.downsample.0.weight"
                names |= statistics(f"{here}/bn4", f"{there}.downsample.1")
    return names


def statistics(here: str, there: str) -> dict[str, str]:
    """The names of a batch normalisation."""
    return {f"{here}/{ours}": f"{there}.{name}" for ours, name in STATISTICS.items()}
