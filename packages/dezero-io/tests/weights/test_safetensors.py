"""Test saving and loading safetensors files, and files that are refused."""

import json
import os
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core import Buffer, Parameter
from dezero_core.errors import FormatError, LimitError, MissingPackage, SaveError, ShapeMismatch
from dezero_core.extend import Limits, Stored
from dezero_core.state import load_weights, named_params, save_weights
from dezero_io.weights import safetensors

package = pytest.importorskip("safetensors.numpy", reason="the extra dezero-io[safetensors]")


def tree(value: float = 1.0) -> dict[str, Any]:
    return {
        "l1": {"W": Parameter(np.full((2, 3), value, "float32")), "b": Parameter(np.zeros(3))},
        "stats": [Buffer(np.array(value))],
    }


def contents(model: Any) -> dict[str, bytes]:
    return {key: x.data.tobytes() for key, x in named_params(model).items()}


def test_the_library_reads_what_save_weights_wrote(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_weights(tree(2.0), path, metadata={"epoch": "3"})
    other = tree(0.0)
    report = load_weights(other, path)
    assert contents(other) == contents(tree(2.0))
    assert report.metadata == {"epoch": "3"}
    theirs = package.load_file(path)
    assert theirs["l1/W"].tolist() == [[2.0] * 3] * 2


def test_files_of_the_library_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    arrays = {key: x.data for key, x in named_params(tree(5.0)).items()}
    package.save_file(arrays, path, metadata={"format": "np"})
    other = tree(0.0)
    assert load_weights(other, path).metadata == {"format": "np"}
    assert contents(other) == contents(tree(5.0))


@settings(max_examples=50)
@given(
    arrays=st.dictionaries(
        st.text("ab/.ü日 ", min_size=1, max_size=5).filter(
            lambda key: key[0] != "/" and ".." not in key.split("/")
        ),
        hnp.arrays(
            st.sampled_from(["float16", "float32", "float64", "int8", "uint64", "bool", ">f4"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        ),
        max_size=4,
    )
)
def test_every_number_and_name_survives(tmp_path_factory: Any, arrays: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("st") / "m.safetensors"
    safetensors.write(path, Stored(arrays, dict.fromkeys(arrays, "param")))
    found = safetensors.read(path, Limits()).arrays
    assert list(found) == list(arrays)
    for key, array in arrays.items():
        assert (found[key].shape, found[key].dtype.name) == (array.shape, array.dtype.name)
        assert found[key].astype(array.dtype).tobytes() == array.tobytes()


def raw(header: dict[str, Any], data: bytes) -> bytes:
    """Return a file with any header."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype: str, shape: list[int], end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}


def test_bfloat16_is_read_as_float32_exactly(tmp_path: Path) -> None:
    numbers = np.array([1.0, -2.5, 3.1415927, np.inf, -0.0], "<f4")
    halves = (numbers.view("<u4") >> 16).astype("<u2")
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw({"w": entry("BF16", [5], 10)}, halves.tobytes()))
    found = safetensors.read(path, Limits()).arrays["w"]
    assert found.dtype == np.float32
    assert np.array_equal(found.view("u4"), numbers.view("u4") >> 16 << 16)


def refused(path: Path) -> dict[str, bytes]:
    """Return damaged files, by the message of their error."""
    save_weights(tree(), path)
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[-1] ^= 1
    twice = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":' + (
        b'{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    )
    return {
        "is empty": b"",
        "cut off, damaged, or no": whole[:-1],
        "cut off, damaged": b"words",
        "no .safetensors file": struct.pack("<Q", 1 << 60) + b"{}",
        "its SHA-256 differs": bytes(changed),
        "occurs twice": struct.pack("<Q", len(twice)) + twice + bytes(4),
        "damaged, or no .safetensors": raw({"w": entry("F32", [2], 4)}, bytes(4)),
        "unsafe key '../w'": raw({"../w": entry("F32", [1], 4)}, bytes(4)),
        "'w' holds F8_E4M3, which NumPy lacks; convert": raw(
            {"w": entry("F8_E4M3", [4], 4)}, bytes(4)
        ),
        "the manifest is damaged": raw(
            {"w": entry("F32", [1], 4), "__metadata__": {"dezero": "{}"}}, bytes(4)
        ),
    }


def test_damaged_files_are_named_and_change_nothing(tmp_path: Path) -> None:
    path, model = tmp_path / "m.safetensors", tree(7.0)
    for message, content in refused(path).items():
        path.write_bytes(content)
        with pytest.raises(FormatError, match=message) as caught:
            load_weights(model, path)
        assert "m.safetensors" in str(caught.value)
        assert contents(model) == contents(tree(7.0))


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_every_bit_of_a_file_counts(tmp_path: Path, step: int) -> None:
    """The library's own reader accepts most changed files."""
    path, model = tmp_path / "m.safetensors", {"w": Parameter(np.ones(3, "float32"))}
    save_weights(model, path, metadata={"name": "x"})
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), step):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            stored = safetensors.read(path, Limits())
        except FormatError:
            continue
        assert list(stored.arrays) == ["w"] and stored.metadata == {"name": "x"}
        assert stored.arrays["w"].tobytes() == model["w"].data.tobytes()


def test_limits_and_what_cannot_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    monkeypatch.setattr(safetensors, "MAX_HEADER", 1000)
    save_weights({"w": Parameter(np.ones(1000))}, path)
    with pytest.raises(LimitError, match="pass max_bytes="):
        load_weights({"w": Parameter(np.ones(1000))}, path, max_bytes=4000)
    complex_numbers = Parameter(None)
    complex_numbers.data = np.ones(1, "complex64")
    for model, options, message in [
        (tree(), {"compress": True}, "never compressed"),
        (tree(), {"metadata": {"dezero": "x"}}, "may not have the names 'dezero'"),
        ({"w": complex_numbers}, {}, "have no complex numbers"),
    ]:
        with pytest.raises(SaveError, match=message):
            save_weights(model, path, **options)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(FormatError, match="not a regular file"):
        load_weights(tree(), tmp_path / "folder.safetensors")


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(MissingPackage, match=r"pip install 'dezero-io\[safetensors\]'"):
        save_weights(tree(), tmp_path / "m.safetensors")


@pytest.mark.parametrize("code", ["F32", "BF16"])
def test_a_file_that_does_not_fit_is_refused_by_its_header(tmp_path: Path, code: str) -> None:
    """The 2**27 elements, a hole in a sparse file, are not read."""
    path, width = tmp_path / "m.safetensors", 2 if code == "BF16" else 4
    header = raw({"b": entry(code, [1 << 27], width << 27)}, b"")
    path.write_bytes(header)
    os.truncate(path, len(header) + (width << 27))
    tracemalloc.start()
    try:
        with pytest.raises(ShapeMismatch, match=r"model \(3,\), file \(134217728,\)"):
            load_weights({"b": Parameter(np.zeros(3, "float32"))}, path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_headers_have_the_shapes_and_dtypes_of_the_arrays(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_weights(tree(), path, metadata={"note": "x"})
    outlines, stored = safetensors.headers(path, Limits()), safetensors.read(path, Limits())
    assert (outlines.kinds, outlines.metadata) == (stored.kinds, stored.metadata)
    assert [(key, x.shape, x.dtype) for key, x in outlines.arrays.items()] == [
        (key, x.shape, x.dtype) for key, x in stored.arrays.items()
    ]
