"""Load a PyTorch state_dict that was saved as safetensors or npz.

Each DeZero layer has a method ``pytorch_arrays()``. The method returns PyTorch's names of the
layer's arrays. The method also states whether PyTorch transposes an array, or stores the array as a
slice of a larger one. For example, the weight of ``Linear`` has the shape (in, out) in DeZero and
(out, in) in PyTorch. Recurrent layers have one array per gate in DeZero; PyTorch stacks the arrays
of all gates, and has two biases, whose sum is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dezero_core import Buffer, Parameter
from dezero_core.dtypes import dtype_name
from dezero_core.errors import KeyMismatch, ShapeMismatch
from dezero_core.extend import Limits, Stored
from dezero_core.state import (
    FilePath,
    LoadReport,
    PyTorchArray,
    locate_file,
    named_params,
    require_fit,
    stage_arrays,
)

from .manifest import outline
from .matching import match
from .pytorch_modules import (
    IGNORED,
    Module,
    Unit,
    can_be,
    expected_shape,
    is_shape,
    is_square,
    modules,
    units,
    without_wrappers,
)
from .safetensors_header import SUFFIX

MAX_LISTED = 30
"""The largest number of arrays that an error message lists."""

Sources = dict[str, tuple[PyTorchArray, list[str]]]
"""A dictionary from keys to pairs: PyTorch's layout, and the names of the arrays in the file."""


def load_pytorch_weights(
    tree: object,
    path: FilePath,
    names: Mapping[str, str | Sequence[str]] | None = None,
    *,
    cast: str | None = None,
    max_bytes: int = Limits.max_bytes,
) -> LoadReport:
    """Load a PyTorch state_dict, saved as safetensors or npz, into ``tree``.

    If loading fails, ``tree`` is unchanged. ``num_batches_tracked`` and the prefixes ``module.``
    and ``_orig_mod.`` are ignored. A bias that is missing in the file is set to zero.

    Args:
        tree: a layer, or a dictionary or list of layers and parameters.
        path: the file.
        names: a dictionary from keys to names of arrays in the file, or from paths of layers to
            names of modules, such as ``{"l1/W": "fc.weight"}`` or ``{"l1": "fc"}``. If the value is
            a list of names, the arrays with these names are summed, such as the two biases of an
            LSTM. Parameters whose keys are not in ``names`` do not change. If ``names`` is None,
            layers are matched with modules by shapes, paths and order; the match must be
            unambiguous.
        cast: which conversions to the model's dtype are allowed, as for `load_weights`.
        max_bytes: refuse files that are larger (default 4 GiB).

    Returns:
        A report with the loaded keys, the keys missing in ``names``, and the source of each key;
        printing the report shows every key with its source.

    Raises:
        KeyMismatch: the model or the file lacks a name, or the file has unexpected names; without
            ``names``, the layers and modules have no match, or more than one match.
        DataMissing, FormatError, LimitError, ShapeMismatch, DtypeMismatch: as for `load_weights`.
    """
    target, file_format = locate_file(path)
    named = named_params(tree)
    title = f"{target} does not fit the model"
    sources: Sources = {}

    def check(stored: Stored) -> None:
        sources.clear()
        sources.update(
            named_sources(tree, names, stored.arrays)
            if names is not None
            else matched_sources(tree, stored.arrays, target.suffix != SUFFIX)
        )
        for key, (array, parts) in sources.items():
            require_shape(key, named[key], array, [stored.arrays[name] for name in parts])
        arrays = {
            key: convert(named[key], *source, stored.arrays) for key, source in sources.items()
        }
        require_fit({key: named[key] for key in sources}, Stored(arrays), title, cast=cast)

    try:
        stored = file_format.read_checked(target, Limits(max_bytes), check)
    except KeyMismatch as error:
        if str(error).startswith(title):
            raise
        raise KeyMismatch(f"{target}, nothing was loaded: {error}") from error
    chosen = {key: named[key] for key in sources}
    arrays, metadata = dict(stored.arrays), stored.metadata
    del stored  # so that each array can be freed as soon as it is converted
    stage_arrays(chosen, make_converter(named, sources, arrays))()
    missing = tuple(key for key in named if key not in chosen)
    descriptions = {key: describe(*source) for key, source in sources.items()}
    return LoadReport(tuple(chosen), missing, (), metadata, descriptions)


def make_converter(
    named: Mapping[str, Parameter | Buffer], sources: Sources, arrays: dict[str, NDArray[Any]]
) -> Callable[[str], NDArray[Any]]:
    """Return the argument of `stage_arrays`: a function that computes the new array for a key.

    The function frees each array of the file after computing the last new array that needs it.
    """
    uses = Counter(name for _, names in sources.values() for name in names)

    def converted(key: str) -> NDArray[Any]:
        array, names = sources[key]
        result = np.array(convert(named[key], array, names, arrays), order="C")
        for name in names:
            uses[name] -= 1
            if not uses[name]:
                arrays[name] = outline(arrays[name].shape, arrays[name].dtype)
        return result

    return converted


def matched_sources(tree: object, arrays: Mapping[str, NDArray[Any]], keeps_order: bool) -> Sources:
    """Match the layers of a tree with the modules in a file."""
    if any("/" in name for name in arrays):
        raise KeyMismatch("the names are not PyTorch's; read DeZero's files with load_weights")
    named, layers, found = named_params(tree), units(tree), modules(arrays)
    shapes = {name: x.shape for name, x in arrays.items()}
    fits = [{m for m, mod in enumerate(found) if can_be(u, mod, named, shapes)} for u in layers]
    try:
        pairs = match(layers, found, fits, keeps_order)
    except KeyMismatch as error:
        layer = next((unit.path.replace(".", "/") for unit in layers if unit.path), "l1")
        module = found[0].path if found else "fc"
        listed = ", ".join(f"{name} {shape}" for name, shape in [*shapes.items()][:MAX_LISTED])
        listed += ", ..." if len(shapes) > MAX_LISTED else ""
        reverse = any(name.endswith("_reverse") for name in arrays)
        hint = (
            "For arrays with _reverse, create layers with bidirectional=True. " if reverse else ""
        )
        raise KeyMismatch(
            f"layers and modules cannot be matched: {error}. {hint}Pass the pairs, such as "
            f'names={{"{layer}": "{module}"}}; the file has {listed}'
        ) from error
    return {key: source for pair in pairs for key, source in sources_of(*pair, named).items()}


def sources_of(unit: Unit, module: Module, named: Mapping[str, Parameter | Buffer]) -> Sources:
    """Return, for each key of a layer, the arrays of a module from which it is computed."""
    sources: Sources = {}
    for key, array in unit.arrays.items():
        if array is None:
            sources[key] = PyTorchArray(("",), named[key].shape), list(module.names.values())
        else:
            names = [module.names[local] for local in array.names if local in module.names]
            if not names and not array.names[0].startswith("bias"):
                raise KeyMismatch(f"missing {module.path}.{array.names[0]}, for {key}")
            sources[key] = array, names
    return sources


def named_sources(
    tree: object, names: Mapping[str, str | Sequence[str]], arrays: Mapping[str, NDArray[Any]]
) -> Sources:
    """Return the arrays in the file that ``names`` lists for each key, with their layouts."""
    named = named_params(tree)
    full_names = {short: name for name, short in without_wrappers(arrays).items()}
    all_units = units(tree)
    layers = {unit.path.replace(".", "/"): unit for unit in all_units}
    layouts = {key: array for unit in all_units for key, array in unit.arrays.items()}
    modules_by_path = {module.path: module for module in modules(arrays)}
    sources: Sources = {}
    for key, value in names.items():
        wanted = [value] if isinstance(value, str) else list(value)
        if key in named:
            missing = [
                repr(name) for name in wanted if name not in arrays and name not in full_names
            ]
            if missing:
                raise KeyMismatch(f"missing {', '.join(missing)}")
            full = [name if name in arrays else full_names[name] for name in wanted]
            sources[key] = layouts[key] or infer_layout(key, named[key], arrays[full[0]]), full
            require_every_name(key, sources[key][0], full)
        elif key in layers:
            module = modules_by_path.get(wanted[0]) or modules_by_path.get(f"{wanted[0]}_l0")
            if module is None:
                raise KeyMismatch(f"missing module {wanted[0]!r}")
            sources |= sources_of(layers[key], module, named)
            for path, unit in layers.items():  # the other layers of a recurrent layer
                cell = path.removeprefix(f"{key}/cells/")
                if cell != path and f"{wanted[0]}_{cell}" in modules_by_path:
                    sources |= sources_of(unit, modules_by_path[f"{wanted[0]}_{cell}"], named)
        else:
            raise KeyMismatch(f"the model has no {key}; use keys or layer paths in names=")
    used = {name for _, full in sources.values() for name in full}
    others = [name for name in arrays if not name.endswith(IGNORED) and name not in used]
    if others:
        raise KeyMismatch(f"unexpected {', '.join(map(repr, others))}")
    return sources


def infer_layout(key: str, x: Parameter | Buffer, array: NDArray[Any]) -> PyTorchArray:
    """Infer PyTorch's layout of an array from its shape, if the layer does not declare a layout."""
    if len(array.shape) != 2 or x.data is None:
        return PyTorchArray(("",), array.shape)
    if is_square(array.shape):
        raise KeyMismatch(
            f"{key!r}: no layer declares whether {array.shape} must be transposed; define "
            "pytorch_arrays() in the layer of this parameter"
        )
    return PyTorchArray(("",), array.shape, transposed=array.shape != x.shape)


def require_every_name(key: str, array: PyTorchArray, names: Sequence[str]) -> None:
    """Check that ``names`` lists all PyTorch arrays whose sum is the parameter ``key``."""
    if len(names) != len(array.names):
        raise KeyMismatch(
            f"{key!r} is computed from {' + '.join(array.names)}: expected {len(array.names)} "
            f"names, got {', '.join(names)}"
        )


def require_shape(
    key: str, x: Parameter | Buffer, array: PyTorchArray, arrays: Iterable[NDArray[Any]]
) -> None:
    """Check that the arrays in the file have the shape that the layer expects."""
    expected = expected_shape(x, array)
    for found in arrays:
        if not is_shape(expected, found.shape):
            shape = ", ".join("any" if n is None else str(n) for n in expected)
            model_shape = "not known yet" if x.data is None else str(x.shape)
            raise ShapeMismatch(
                f"{key!r}: model {model_shape}, file {found.shape}; PyTorch's array for it has the "
                f"shape ({shape})"
            )


def convert(
    x: Parameter | Buffer,
    array: PyTorchArray,
    names: Sequence[str],
    arrays: Mapping[str, NDArray[Any]],
) -> NDArray[Any]:
    """Convert PyTorch arrays to the layout of the DeZero layer; the result may be a view."""
    if not names:
        dtype = next(iter(arrays.values())).dtype if x.data is None else dtype_name(x.dtype)
        return np.zeros([(n or 0) // array.parts for n in expected_shape(x, array)], dtype)
    found = arrays[names[0]]
    for name in names[1:]:
        found = found + arrays[name]
    rows = len(found) // array.parts if array.parts > 1 else 0
    found = found[array.part * rows : (array.part + 1) * rows] if rows else found
    return found.swapaxes(-1, -2) if array.transposed else found


def describe(array: PyTorchArray, names: Sequence[str]) -> str:
    """Describe the arrays from which a parameter was loaded, and their conversions."""
    if not names:
        return "zeros: the file has no bias"
    steps = [f"part {array.part + 1} of {array.parts}"] if array.parts > 1 else []
    steps += ["transposed"] if array.transposed else []
    text = " + ".join(names)
    return f"{text} ({', '.join(steps)})" if steps else text
