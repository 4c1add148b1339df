"""Test every op, layer and loss with every form of array that users may pass.

Each input is passed in every form of `FORMS`; value and gradient must equal the computation on
plain float64 arrays, to the precision of the dtype. If a dtype has no such result, the op may raise
an error; docs/adr/0015 lists these cases. The table is printed at the end of the run.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from tempfile import TemporaryFile
from traceback import extract_tb
from typing import Any

import numpy as np
import pytest

import dezero.functions as F
from dezero_core import Variable, seed
from dezero_core.errors import DezeroError, UnsupportedType
from dezero_core.extend import backend_of, get_backend
from dezero_nn.layers import Layer
from dezero_testing import OpCase, load_rows
from dezero_testing.checks.layers import LAYERS

Form = Callable[[Any], Any]

DTYPES = ("int8", "uint8", "int64", "bool", "float16", "float32", "float64", "longdouble")


def as_memmap(x: Any) -> Any:
    """Return ``x`` in a file, as `numpy.memmap`, unless it is empty."""
    if x.size == 0:
        return x
    with TemporaryFile() as file:
        mapped = np.memmap(file, x.dtype, "w+", shape=x.shape or (1,))
    mapped[...] = x
    return mapped.reshape(x.shape)


def read_only(x: Any) -> Any:
    """Return a read-only copy of ``x``."""
    x = x.copy()
    x.flags.writeable = False
    return x


def reversed_twice(x: Any) -> Any:
    """Return ``x`` with negative strides along every axis."""
    backwards = (slice(None, None, -1),) * x.ndim
    return x[backwards].copy()[backwards]


def stride_0(x: Any) -> Any:
    """Return one number broadcast to the shape of ``x``."""
    return np.broadcast_to(x.flat[0], x.shape) if x.size else x


def as_matrix(x: Any) -> Any:
    """Return ``x`` as `numpy.matrix`, which always has two axes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(x) if x.ndim == 2 else x


FORMS: dict[str, Form] = {
    **{dtype: lambda x, dtype=dtype: converted(x, dtype) for dtype in DTYPES},
    "big-endian float32": lambda x: x.astype(">f4"),
    "big-endian int32": lambda x: converted(x, "int64").astype(">i4"),
    "matrix": as_matrix,
    "memmap": as_memmap,
    "Fortran order": np.asfortranarray,
    "negative strides": reversed_twice,
    "read-only": read_only,
    "stride 0": stride_0,
}
PORTABLE = ("int8", "uint8", "int64", "bool", "float16", "float32", "float64")
"""The forms that also exist in libraries other than NumPy."""


def converted(x: Any, dtype: str) -> Any:
    """Return numbers that ``dtype`` can represent."""
    kind = np.dtype(dtype).kind
    if kind == "f":
        return x.astype(dtype)
    x = np.sign(x) * np.ceil(np.abs(x))
    return (x > 0 if kind == "b" else np.abs(x) if kind == "u" else x).astype(dtype)


def forms_of(backend: str) -> dict[str, Form]:
    """Return the forms that a backend's library has."""
    if backend == "numpy":
        return FORMS
    xp = get_backend(backend).xp
    return {name: FORMS[name] for name in PORTABLE if hasattr(xp, name)}


def test_each_form_has_the_property_it_is_named_for() -> None:
    x = np.linspace(-1.5, 1.5, 6).reshape(2, 3)
    for dtype in DTYPES:
        assert FORMS[dtype](x).dtype == dtype
    assert not FORMS["big-endian float32"](x).dtype.isnative
    assert isinstance(FORMS["matrix"](x), np.matrix)
    assert isinstance(FORMS["memmap"](x), np.memmap)
    assert FORMS["Fortran order"](x).flags.f_contiguous
    assert FORMS["negative strides"](x).strides == (-24, -8)
    assert FORMS["stride 0"](x).strides == (0, 0)
    assert not FORMS["read-only"](x).flags.writeable


# What is computed: a value, and the gradient of each input


def outcome(function: Callable[..., Any], inputs: list[Any], wanted: list[bool]) -> list[Any]:
    """Return value and gradients of ``function`` at arrays of one backend, on the host."""
    xs = [Variable(x, requires_grad=flag) for x, flag in zip(inputs, wanted, strict=True)]
    y = function(*xs)
    library = backend_of(y.data)
    found = [library.to_numpy(y.data)]
    if y.creator is None:
        return found
    v = np.rint(3 * np.cos(1.0 + np.arange(y.size))).reshape(y.shape)  # whole: for every dtype
    v = v.astype("int64" if found[0].dtype.kind in "iub" else found[0].dtype)
    y.grad = Variable(library.from_numpy(v))
    y.backward()
    for x, flag in zip(xs, wanted, strict=True):
        if flag:
            found.append(np.zeros(x.shape) if x.grad is None else library.to_numpy(x.grad.data))
            check_dtype(found[-1], np.asarray(library.to_numpy(x.data)), x.grad)
    return found


def check_dtype(gradient: Any, x: Any, grad: Any) -> None:
    """Raise an error unless the gradient of a floating leaf has the dtype of the leaf."""
    if grad is not None and x.dtype.kind == "f":
        assert gradient.dtype == x.dtype.newbyteorder("="), f"gradient is {gradient.dtype}"


def as_doubles(x: Any) -> Any:
    """Return the same numbers in a plain float64 array."""
    return np.array(np.asarray(x), dtype="float64", order="C")


def compare(got: list[Any], expected: list[Any], given: list[Any], numpys: Any) -> None:
    """Raise an error unless values are right in the least precise dtype, or equal NumPy's."""
    dtypes = [np.dtype("float64"), *(x.dtype for x in (*given, *got) if x.dtype.kind == "f")]
    limit = 32 * max([float(np.finfo(dtype).eps) for dtype in dtypes])
    for position, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert a.shape == b.shape
        scale = max(float(np.max(np.abs(b), initial=0.0)), 1.0)
        close = np.allclose(a.astype("float64"), b.astype("float64"), limit, limit * scale)
        if not close and position == 0 and numpys is not None:
            close = np.array_equal(a, numpys())  # which wrap
        what = f"gradient of input {position - 1}" if position else "value"
        assert close, f"{what} is {a}, expected {b}"


UNDEFINED = (
    "Only numeric dtypes are allowed",  # array-api-strict: no arithmetic of booleans,
    "Only real numeric dtypes are allowed",
    "promoted",  # array-api-strict: no integers with floating point
    "when x is integral",
    "negative integer powers",  # NumPy
    "out of bounds for uint8",  # NumPy, where a row multiplies by a negative number
    "within the bounds of the dtype",
)
"""Error messages of libraries for cases that neither NumPy nor the standard defines."""


def outcome_of(function: Callable[..., Any], wanted: list[bool]) -> Callable[..., list[Any]]:
    """Return a function of NumPy arrays that returns the `outcome`, cached for equal arrays."""
    known: dict[Any, list[Any]] = {}

    def of(inputs: list[Any]) -> list[Any]:
        key = tuple((x.shape, x.tobytes()) for x in inputs)
        if key not in known:
            known[key] = outcome(function, inputs, wanted)
        return known[key]

    return of


def attempt(case: OpCase, backend: str, form: Form, expected_at: Callable[..., list[Any]]) -> str:
    """Try one row in one form: "right", "refused", or "undefined" where NumPy refuses as well."""
    wanted = case.requires_grad()
    hosts = case.sample(case.shapes[0])
    given = [form(x) if flag else x for x, flag in zip(hosts, wanted, strict=True)]
    inputs = given if backend == "numpy" else [get_backend(backend).from_numpy(x) for x in given]
    before = [x.tobytes() for x in given]
    try:
        got = outcome(case.function, inputs, wanted)
    except REFUSALS as error:
        is_undefined = any(words in explained(error) for words in UNDEFINED)
        return "undefined" if is_undefined or refuses(lambda: case.reference(*given)) else "refused"
    assert before == [x.tobytes() for x in given], "an input was written to"
    doubles = [as_doubles(x) if flag else x for x, flag in zip(given, wanted, strict=True)]
    compare(got, expected_at(doubles), given, lambda: case.reference(*given))
    return "right"


REFUSALS = (DezeroError, TypeError, ValueError, OverflowError)


def explained(error: BaseException) -> str:
    """Return the messages of an error and its causes."""
    return f"{error} {explained(error.__cause__)}" if error.__cause__ else str(error)


def refuses(call: Callable[[], Any]) -> bool:
    """Return whether ``call`` raises one of `REFUSALS`."""
    try:
        call()
    except REFUSALS:
        return True
    return False


CASES = [*load_rows("core"), *load_rows("nn")]


@pytest.mark.parametrize("op", sorted({case.op for case in CASES}))
@pytest.mark.parametrize(
    "backends", [("numpy",), pytest.param(("strict", "cuda"), marks=pytest.mark.slow)]
)
@pytest.mark.filterwarnings("ignore:.*matrix:PendingDeprecationWarning", "ignore::RuntimeWarning")
def test_op(op: str, backends: tuple[str, ...], report: Any) -> None:
    counts: Counter[str] = Counter()
    for case in (case for case in CASES if case.op == op):
        expected_at = outcome_of(case.function, case.requires_grad())
        for backend in backends:
            for name, form in forms_of(backend).items():
                try:
                    counts[attempt(case, backend, form, expected_at)] += 1
                except AssertionError as error:
                    raise AssertionError(f"{case.name} on {backend}, {name}: {error}") from error
    cells = " ".join(f"{counts[key]:4}" for key in ("right", "refused", "undefined"))
    report(
        "strangers' arrays: right, refused, undefined in NumPy or the standard", f"{op:30}", cells
    )
    assert 10 * counts["refused"] <= counts.total() - counts["undefined"]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.filterwarnings("ignore:.*matrix:PendingDeprecationWarning", "ignore::RuntimeWarning")
def test_layer(name: str, report: Any) -> None:
    """A float32 layer returns the same for every form, and its parameters stay float32."""
    make, host = LAYERS[name]

    def run(layer: Layer, x: Any) -> list[Any]:
        found = outcome(layer, [x], [x.dtype.kind in "fiub" and host.dtype.kind == "f"])
        for key, p in layer.named_params().items():
            assert p.dtype == "float32", f"{key} is {p.dtype}"
            found.append(p.data if p.grad is None else p.grad.data)
        return found

    known: dict[Any, list[Any]] = {}
    for form_name, form in FORMS.items():
        x = form(host.astype("float64")) if host.dtype.kind == "f" else host
        doubles = as_doubles(x) if host.dtype.kind == "f" else host
        key = doubles.shape, doubles.tobytes()
        if key not in known:
            seed(7)
            known[key] = run(make(), doubles)
        seed(7)
        try:
            compare(run(make(), x), known[key], [x, np.zeros(0, "float32")], None)
        except AssertionError as error:
            raise AssertionError(f"{form_name}: {error}") from error
    report("strangers' arrays: layers", f"{name:30}", f"{len(FORMS)} forms, float32 throughout")


MASKED = np.ma.masked_array([1.0, 2.0], [False, True])
REFUSED = {
    "masked": (MASKED, r"the mask would be lost; fill it first with x\.filled\(value\)"),
    "complex": (np.ones(2, "complex64"), "complex64 are not supported.*real and imaginary parts"),
    "strings": (np.array(["a", "b"]), "expected booleans, integers or real numbers"),
    "objects": (np.array([1.0, None]), "object are not supported"),
    "dates": (np.zeros(2, "datetime64[s]"), "datetime64.* are not supported"),
    "records": (np.zeros(2, [("x", "f4")]), "expected booleans, integers or real numbers"),
}
DOORS: dict[str, Callable[[Any], Any]] = {
    "Variable": Variable,
    "an op of one": F.exp,
    "an op of two": lambda x: Variable(np.ones(2)) * x,
    "an op of several": lambda x: F.concat([x, x, x]),
    "a loss": lambda x: F.mean_squared_error(x, np.ones(2)),
    "astype": lambda x: F.astype(x, "float32"),
}


@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize("door", DOORS)
def test_objects_other_than_arrays_of_real_numbers_are_refused(form: str, door: str) -> None:
    array, message = REFUSED[form]
    with pytest.raises(UnsupportedType, match=message):
        DOORS[door](array)


def test_an_input_that_is_none_is_omitted_or_refused() -> None:
    """Replace each input of each op by None: the op returns a result or raises a `DezeroError`."""
    for case in {case.op: case for p in ("core", "nn") for case in reversed(load_rows(p))}.values():
        hosts = case.sample(case.shapes[0])
        for position in range(len(hosts)):
            inputs = [None if p == position else Variable(x) for p, x in enumerate(hosts)]
            try:
                y = case.function(*inputs)
            except DezeroError:
                continue
            except (TypeError, AttributeError) as error:
                where = extract_tb(error.__traceback__)[-1].filename
                assert "rows" in where, f"{case.name}, input {position}: {error}"
                continue
            assert y.dtype != object, f"{case.name}, input {position}"
