"""Match DeZero layers with PyTorch modules by shapes, paths and order, without guessing.

A layer can be paired with a module if every array of the module has the shape that the layer
expects. Layers and modules with only one possible partner are paired first. The remaining layers
and modules are paired by equal paths, then by the numbers in the paths (``layers.0``,
``layers.1``), then by the order of the file, unless the file is sorted by name. If the match is
still ambiguous, an error lists the candidates.
"""

from __future__ import annotations

import re

from dezero_core.errors import KeyMismatch

from .pytorch_modules import Module, Unit


def match(
    units: list[Unit], modules: list[Module], fits: list[set[int]], keeps_order: bool
) -> list[tuple[Unit, Module]]:
    """Pair every unit (a layer or a single parameter) with a PyTorch module.

    Args:
        units: the layers and single parameters, in the order of the model.
        modules: the modules, in the order of the file.
        fits: for each unit, the indices of the modules with which it can be paired.
        keeps_order: True if the file lists the modules in the order of their definition.

    Raises:
        KeyMismatch: a unit or a module has no partner, or the match is ambiguous.
    """
    pairs = unique_pairs(fits, len(modules))
    unmatched = [u for u in range(len(units)) if u not in pairs]
    problems: list[str] = []
    while unmatched:
        group = competing_units(unmatched[0], unmatched, fits, set(pairs.values()))
        candidates = sorted({m for u in group for m in fits[u]} - set(pairs.values()))
        group_pairs = pair_in_order(group, candidates, units, modules, fits, keeps_order)
        if group_pairs is None:
            problems.append(
                f"{', '.join(units[u].path or 'the model' for u in group)} could be any of "
                f"{', '.join(modules[m].path for m in candidates) or 'none in the file'}"
            )
        pairs |= group_pairs or {}
        unmatched = [u for u in unmatched if u not in group]
    if not problems:
        unused = set(range(len(modules))) - set(pairs.values())
        problems = [f"no layer is left for {modules[m].path}" for m in sorted(unused)]
    if problems:
        raise KeyMismatch("; ".join(problems))
    return [(units[u], modules[m]) for u, m in sorted(pairs.items())]


def unique_pairs(fits: list[set[int]], count: int) -> dict[int, int]:
    """Pair units and modules with only one possible partner; remove these modules from ``fits``."""
    pairs: dict[int, int] = {}
    while True:
        free = [u for u in range(len(fits)) if u not in pairs]
        pair = next(((u, *fits[u]) for u in free if len(fits[u]) == 1), None)
        if pair is None:
            possible = {m: [u for u in free if m in fits[u]] for m in range(count)}
            pair = next(((*us, m) for m, us in possible.items() if len(us) == 1), None)
        if pair is None:
            return pairs
        u, m = pair
        pairs[u] = m
        for other in free:
            if other != u:
                fits[other].discard(m)
        fits[u] = {m}


def competing_units(
    first: int, units: list[int], fits: list[set[int]], taken: set[int]
) -> list[int]:
    """Return the units that compete with ``first`` for modules, directly or through other units."""
    group, modules = {first}, fits[first] - taken
    while more := {u for u in units if u not in group and fits[u] & modules}:
        group |= more
        modules |= {m for u in more for m in fits[u] - taken}
    return sorted(group)


NUMBER = re.compile(r"(\d+)(_reverse)?")
"""A number in a path; ``_reverse`` marks the second direction of a layer of a recurrent module."""


def numbers(path: str) -> list[tuple[int, str]]:
    """Return the numbers in a path, each with ``_reverse`` or an empty string."""
    return [(int(number), reverse) for number, reverse in NUMBER.findall(path)]


def comparable_path(path: str) -> str:
    """Return a path in the form in which DeZero's and PyTorch's recurrent layers have equal paths.

    The first layer of ``rnn`` is ``rnn`` in DeZero and ``rnn_l0`` here for PyTorch; the second is
    ``rnn.cells.l1`` and ``rnn_l1``.
    """
    return re.sub(r"(?:^|\.)cells\.(l\d)", r"_\1", path).removesuffix("_l0")


def pair_in_order(
    group: list[int],
    candidates: list[int],
    units: list[Unit],
    modules: list[Module],
    fits: list[set[int]],
    keeps_order: bool,
) -> dict[int, int] | None:
    """Pair units with modules by equal paths, else by order; return None if neither works."""
    if len(group) != len(candidates):
        return None
    by_path = {comparable_path(modules[m].path): m for m in candidates}
    if {comparable_path(units[u].path) for u in group} == set(by_path):
        pairs = {u: by_path[comparable_path(units[u].path)] for u in group}
    else:
        paths = {m: modules[m].path for m in candidates}
        differ_in_numbers = len({NUMBER.sub("#", path) for path in paths.values()}) == 1
        by_number = candidates
        if differ_in_numbers:
            by_number = sorted(candidates, key=lambda m: numbers(paths[m]))
        if not (differ_in_numbers or keeps_order) or (keeps_order and by_number != candidates):
            return None
        pairs = dict(zip(group, by_number, strict=True))
    return pairs if all(m in fits[u] for u, m in pairs.items()) else None
