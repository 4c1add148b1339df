"""Test that an array is refused if a C function would not expect its layout."""

import ctypes
from typing import Any

import numpy as np
import pytest

from dezero_core.errors import ShapeError, UnsupportedType
from dezero_onednn.pointers import address_of, has_layout
from dezero_testing.layouts import misaligned, read_only

SHAPE = (2, 3)
PLAIN = np.arange(6, dtype="float32").reshape(SHAPE)


WRONG = {
    "byte-swapped": (PLAIN.astype(">f4"), "got >f4"),
    "misaligned": (misaligned(PLAIN), "misaligned"),
    "strided": (np.repeat(PLAIN, 2, axis=1)[:, ::2], r"strides \(24, 8\)"),
    "reversed": (PLAIN[::-1], r"strides \(-12, 4\)"),
    "Fortran order": (np.asfortranarray(PLAIN), r"strides \(4, 8\)"),
    "broadcast": (np.broadcast_to(PLAIN[0], SHAPE), r"strides \(0, 4\)"),
    "read-only": (read_only(PLAIN), "read-only"),
    "another dtype": (PLAIN.astype("float64"), "got <f8"),
    "integers of that size": (PLAIN.astype("int32"), "got <i4"),
    "transposed": (PLAIN.T.copy(), r"\(3, 2\)"),
    "one axis more": (PLAIN[None], r"\(1, 2, 3\)"),
    "without axes": (np.array(1, "float32"), r"\(\)"),
    "empty": (PLAIN[:0], r"\(0, 3\)"),
    "too short": (PLAIN[:1], r"\(1, 3\)"),
}


@pytest.mark.parametrize(("x", "message"), WRONG.values(), ids=WRONG)
def test_an_array_that_c_does_not_expect_is_refused(x: Any, message: str) -> None:
    assert not has_layout(x, "float32", SHAPE, writable=True)
    error = UnsupportedType if x.shape == SHAPE else ShapeError
    with pytest.raises(error, match=message):
        address_of(x, "float32", SHAPE, writable=True)


def test_the_address_is_that_of_the_first_element() -> None:
    assert has_layout(PLAIN, "float32", SHAPE, writable=True)
    assert has_layout(read_only(PLAIN), "float32", SHAPE)
    assert ctypes.c_float.from_address(address_of(PLAIN[1:], "float32", (1, 3))).value == 3.0
    for shape in ((), (0, 3)):
        address_of(np.zeros(shape, "float32"), "float32", shape)
