"""Match DeZero layers with PyTorch modules by shapes, paths and order, without guessing.

A layer and a module can be a pair if every array has the shape that the layer expects. Pairs
without an alternative are matched first. The rest is matched by equal paths, then by the numbers
in the paths (``layers.0``, ``layers.1``), then by the order of the file, if it has one. If the
match is still ambiguous, an error lists the candidates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dezero_core import Buffer, Parameter
from dezero_core.errors import KeyMismatch
from dezero_core.state import PyTorchArray, children, named_params

IGNORED = "num_batches_tracked"

WRAPPERS = re.compile(r"(?<![^.])_orig_mod\.")
"""The prefix that ``torch.compile`` adds to names."""

RECURRENT = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)(?:_l(\d+))?")
"""Names of arrays in PyTorch's recurrent modules, with the number of the layer, and in cells."""

LOCAL_NAMES = {"weight", "bias", "running_mean", "running_var"}


@dataclass
class Unit:
    """A DeZero layer, or a parameter whose layer does not define ``pytorch_arrays()``.

    Attributes:
        path: its path in the tree, with dots; for a single parameter, its key.
        arrays: PyTorch's array for each key; None for a single parameter, which can have any name.
    """

    path: str
    arrays: dict[str, PyTorchArray | None] = field(default_factory=dict)


@dataclass
class Module:
    """A PyTorch module.

    Attributes:
        path: its path; layers 0, 1... of a recurrent module are ``path_l0``, ``path_l1``...
        names: the names in the file, by the names in the module.
    """

    path: str
    names: dict[str, str] = field(default_factory=dict)


def units(tree: Any) -> list[Unit]:
    """Return the units of a tree, in the order of its keys."""
    named = named_params(tree)
    keys = {id(x): key for key, x in named.items()}
    found: list[Unit] = []
    for layer in layers(tree, set()):
        own = {name: keys.pop(id(x), None) for name, x in named_params(layer).items()}
        said = layer.pytorch_arrays()
        known = {key: said[name] for name, key in own.items() if key is not None and name in said}
        for name, key in own.items():  # part of an inner layer
            if key is not None and name not in said:
                keys[id(named[key])] = key
        if known:
            found.append(Unit(common_path(known, said), dict(known)))
    found += [Unit(key.replace("/", "."), {key: None}) for key in keys.values()]
    order = {key: position for position, key in enumerate(named)}
    return sorted(found, key=lambda unit: min(order[key] for key in unit.arrays))


def layers(node: Any, seen: set[int]) -> Iterator[Any]:
    """Yield every layer that defines ``pytorch_arrays()``, outer layers first, each once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if hasattr(node, "pytorch_arrays") and node.pytorch_arrays():
        yield node
    for _, child in children(node):
        yield from layers(child, seen)


def common_path(known: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """Return the path of a layer, from its full keys and its own shorter keys."""
    key = next(iter(known))
    inside = next(name for name in said if key == name or key.endswith(f"/{name}"))
    return key.removesuffix(inside).strip("/").replace("/", ".")


def modules(names: Iterable[str]) -> list[Module]:
    """Group the names in a file by module, in their order."""
    found: dict[str, Module] = {}
    for name, clean in cleaned(names).items():
        path, _, local = clean.rpartition(".")
        if local == IGNORED:
            continue
        recurrent = RECURRENT.fullmatch(local)
        if recurrent:
            path, local = f"{path}_l{recurrent[2] or 0}", f"{recurrent[1]}_l0"
        elif local not in LOCAL_NAMES:  # a single parameter
            path = clean
        found.setdefault(path, Module(path)).names[local] = name
    return list(found.values())


def cleaned(names: Iterable[str]) -> dict[str, str]:
    """Map each name to the name without the prefixes of PyTorch's wrappers."""
    clean = {name: WRAPPERS.sub("", name) for name in names}
    while clean and all(name.startswith("module.") for name in clean.values()):
        clean = {name: short.removeprefix("module.") for name, short in clean.items()}
    return clean if len(set(clean.values())) == len(clean) else {name: name for name in clean}


def expected_shape(x: Parameter | Buffer, array: PyTorchArray) -> tuple[int | None, ...]:
    """Return the shape that an array must have in the file; None for lengths not known yet."""
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
    unit: Unit, module: Module, named: Mapping[str, Parameter | Buffer], shapes: Mapping[str, Any]
) -> bool:
    """Return whether the arrays of ``module`` are those that ``unit`` expects."""
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
            local.startswith("bias") and None not in shape  # zeros
            for local, shape in needed.items()
            if local not in module.names
        )
    )


def is_same_array(x: Parameter | Buffer, shape: tuple[int, ...]) -> bool:
    """Return whether a single parameter takes an array of that shape without transposing it."""
    return x.data is not None and x.shape == shape and not is_square(shape)


def is_square(shape: Sequence[int]) -> bool:
    """Return whether a shape is that of a square matrix, which transposing does not change."""
    return len(shape) == 2 and shape[0] == shape[1] > 1


def matched(
    ours: list[Unit], theirs: list[Module], fits: list[set[int]], keeps_order: bool
) -> list[tuple[Unit, Module]]:
    """Pair every unit with a module.

    Args:
        ours, theirs: units and modules, in order.
        fits: for each unit, the positions of the modules it can be paired with.
        keeps_order: whether the file lists the modules in the order of their definition.

    Raises:
        KeyMismatch: some have no partner, or the match is ambiguous.
    """
    pairs = only_ways(fits, len(theirs))
    left = [u for u in range(len(ours)) if u not in pairs]
    problems: list[str] = []
    while left:
        group = connected(left[0], left, fits, set(pairs.values()))
        there = sorted({m for u in group for m in fits[u]} - set(pairs.values()))
        found = in_order(group, there, ours, theirs, fits, keeps_order)
        if found is None:
            problems.append(
                f"{', '.join(ours[u].path or 'the model' for u in group)} could be any of "
                f"{', '.join(theirs[m].path for m in there) or 'none in the file'}"
            )
        pairs |= found or {}
        left = [u for u in left if u not in group]
    if not problems:
        alone = set(range(len(theirs))) - set(pairs.values())
        problems = [f"no layer is left for {theirs[m].path}" for m in sorted(alone)]
    if problems:
        raise KeyMismatch("; ".join(problems))
    return [(ours[u], theirs[m]) for u, m in sorted(pairs.items())]


def only_ways(fits: list[set[int]], count: int) -> dict[int, int]:
    """Return the pairs without an alternative, and remove their modules from ``fits``."""
    pairs: dict[int, int] = {}
    while True:
        free = [u for u in range(len(fits)) if u not in pairs]
        one = next(((u, *fits[u]) for u in free if len(fits[u]) == 1), None)
        if one is None:
            wanted = {m: [u for u in free if m in fits[u]] for m in range(count)}
            one = next(((*us, m) for m, us in wanted.items() if len(us) == 1), None)
        if one is None:
            return pairs
        u, m = one
        pairs[u] = m
        for other in free:
            if other != u:
                fits[other].discard(m)
        fits[u] = {m}


def connected(first: int, units: list[int], fits: list[set[int]], taken: set[int]) -> list[int]:
    """Return the units connected to the first one by modules that both could be paired with."""
    group, modules = {first}, fits[first] - taken
    while more := {u for u in units if u not in group and fits[u] & modules}:
        group |= more
        modules |= {m for u in more for m in fits[u] - taken}
    return sorted(group)


def in_order(
    group: list[int],
    there: list[int],
    ours: list[Unit],
    theirs: list[Module],
    fits: list[set[int]],
    keeps_order: bool,
) -> dict[int, int] | None:
    """Pair units with modules by equal paths, else by order; return None if it is ambiguous."""
    if len(group) != len(there):
        return None
    by_path = {theirs[m].path: m for m in there}
    if {ours[u].path for u in group} == set(by_path):
        pairs = {u: by_path[ours[u].path] for u in group}
    else:
        numbers = {m: [int(n) for n in re.findall(r"\d+", theirs[m].path)] for m in there}
        alike = len({re.sub(r"\d+", "#", theirs[m].path) for m in there}) == 1
        by_number = sorted(there, key=lambda m: numbers[m]) if alike else there
        if not (alike or keeps_order) or (keeps_order and by_number != there):
            return None
        pairs = dict(zip(group, by_number, strict=True))
    return pairs if all(m in fits[u] for u, m in pairs.items()) else None
