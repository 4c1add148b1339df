"""List the layers of a model and the modules of a PyTorch file; compare their shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dezero_core import Buffer, Parameter
from dezero_core.state import PyTorchArray, children, named_params

IGNORED = "num_batches_tracked"
"""The name of an array in PyTorch's batch normalisation that DeZero does not need."""

WRAPPERS = re.compile(r"(?<![^.])_orig_mod\.")
"""The prefix that ``torch.compile`` adds to names."""

RECURRENT = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)(?:_l(\d+(?:_reverse)?))?")
"""Array names in PyTorch's recurrent modules (with a layer number) and cells (without one)."""

IN_PROJECTION = re.compile(r"in_proj_(weight|bias)")
"""Names in PyTorch's attention of the arrays that DeZero's attention has in the layer ``qkv``."""

LOCAL_NAMES = {"weight", "bias", "running_mean", "running_var"}
"""Array names in PyTorch modules that are not recurrent."""


@dataclass
class Unit:
    """Describe a DeZero layer, or a parameter whose layer does not define ``pytorch_arrays()``.

    Attributes:
        path: the path of the layer, or the key of the parameter, with dots instead of slashes.
        arrays: a dictionary from keys to PyTorch's arrays. The value is None for a single
            parameter, because its array may have any name in the file.
    """

    path: str
    arrays: dict[str, PyTorchArray | None] = field(default_factory=dict)


@dataclass
class Module:
    """Describe a PyTorch module.

    Attributes:
        path: the module's path. Each layer and direction of a recurrent module has its own path,
            which ends with ``_l0``, ``_l0_reverse``, ``_l1`` and so on.
        names: a dictionary from the names within the module to the full names in the file.
    """

    path: str
    names: dict[str, str] = field(default_factory=dict)


def units(tree: object) -> list[Unit]:
    """Return the layers and single parameters of a tree, in the order of their keys."""
    named = named_params(tree)
    keys = {id(x): key for key, x in named.items()}
    result: list[Unit] = []
    for layer in layers(tree, set()):
        own = {name: keys.pop(id(x), None) for name, x in named_params(layer).items()}
        arrays = layer.pytorch_arrays()
        known = {key: arrays[name] for name, key in own.items() if key and name in arrays}
        for name, key in own.items():  # the inner layers describe these parameters
            if key is not None and name not in arrays:
                keys[id(named[key])] = key
        if known:
            result.append(Unit(common_path(known, arrays), dict(known)))
    result += [Unit(key.replace("/", "."), {key: None}) for key in keys.values()]
    order = {key: position for position, key in enumerate(named)}
    return sorted(result, key=lambda unit: min(order[key] for key in unit.arrays))


def layers(node: object, seen: set[int]) -> Iterator[Any]:
    """Yield all layers that define ``pytorch_arrays()``, each only once, in depth-first order."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if hasattr(node, "pytorch_arrays") and node.pytorch_arrays():
        yield node
    for _, child in children(node):
        yield from layers(child, seen)


def common_path(known: Mapping[str, PyTorchArray], arrays: Mapping[str, PyTorchArray]) -> str:
    """Return the path of a layer: the key of its parameter, without the parameter's name."""
    key = next(iter(known))
    inside = next(name for name in arrays if key == name or key.endswith(f"/{name}"))
    return key.removesuffix(inside).strip("/").replace("/", ".")


def modules(names: Iterable[str]) -> list[Module]:
    """Group the names in a file by module, in file order."""
    result: dict[str, Module] = {}
    for name, clean in without_wrappers(names).items():
        path, _, local = clean.rpartition(".")
        if local == IGNORED:
            continue
        recurrent, projection = RECURRENT.fullmatch(local), IN_PROJECTION.fullmatch(local)
        if recurrent:
            path, local = f"{path}_l{recurrent[2] or 0}", f"{recurrent[1]}_l0"
        elif projection:
            path, local = f"{path}.in_proj".lstrip("."), projection[1]
        elif local not in LOCAL_NAMES:  # a single parameter
            path = clean
        result.setdefault(path, Module(path)).names[local] = name
    return list(result.values())


def without_wrappers(names: Iterable[str]) -> dict[str, str]:
    """Map each name to the name without the prefixes of PyTorch's wrappers."""
    clean = {name: WRAPPERS.sub("", name) for name in names}
    while clean and all(name.startswith("module.") for name in clean.values()):
        clean = {name: short.removeprefix("module.") for name, short in clean.items()}
    return clean if len(set(clean.values())) == len(clean) else {name: name for name in clean}


def expected_shape(x: Parameter | Buffer, array: PyTorchArray) -> tuple[int | None, ...]:
    """Return the shape that an array must have in the file; a length not known yet is None."""
    if x.data is None:
        return array.shape
    shape = list(x.shape)
    if array.transposed:
        shape[-2:] = shape[:-3:-1]
    if array.parts > 1:
        shape[0] *= array.parts
    return tuple(shape)


def is_shape(expected: Sequence[int | None], shape: Sequence[int]) -> bool:
    """Return whether a shape matches the expected lengths; None matches any length."""
    return len(expected) == len(shape) and all(
        e is None or e == n for e, n in zip(expected, shape, strict=True)
    )


def can_be(
    unit: Unit,
    module: Module,
    named: Mapping[str, Parameter | Buffer],
    shapes: Mapping[str, tuple[int, ...]],
) -> bool:
    """Return whether ``module`` has the array names and shapes that ``unit`` expects."""
    if None in unit.arrays.values():
        (key,), names = unit.arrays, list(module.names.values())
        return len(names) == 1 and is_same_array(named[key], shapes[names[0]])
    needed: dict[str, tuple[int | None, ...]] = {}
    for key, array in unit.arrays.items():
        assert array is not None
        needed |= dict.fromkeys(array.names, expected_shape(named[key], array))
    return (
        set(module.names) <= set(needed)
        and all(is_shape(needed[local], shapes[name]) for local, name in module.names.items())
        and all(
            local.startswith("bias") and None not in shape  # a missing bias is set to zero
            for local, shape in needed.items()
            if local not in module.names
        )
    )


def is_same_array(x: Parameter | Buffer, shape: tuple[int, ...]) -> bool:
    """Return whether a parameter can be set to an array of this shape without a transpose.

    Return False for a square matrix, because its shape does not show whether it is transposed.
    """
    return x.data is not None and x.shape == shape and not is_square(shape)


def is_square(shape: Sequence[int]) -> bool:
    """Return whether a shape is that of a square matrix larger than 1x1."""
    return len(shape) == 2 and shape[0] == shape[1] > 1
