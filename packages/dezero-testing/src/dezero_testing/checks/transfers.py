"""Check that transfers are explicit, keep the values, make copies, and are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero_core import Parameter, Variable
from dezero_core.backends.transfer import transfers
from dezero_core.errors import BackendMismatch
from dezero_core.extend import backend_of, get_backend
from dezero_core.functions import matmul, sum, where

from ..check import Check

X = np.sin(np.arange(6.0)).reshape(2, 3)


def transfer_checks() -> list[Check]:
    """Return every check of transfers."""
    return [Check(run.__name__.replace("_", " "), "transfers", run) for run in CHECKS]


def values_are_kept(name: str) -> None:
    """Check that a transfer to the backend and back keeps values, shapes and dtypes."""
    library = get_backend(name)
    dtypes = [
        "float32",
        "int64",
        "bool",
        *(["float64"] if "float64" in library.capabilities else []),
    ]
    for dtype in dtypes:
        for x in (X.astype(dtype), X[:0].astype(dtype), X.astype(dtype).T, np.array(1, dtype)):
            back = library.to_numpy(library.from_numpy(x))
            assert type(back) is np.ndarray, f"to_numpy gave {type(back).__name__}"
            assert back.dtype == x.dtype and back.shape == x.shape
            assert np.array_equal(back, x)
    special = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-40], "float32")
    back = library.to_numpy(library.from_numpy(special))
    assert back.tobytes() == special.tobytes(), f"{special} came back as {back}"


def both_ways_make_copies(name: str) -> None:
    """Check that writing to the original does not change the copy, and vice versa."""
    library = get_backend(name)
    host = X.astype("float32")
    x = library.from_numpy(host)
    host[...] = 7
    assert library.to_numpy(x)[0, 1] == X.astype("float32")[0, 1], "from_numpy shares memory"
    out = library.to_numpy(x)
    assert out.flags.writeable, "to_numpy gave an array that cannot be written to"
    out[...] = 9
    assert library.to_numpy(x)[0, 1] != 9, "to_numpy shares memory"


def arrays_are_recognised(name: str) -> None:
    """Check that `backend_of` recognises the results of the library's functions."""
    library = get_backend(name)
    x = library.from_numpy(X.astype("float32"))
    for y in (x, x + 1, library.xp.sum(x), x[0, ...], x > 0):
        assert backend_of(y) is library


def implicit_transfers_are_refused(name: str) -> None:
    """Check that mixing arrays of two libraries in one op raises an error, in either order."""
    if name == "numpy":
        return  # this check needs a second library
    library = get_backend(name)
    here, there = library.from_numpy(X), X.copy()
    calls: list[Callable[[Any, Any], Any]] = [
        lambda a, b: Variable(a) + Variable(b),
        lambda a, b: matmul(Variable(a), Variable(b.T if isinstance(b, np.ndarray) else b)),
        lambda a, b: where(a > 0, Variable(a), Variable(b)),
    ]
    for call in calls:
        for a, b in ((here, there), (there, here)):
            before = transfers.total()
            try:
                call(a, b)
            except BackendMismatch as error:
                assert "to_cpu" in str(error), "the error message does not name to_cpu"
            else:
                raise AssertionError("arrays of two libraries were mixed")
            assert transfers.total() == before


def explicit_transfers_are_counted(name: str) -> None:
    """Check that gradients move with their Variables, and that each copy is counted."""
    x = Variable(X.copy())
    sum(x * x).backward()
    before = transfers.copy()
    x.to(name)
    assert x.grad is not None
    assert backend_of(x.data) is backend_of(x.grad.data) is get_backend(name)
    x.to_cpu()
    moved = 0 if name == "numpy" else 2
    assert transfers["from_host"] - before["from_host"] == moved
    assert transfers["to_host"] - before["to_host"] == moved
    np.testing.assert_allclose(x.grad.data, 2 * X)


def gradients_stay_where_they_are(name: str) -> None:
    """Check that backward copies nothing to or from the host and accumulates in new arrays."""
    x = Parameter(get_backend(name).from_numpy(X.astype("float32")))
    before = transfers.total()
    first = None
    for times in (1, 2):
        sum(x * x + x).backward()
        assert x.grad is not None and backend_of(x.grad.data).name == name
        host = get_backend(name).to_numpy(x.grad.data)
        np.testing.assert_allclose(host, times * (2 * X + 1), rtol=1e-5)
        if first is not None:
            kept = get_backend(name).to_numpy(first)
            np.testing.assert_allclose(kept, 2 * X + 1, rtol=1e-5, err_msg="was written to")
        first = x.grad.data
    assert transfers.total() == before


CHECKS = [
    values_are_kept,
    both_ways_make_copies,
    arrays_are_recognised,
    implicit_transfers_are_refused,
    explicit_transfers_are_counted,
    gradients_stay_where_they_are,
]
