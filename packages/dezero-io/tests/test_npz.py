"""npz files: there and back, whole or not at all, and what is refused."""

import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core import Buffer, Parameter
from dezero_core.errors import FormatError, SaveError
from dezero_core.extend import Stored, get_backend, named_params
from dezero_io import flatten_params, load_weights, npz, save_weights


def tree(value: float = 1.0) -> dict[str, Any]:
    return {
        "l1": {"W": Parameter(np.full((2, 3), value, "float32")), "b": Parameter(np.zeros(3))},
        "stats": [Buffer(np.array(value))],
    }


def contents(model: Any) -> dict[str, bytes]:
    return {key: x.data.tobytes() for key, x in named_params(model).items()}


def test_flatten_params() -> None:
    model = tree()
    flat = flatten_params(model)
    assert list(flat) == ["l1/W", "l1/b", "stats/0"]
    assert flat["l1/W"] is model["l1"]["W"]
    assert list(flatten_params(model["l1"], "net")) == ["net/W", "net/b"]


def test_there_and_back(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "m.npz"
    model = tree(3.0)
    for x in named_params(model).values():
        x.to(backend)
    save_weights(model, path)
    other = tree(0.0)
    load_weights(other, path)
    assert contents(other) == contents(tree(3.0))
    assert get_backend(backend).to_numpy(model["l1"]["W"].data)[0, 0] == 3.0


def test_a_name_without_suffix_gets_one_both_ways(tmp_path: Path) -> None:
    save_weights(tree(2.0), tmp_path / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    other = tree(0.0)
    load_weights(other, tmp_path / "model")
    assert contents(other) == contents(tree(2.0))


def test_plain_numpy_reads_the_file(tmp_path: Path) -> None:
    save_weights(tree(2.0), tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        assert set(arrays) == {"__dezero__", "l1/W", "l1/b", "stats/0"}
        assert arrays["l1/W"].shape == (2, 3)
        manifest = json.loads(arrays["__dezero__"].tobytes())
    assert manifest["format"] == 1
    assert manifest["kinds"] == {"l1/W": "param", "l1/b": "param", "stats/0": "buffer"}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_the_book_load(tmp_path: Path, save: Any) -> None:
    arrays = {key: x.data for key, x in named_params(tree(5.0)).items()}
    save(tmp_path / "book.npz", **arrays)
    other = tree(0.0)
    load_weights(other, tmp_path / "book.npz")
    assert contents(other) == contents(tree(5.0))


@settings(max_examples=50)
@given(
    arrays=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
            lambda key: key != npz.MANIFEST  # refused, which another test says
        ),
        hnp.arrays(
            st.sampled_from(["float16", "float32", "float64", "int8", "int64", "bool", ">f4"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        ),
        max_size=4,
    )
)
def test_every_number_and_name_survives(tmp_path_factory: Any, arrays: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("npz") / "m.npz"
    npz.write(path, Stored(arrays, dict.fromkeys(arrays, "param")))
    found = npz.read(path).arrays
    assert list(found) == list(arrays)
    for key, array in arrays.items():
        assert found[key].shape == array.shape
        assert found[key].dtype == array.dtype.newbyteorder("=")
        assert found[key].astype(array.dtype).tobytes() == array.tobytes()


def test_names_that_trap_savez_are_kept(tmp_path: Path) -> None:
    model = {name: Parameter(np.ones(1)) for name in ("file", "allow_pickle", "w", "w.npy")}
    save_weights(model, tmp_path / "m.npz")
    model["w"].data = np.zeros(1)
    load_weights(model, tmp_path / "m.npz")
    assert all(p.data[0] == 1.0 for p in model.values())


def test_equal_weights_give_equal_files(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_weights(tree(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"x": np.array(["a"])}, "'x' holds <U1"),
        ({"x": np.array([None])}, "'x' holds object"),
        ({"": np.ones(1)}, "cannot be the key"),
        ({"__dezero__": np.ones(1)}, "cannot be the key"),
    ],
)
def test_what_cannot_be_stored(tmp_path: Path, stored: Any, message: str) -> None:
    with pytest.raises(SaveError, match=message):
        npz.write(tmp_path / "m.npz", Stored(stored))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "m.npz"
    save_weights(tree(1.0), path)
    before = path.read_bytes()
    for function in ("fsync", "replace"):

        def fail(*arguments: Any) -> None:
            raise OSError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(os, function, fail)
            with pytest.raises(OSError, match="the disk is full"):
                save_weights(tree(2.0), path)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]
    with pytest.raises(FileNotFoundError):
        save_weights(tree(), tmp_path / "no such folder" / "m.npz")


def test_the_order_of_calls_that_a_crash_needs(tmp_path: Path, monkeypatch: Any) -> None:
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)

        def record(*arguments: Any, name: str = name, real: Any = real) -> Any:
            calls.append(name)
            return real(*arguments)

        monkeypatch.setattr(os, name, record)
    save_weights(tree(), tmp_path / "m.npz")
    assert calls == ["fsync", "replace", "fsync"]


def test_links_and_permissions_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.npz", tmp_path / "link.npz"
    save_weights(tree(1.0), real)
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~mask
    real.chmod(0o640)
    link.symlink_to(real)
    save_weights(tree(2.0), link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    other = tree(0.0)
    load_weights(other, real)
    assert contents(other) == contents(tree(2.0))


def damaged(path: Path) -> dict[str, bytes]:
    """Files that are no weights, by what is wrong with them."""
    save_weights(tree(), path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(np.full(6, 1.0, "float32").tobytes()) + 2] ^= 1
    np.save(path, np.ones(2))
    single = path.with_suffix(".npz.npy").read_bytes()
    path.with_suffix(".npz.npy").unlink()
    np.savez(path, x=np.array([{"code": 1}], dtype=object))
    pickled = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    text_inside = path.read_bytes()
    manifest = json.dumps({"format": 2, "kinds": {}}).encode()
    np.savez(path, __dezero__=np.frombuffer(manifest, np.uint8))
    newer = path.read_bytes()
    np.savez(path, __dezero__=np.frombuffer(b"{", np.uint8))
    broken_manifest = path.read_bytes()
    manifest = json.dumps({"format": 1, "kinds": {"gone": "param"}}).encode()
    np.savez(path, __dezero__=np.frombuffer(manifest, np.uint8))
    lost_key = path.read_bytes()
    return {
        "is empty": b"",
        "is cut off, damaged, or no npz": whole[: len(whole) // 2],
        "damaged, or no npz": b"these are words",
        "'l1/W' is damaged": bytes(flipped),
        "is a single array": single,
        "'x' is damaged or no plain array": pickled,
        "'readme.txt' is no array": text_inside,
        "written by format 2; this version reads 1": newer,
        "the manifest is damaged": broken_manifest,
        "list different keys": lost_key,
    }


def test_damaged_files_are_named_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    model = tree(7.0)
    before = contents(model)
    for message, content in damaged(path).items():
        path.write_bytes(content)
        with pytest.raises(FormatError, match=message) as caught:
            load_weights(model, path)
        assert "m.npz" in str(caught.value)
        assert isinstance(caught.value, ValueError)
        assert contents(model) == before


def test_folders_and_pipes_answer_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    for name in ("folder.npz", "pipe.npz"):
        with pytest.raises(FormatError, match="not a regular file"):
            load_weights({}, tmp_path / name)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    save_weights(tree(), path)
    whole = path.read_bytes()
    model = tree(7.0)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError):
            load_weights(model, path)
    assert contents(model) == contents(tree(7.0))
