"""Check array operations: the namespace, the operators and the methods of the backend."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from dezero_core import Variable, seed
from dezero_core.backends.host import HostArray
from dezero_core.backends.kernels import all_kernels
from dezero_core.extend import Array, ArrayBackend, get_backend, ops
from dezero_core.state import use_rank

from ..check import Check

X = np.sin(1.0 + np.arange(24.0)).reshape(2, 3, 4).astype("float32")  # distinct values, both signs
Y = np.cos(2.0 + np.arange(24.0)).reshape(2, 3, 4).astype("float32")
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]], "float32")
ONES = np.ones((1, 3, 1), "float32")
ZEROS = np.array([0.0, -0.0, 1.0, -2.0], "float32")
NAN = np.array([[np.nan, 1.0, -1.0], [2.0, np.nan, -np.inf], [np.inf, 0.5, np.nan]], "float32")

Call = Callable[..., Any]

FUNCTIONS: dict[str, tuple[Call, tuple[Any, ...]]] = {
    "sum": (lambda xp, x: xp.sum(x), (X,)),
    "sum over an axis": (lambda xp, x: xp.sum(x, axis=0), (X,)),
    "sum over axes": (lambda xp, x: xp.sum(x, axis=(0, -1), keepdims=True), (X,)),
    "max": (lambda xp, x: xp.max(x), (X,)),
    "max over axes": (lambda xp, x: xp.max(x, axis=(0, 2)), (X,)),
    "max keepdims": (lambda xp, x: xp.max(x, axis=-2, keepdims=True), (X,)),
    "min over axes": (lambda xp, x: xp.min(x, axis=(1, 2), keepdims=True), (X,)),
    "sort": (lambda xp, x: xp.sort(x, axis=1), (X,)),
    "argmax of ties": (lambda xp, x: xp.argmax(x, axis=1), (TIES,)),
    "argmax keepdims": (lambda xp, x: xp.argmax(x, axis=-1, keepdims=True), (X,)),
    "argmax of all": (lambda xp, x: xp.argmax(x), (TIES,)),
    "abs": (lambda xp, x: xp.abs(x), (X,)),
    "sign": (lambda xp, x: xp.sign(x), (X,)),
    "exp": (lambda xp, x: xp.exp(4 * x), (X,)),
    "log": (lambda xp, x: xp.log(x * x), (X,)),
    "log1p": (lambda xp, x: xp.log1p(x * x), (X,)),
    "sqrt": (lambda xp, x: xp.sqrt(x * x), (X,)),
    "sin": (lambda xp, x: xp.sin(x), (X,)),
    "cos": (lambda xp, x: xp.cos(x), (X,)),
    "tan": (lambda xp, x: xp.tan(x), (X,)),
    "tanh": (lambda xp, x: xp.tanh(x), (X,)),
    "maximum": (lambda xp, x, y: xp.maximum(x, y), (X, Y)),
    "minimum": (lambda xp, x, y: xp.minimum(x, y), (X, Y)),
    "where": (lambda xp, x, y: xp.where(x > y, x, y), (X, Y)),
    "where broadcasting": (lambda xp, x, y: xp.where(x > 0, x, y), (X, Y[0, 0])),
    "clip": (lambda xp, x: xp.clip(x, -0.5, 0.5), (X,)),
    "clip from below": (lambda xp, x: xp.clip(x, 0.1, None), (X,)),
    "clip from above": (lambda xp, x: xp.clip(x, None, 0.1), (X,)),
    "reshape": (lambda xp, x: xp.reshape(x, (4, -1)), (X,)),
    "permute_dims": (lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (X,)),
    "permute_dims of four": (
        lambda xp, x: xp.permute_dims(xp.reshape(x, (2, 3, 2, 2)), (0, 2, 3, 1)),
        (X,),
    ),
    "matrix_transpose": (lambda xp, x: xp.matrix_transpose(x), (X,)),
    "expand_dims": (lambda xp, x: xp.expand_dims(x, axis=1), (X,)),
    "expand_dims at the end": (lambda xp, x: xp.expand_dims(x, axis=-1), (X,)),
    "squeeze": (lambda xp, x: xp.squeeze(x, axis=0), (ONES,)),
    "broadcast_to": (lambda xp, x: xp.broadcast_to(x, (2, 3, 5)), (ONES,)),
    "concat": (lambda xp, x, y: xp.concat([x, y], axis=0), (X, Y)),
    "concat at the end": (lambda xp, x, y: xp.concat([x, y], axis=-1), (X, Y)),
    "stack": (lambda xp, x, y: xp.stack([x, y], axis=1), (X, Y)),
    "isnan": (lambda xp, x: xp.isnan(x / (x - x)), (X - X,)),
    "any": (lambda xp, x: xp.any(x > 0.9), (X,)),
    "zeros_like": (lambda xp, x: xp.zeros_like(x), (X,)),
    "ones_like": (lambda xp, x: xp.ones_like(x), (X,)),
    "astype": (lambda xp, x: xp.astype(x, xp.int64), (5 * X,)),
    "sum keeps float32": (lambda xp, x: xp.sum(x, axis=0, dtype=x.dtype), (X,)),
    "+ - * /": (lambda xp, x, y: (x + y) * x - y / x, (X, Y)),
    "numbers on the right": (lambda xp, x: (x + 1.5) * 2 - 0.25, (X,)),
    "numbers on the left": (lambda xp, x: 1.5 + 2 * (1 - x), (X,)),
    "division by and of numbers": (lambda xp, x: x / 3 + 1 / (x * x + 1), (X,)),
    "negation": (lambda xp, x: -x + +x * 2, (X,)),
    "powers": (lambda xp, x: x**2 + x**3 + (x * x) ** 0.5 + (x * x + 1) ** -1, (X,)),
    "powers of numbers": (lambda xp, x: 2.0**x, (X,)),
    "comparisons": (lambda xp, x, y: (x > y) & (x <= 0.5) | (x < -0.5) & (y >= 0.0), (X, Y)),
    "equality": (lambda xp, x: x == 3.0, (TIES,)),
    "broadcasting": (lambda xp, x, y: x * y, (X, Y[:, :1])),
    "@": (lambda xp, x, y: x[0, ...] @ xp.matrix_transpose(y[0, ...]), (X, Y)),
    "@ of stacks": (lambda xp, x, y: x @ xp.matrix_transpose(y), (X, Y)),
    "@ of a stack and a matrix": (lambda xp, x, y: x @ y[0, 0:2, ...].mT, (X, Y)),
    "@ of a vector": (lambda xp, x, y: x @ y[0, 0, ...], (X, Y)),
    "sum over three axes": (lambda xp, x: xp.sum(x, axis=(0, 1, 2)), (X,)),
    "sum keepdims over all axes": (lambda xp, x: xp.sum(x, axis=None, keepdims=True), (X,)),
    "sign of zeros": (lambda xp, x: xp.sign(x), (ZEROS,)),
    "maximum of NaN": (lambda xp, x, y: xp.maximum(x, y), (NAN, NAN[::-1].copy())),
    "minimum of NaN": (lambda xp, x, y: xp.minimum(x, y), (NAN, NAN[::-1].copy())),
    "max of NaN": (lambda xp, x: xp.max(x, axis=0), (NAN[:2],)),
    "min of NaN": (lambda xp, x: xp.min(x, axis=0), (NAN[:2],)),
    "empty arrays": (lambda xp, x: xp.sum(x[:, :0, :], axis=1), (X,)),
}
"""Calls whose results must equal NumPy's in values, shape and dtype."""


def array_checks() -> list[Check]:
    """Return every check of array operations."""
    found = [
        Check(name, "arrays", compare_with_numpy(call, arguments))
        for name, (call, arguments) in FUNCTIONS.items()
    ]
    found += [Check(name, "arrays", run) for name, run in EXTRAS.items()]
    found += [
        Check("writing in place", "arrays", check_in_place, frozenset({"in_place"})),
        Check("random numbers of its own", "arrays", check_own_random, frozenset({"random"})),
        Check("scatter of its own", "arrays", check_own_scatter, frozenset({"scatter_add"})),
        Check("indices beyond the end", "arrays", check_index_errors, frozenset({"index_errors"})),
        Check("scalar_like float64", "arrays", check_scalar_float64, frozenset({"float64"})),
        Check("exchange by DLPack", "arrays", check_dlpack, frozenset({"dlpack"})),
        Check("several devices", "arrays", check_devices, frozenset({"devices"})),
        Check("no kernel is dormant", "arrays", check_kernels),
    ]
    return found


def compare_with_numpy(call: Call, arguments: tuple[Any, ...]) -> Callable[[str], None]:
    """Return a check that compares the result of a call with NumPy's."""

    def run(name: str) -> None:
        library = get_backend(name)
        with np.errstate(all="ignore"):
            expected = np.asarray(call(np, *arguments))
            got = call(library.xp, *[library.from_numpy(x) for x in arguments])
        require_equal(library, got, expected)

    return run


def require_equal(
    library: ArrayBackend, got: Array, expected: HostArray, rtol: float = 1e-5
) -> None:
    """Check that an array of the library has the expected values, shape and dtype."""
    host = library.to_numpy(library.asarray(got))
    assert host.shape == expected.shape, f"shape {host.shape}, expected {expected.shape}"
    assert host.dtype == expected.dtype, f"dtype {host.dtype}, expected {expected.dtype}"
    np.testing.assert_allclose(host, expected, rtol, atol=1e-6)


def check_creation(name: str) -> None:
    """Check values, dtypes and devices of zeros, arange, asarray and scalar_like."""
    library = get_backend(name)
    x, n = library.from_numpy(X), library.from_numpy(np.arange(3))
    require_equal(library, library.zeros((2, 3), x), np.zeros((2, 3), "float32"))
    require_equal(library, library.zeros((2,), n), np.zeros(2, "int64"))
    for beside in (x, n, library.xp.astype(n, library.dtype("uint8"))):
        require_equal(library, library.arange(4, beside), np.arange(4))
    require_equal(library, library.asarray([1, 0, 2]), np.array([1, 0, 2]))
    require_equal(library, x + library.scalar_like(0.5, x), X + np.float32(0.5))
    require_equal(library, n * library.scalar_like(2, n), np.array([0, 2, 4]))
    for made in (library.zeros((1,), x), library.arange(2, x), library.scalar_like(1.0, x)):
        assert library.device(made) == library.device(x), "made on another device"
    for dtype in ("float32", "int64", "bool"):
        assert library.xp.astype(x, library.dtype(dtype)).dtype == library.dtype(dtype)


INDICES: dict[str, Any] = {
    "an integer": 1,
    "a negative integer": -1,
    "a slice": slice(1, None),
    "steps backwards": (Ellipsis, slice(None, None, -1)),
    "strides": (slice(None), slice(0, 3, 2)),
    "a new axis": (None, Ellipsis, 0),
    "rows, one twice": np.array([1, 0, 1]),
    "rows in two axes": np.array([[0, 1], [1, 1]]),
    "negative rows": np.array([-1, 0, -2]),
    "negative positions": (np.array([-1, 0, -2]), np.array([2, -3, -1])),
    "positions": (np.array([0, 1, 1]), np.array([2, 0, 0])),
    "a mask": X > 0.3,
}


def to_library(library: ArrayBackend, index: Any) -> Any:
    """Convert the NumPy arrays in an index to arrays of the library."""
    if isinstance(index, tuple):
        return tuple(to_library(library, part) for part in index)
    return library.from_numpy(index) if isinstance(index, np.ndarray) else index


def check_get_item(name: str) -> None:
    """Check that get_item returns what NumPy's indexing returns."""
    library = get_backend(name)
    for what, index in INDICES.items():
        got = library.get_item(library.from_numpy(X), to_library(library, index))
        try:
            require_equal(library, got, X[index])
        except AssertionError as error:
            raise AssertionError(f"get_item by {what}: {error}") from error


def check_scatter_add(name: str) -> None:
    """Check that scatter_add adds every value, also at duplicate indices."""
    library = get_backend(name)
    for what, index in INDICES.items():
        values = np.cos(np.arange(X[index].size)).reshape(X[index].shape).astype("float32")
        expected = X.copy()
        np.add.at(expected, index, values)
        x, v = library.from_numpy(X), library.from_numpy(values)
        try:
            require_equal(library, library.scatter_add(x, to_library(library, index), v), expected)
        except AssertionError as error:
            raise AssertionError(f"scatter_add at {what}: {error}") from error


def check_sum(name: str) -> None:
    """Check sums over axes, and sums that are accumulated in another dtype."""
    library = get_backend(name)
    x = library.from_numpy(X)
    for axis in (None, 0, (0, -1)):
        for keepdims in (False, True):
            got = library.asarray(library.sum(x, axis, keepdims))
            require_equal(library, got, np.sum(X, axis=axis, keepdims=keepdims))
    if "float64" in library.capabilities:
        got = library.sum(x, 0, False, library.dtype("float64"))
        require_equal(library, got, np.sum(X, axis=0, dtype="float64"))


def check_pad(name: str) -> None:
    """Check that pad adds the right number of values on each side."""
    library = get_backend(name)
    widths = ((0, 0), (1, 2), (3, 0))
    for value in (0.0, -2.5, float("-inf")):
        expected = np.pad(X, widths, constant_values=value)
        require_equal(library, library.pad(library.from_numpy(X), widths, value), expected)


def check_sliding_windows(name: str) -> None:
    """Check that sliding_windows returns every window, with stride and dilation."""
    library = get_backend(name)
    image = np.arange(60.0, dtype="float32").reshape(1, 6, 10)
    for kernel, stride, dilation in (
        ((2, 3), (1, 1), (1, 1)),
        ((2, 3), (2, 3), (1, 1)),
        ((2, 2), (1, 2), (3, 4)),
    ):
        reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
        windows = np.lib.stride_tricks.sliding_window_view(image, reach, (1, 2))
        windows = windows[:, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
        got = library.sliding_windows(library.from_numpy(image), kernel, stride, dilation)
        require_equal(library, got + 0, np.moveaxis(windows, (3, 4), (1, 2)))


def check_copies(name: str) -> None:
    """Check that copies and results are new arrays, and that is_view recognises slices."""
    library = get_backend(name)
    x, y = library.from_numpy(X), library.from_numpy(Y)
    for new in (library.copy(x), x + y):
        before = library.to_numpy(x)
        library.iadd(new, y)
        require_equal(library, x, before)
    require_equal(library, library.iadd(library.from_numpy(X), y), X + Y)
    if "in_place" in library.capabilities:
        part = x[:1, ...]
        if not library.is_view(part):
            part += y[:1, ...]
            require_equal(library, x, X)


NEW: dict[str, Callable[[ArrayBackend, Array], Array]] = {
    "zeros": lambda library, x: library.zeros((1, 3, 4), x),
    "zeros_like": lambda library, x: library.xp.zeros_like(x),
    "ones_like": lambda library, x: library.xp.ones_like(x),
    "full_like": lambda library, x: library.xp.full_like(x, 1.0),
    "from_numpy": lambda library, x: library.from_numpy(X),
    "copy": lambda library, x: library.copy(x),
    "astype": lambda library, x: library.xp.astype(x, x.dtype),
    "x + 0": lambda library, x: x + 0,
    "x * 1": lambda library, x: x * 1,
    "x / 1": lambda library, x: x / 1,
    "x - 0": lambda library, x: x - 0,
    "x ** 1": lambda library, x: x**1,
    "abs": lambda library, x: library.xp.abs(x),
    "maximum": lambda library, x: library.xp.maximum(x, x),
    "minimum": lambda library, x: library.xp.minimum(x, x),
    "logaddexp": lambda library, x: library.xp.logaddexp(x, x - float("inf")),
    "clip": lambda library, x: library.xp.clip(x, -9.0, 9.0),
    "where": lambda library, x: library.xp.where(x == x, x, x),
    "concat": lambda library, x: library.xp.concat([x], axis=0),
    "0 + x": lambda library, x: 0 + x,
    "1 * x": lambda library, x: 1 * x,
    "abs(x)": lambda library, x: abs(x),
    "0 - x": lambda library, x: 0 - x,
    "1 / x": lambda library, x: 1 / x,
    "x // 1": lambda library, x: x // 1,
    "x @ 1": lambda library, x: x @ library.from_numpy(np.eye(4, dtype="float32")),
    "floor": lambda library, x: library.xp.floor(x),
    "sum": lambda library, x: library.xp.sum(x, axis=0, keepdims=True),
    "backend.sum": lambda library, x: library.sum(x, 0, True),
    "max": lambda library, x: library.xp.max(x, axis=0, keepdims=True),
    "min": lambda library, x: library.xp.min(x, axis=0, keepdims=True),
    "roll": lambda library, x: library.xp.roll(x, 0, axis=0),
    "tril": lambda library, x: library.xp.tril(x, k=9),
    "triu": lambda library, x: library.xp.triu(x, k=-9),
    "take": lambda library, x: library.xp.take(x, library.arange(1, x), axis=0),
    "take_along_axis": lambda library, x: library.xp.take_along_axis(
        x, library.xp.zeros_like(x, dtype=library.dtype("int64")), axis=0
    ),
    "cumulative_sum": lambda library, x: library.xp.cumulative_sum(x, axis=0),
    "cumulative_prod": lambda library, x: library.xp.cumulative_prod(x, axis=0),
    "sin": lambda library, x: library.xp.sin(x),
    "tanh": lambda library, x: library.xp.tanh(x),
    "sqrt": lambda library, x: library.xp.sqrt(x),
    "sign": lambda library, x: library.xp.sign(x),
}
"""Functions whose results must not share memory with the argument or with other results."""


def check_new_arrays(name: str) -> None:
    """Check that the argument and two results of a function share no memory."""
    library = get_backend(name)
    hosts = (np.ones((1, 3, 4), "float32"), np.zeros((1, 3, 4), "float32"), abs(X[:1]))
    for what, host in product(NEW, hosts):
        x = library.from_numpy(host)
        with np.errstate(all="ignore"):
            first, second = NEW[what](library, x), NEW[what](library, x)
            expected: Any = NEW[what](get_backend("numpy"), host.copy())
        before = library.to_numpy(second)
        added = library.to_numpy(library.iadd(first, library.xp.ones_like(first)))
        assert added.shape == before.shape == expected.shape, f"{what}: shape {before.shape}"
        np.testing.assert_allclose(before, expected, 1e-5, err_msg=what)
        np.testing.assert_allclose(added, expected + 1, 1e-5, err_msg=f"iadd to {what}")
        assert np.array_equal(library.to_numpy(second), before, True), f"{what}: shared memory"
        assert np.array_equal(library.to_numpy(x), host), f"{what} returned its argument"


def check_uniform(name: str) -> None:
    """Check that each call of uniform draws new numbers from [0, 1), and a seed reproduces them."""
    library = get_backend(name)
    dtype = library.dtype("float32")
    runs = []
    for _ in range(2):
        seed(11)
        drawn = [library.to_numpy(library.uniform((50, 40), dtype)) for _ in range(2)]
        runs.append(drawn)
    a, b = runs[0]
    assert a.shape == (50, 40) and a.dtype == np.float32
    assert 0 <= a.min() and a.max() < 1, f"from {a.min()} to {a.max()}"
    assert a.min() > 0 and np.unique(a).size > 1900, "too few different numbers"
    for shape in ((), (1, 1), (0, 2)):
        assert library.uniform(shape, dtype).shape == shape
    assert abs(a.mean() - 0.5) < 0.03 and abs(a.var() - 1 / 12) < 0.01
    assert abs((a < 0.1).mean() - 0.1) < 0.03, "not uniform: too many or too few below 0.1"
    assert not np.array_equal(a, b), "two draws give the same numbers"
    assert np.array_equal(a, runs[1][0]) and np.array_equal(b, runs[1][1]), (
        "not reproduced by seed()"
    )
    seed(11)
    use_rank(1)
    try:
        c = library.to_numpy(library.uniform((50, 40), dtype))
    finally:
        use_rank(None)
    assert not np.array_equal(a, c), "equal on all ranks of a job; draw from rank_generator()"


def check_bernoulli(name: str) -> None:
    """Check dtype and frequency of random bools."""
    library = get_backend(name)
    x = library.zeros((50, 40), library.from_numpy(X))
    drawn = library.to_numpy(library.bernoulli(0.2, x))
    assert drawn.dtype == bool and drawn.shape == (50, 40)
    assert abs(drawn.mean() - 0.2) < 0.04, f"{drawn.mean()} of the values are True, expected 0.2"


def check_synchronize(name: str) -> None:
    """Check that synchronize can be called."""
    get_backend(name).synchronize()


EXTRAS: dict[str, Callable[[str], None]] = {
    "zeros, arange, asarray, scalar_like, dtype": check_creation,
    "get_item": check_get_item,
    "scatter_add": check_scatter_add,
    "pad": check_pad,
    "sum in a dtype": check_sum,
    "sliding_windows": check_sliding_windows,
    "copies and views": check_copies,
    "new arrays": check_new_arrays,
    "uniform": check_uniform,
    "bernoulli": check_bernoulli,
    "synchronize": check_synchronize,
}


def check_in_place(name: str) -> None:
    """Check that iadd and scatter_add write to their first argument and return it."""
    library = get_backend(name)
    x, y = library.from_numpy(X), library.from_numpy(Y)
    assert library.iadd(x, y) is x, "iadd returned another array"
    require_equal(library, x, X + Y)
    row = library.from_numpy(Y[0, 0])
    assert library.iadd(x, row) is x, "iadd with broadcasting returned another array"
    got = library.scatter_add(x, slice(0, 1), y[:1, ...])
    assert got is x, "scatter_add returned another array"


def check_own_random(name: str) -> None:
    """Check that the backend overrides uniform with its own generator."""
    assert type(get_backend(name)).uniform is not ArrayBackend.uniform
    check_uniform(name)


def check_own_scatter(name: str) -> None:
    """Check scatter_add with one index that occurs a hundred times."""
    library = get_backend(name)
    index, values = np.zeros(100, "int64"), np.ones((100, 3, 4), "float32")
    got = library.scatter_add(
        library.from_numpy(X), library.from_numpy(index), library.from_numpy(values)
    )
    expected = X.copy()
    expected[0] += 100
    require_equal(library, got, expected)


BEYOND: dict[str, Any] = {
    "a row": np.array([0, 2]),
    "a negative row": np.array([0, -3]),
    "positions": (np.array([0, 1]), np.array([2, 3])),
}
"""Indices that contain a position beyond the end of `X`."""


def check_index_errors(name: str) -> None:
    """Check that get_item and scatter_add raise an error for an index beyond the end."""
    library = get_backend(name)
    for what, index in BEYOND.items():
        beyond = to_library(library, index)
        calls: dict[str, Callable[[], Array]] = {
            "get_item": lambda i=beyond: library.get_item(library.from_numpy(X), i),  # type: ignore[misc]
            "scatter_add": lambda i=beyond: library.scatter_add(  # type: ignore[misc]
                library.from_numpy(X), i, library.from_numpy(np.ones((2, 3, 4), "float32"))
            ),
        }
        for function, call in calls.items():
            try:
                got = library.to_numpy(call())
            except (IndexError, RuntimeError, ValueError):
                continue
            raise AssertionError(f"{function} at {what} beyond the end: got {got}, not an error")


def check_scalar_float64(name: str) -> None:
    """Check that scalar_like does not round a number to float32 if the array is float64."""
    library = get_backend(name)
    x = library.from_numpy(np.zeros(2))
    got = library.to_numpy(x + library.scalar_like(0.1, x))
    assert got.dtype == np.float64 and got[0] == 0.1, f"got {got[0]:.17}, expected 0.1"


def check_dlpack(name: str) -> None:
    """Check that arrays keep their values when they are exchanged by DLPack."""
    library = get_backend(name)
    x = library.from_numpy(X)
    require_equal(library, library.xp.from_dlpack(x), X)
    if "accelerator" not in library.capabilities:
        assert np.array_equal(np.from_dlpack(x), X)


def check_kernels(name: str) -> None:
    """Check that an installed package defines the op of every kernel for this backend.

    If only dezero-core is installed, dormant kernels are allowed, because other packages define the
    ops of such kernels.
    """
    kernels = [kernel for kernel, _ in all_kernels() if kernel.backend == name]
    dormant = sorted(kernel.op for kernel in kernels if kernel.op not in ops)
    alone = all(op.portable.__module__.startswith("dezero_core.") for op in ops.values())
    assert alone or not dormant, f"no installed package defines {', '.join(dormant)}"


def check_devices(name: str) -> None:
    """Check that arrays stay on their device, through an op and its gradient."""
    library = get_backend(name)
    for device in library.devices():
        x = library.to_device(library.from_numpy(X), device)
        y = Variable(x)
        z = y * y + 1
        z.backward()
        assert y.grad is not None
        assert library.device(x) == library.device(z.data) == library.device(y.grad.data) == device
        assert library.device(library.zeros((2,), x)) == device
