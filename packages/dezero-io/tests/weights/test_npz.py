"""Test saving and loading npz files, failing saves, and files that are refused."""

import errno
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tracemalloc
import weakref
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core import Buffer, Parameter, weights
from dezero_core.errors import (
    DtypeMismatch,
    FormatError,
    LimitError,
    SaveError,
    ShapeMismatch,
    WeightsError,
)
from dezero_core.extend import Limits, Stored, get_backend
from dezero_core.state import named_params
from dezero_io import (
    flatten_params,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from dezero_io.weights import files, manifest, npz, progress


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


def test_a_name_without_suffix_gets_one_when_saving_and_loading(tmp_path: Path) -> None:
    save_weights(tree(2.0), tmp_path / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["model.npz"]
    other = tree(0.0)
    load_weights(other, tmp_path / "model")
    assert contents(other) == contents(tree(2.0))


def test_entries_of_folders_are_skipped(tmp_path: Path) -> None:
    """``zip -r`` adds an entry for each folder."""
    save_weights(tree(1.0), tmp_path / "w.npz")
    with zipfile.ZipFile(tmp_path / "w.npz", "a") as archive:
        archive.mkdir("l0")
    assert load_weights(tree(2.0), tmp_path / "w.npz").loaded == ("l1/W", "l1/b", "stats/0")


def test_numpy_reads_the_file(tmp_path: Path) -> None:
    save_weights(tree(2.0), tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as arrays:
        assert set(arrays) == {"__dezero__", "l1/W", "l1/b", "stats/0"}
        assert arrays["l1/W"].shape == (2, 3)
        content = json.loads(arrays["__dezero__"].tobytes())
    assert content["format"] == 1
    entries = content["arrays"]
    assert {key: entry["kind"] for key, entry in entries.items()} == {
        "l1/W": "param", "l1/b": "param", "stats/0": "buffer"
    }  # fmt: skip
    whole = np.full((2, 3), 2.0, "float32")
    assert entries["l1/W"]["sha256"] == hashlib.sha256(whole.tobytes()).hexdigest()
    assert (entries["l1/W"]["shape"], entries["l1/W"]["dtype"]) == ([2, 3], "float32")
    assert content["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_the_book_can_be_loaded(tmp_path: Path, save: Any) -> None:
    arrays = {key: x.data for key, x in named_params(tree(5.0)).items()}
    save(tmp_path / "book.npz", **arrays)
    other = tree(0.0)
    load_weights(other, tmp_path / "book.npz")
    assert contents(other) == contents(tree(5.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one folder for the files of all examples, because creating a folder takes time."""
    return tmp_path_factory.mktemp("examples")


@settings(max_examples=50)
@given(
    arrays=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(
            lambda key: key not in (manifest.NAME, "..")  # refused: see another test
        ),
        hnp.arrays(
            st.sampled_from(["float16", "float32", "float64", "int8", "int64", "bool", ">f4"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        ),
        max_size=4,
    ),
    compress=st.booleans(),
)
def test_every_number_and_name_survives(
    folder: Path, arrays: dict[str, Any], compress: bool
) -> None:
    path = folder / "m.npz"
    npz.write(path, Stored(arrays, dict.fromkeys(arrays, "param"), compress=compress))
    found = npz.read(path, Limits(verify=True)).arrays
    assert list(found) == list(arrays)
    for key, array in arrays.items():
        assert found[key].shape == array.shape
        assert found[key].dtype == array.dtype.newbyteorder("=")
        assert found[key].astype(array.dtype).tobytes() == array.tobytes()


bits = hnp.arrays(  # every pattern: payloads of nan, -0.0, subnormals
    st.sampled_from(["<u2", "<u4", "<u8", ">u4", ">u8"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=2),
).map(lambda x: x.view(x.dtype.str.replace("u", "f")))
names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=4)
leaves = st.tuples(bits, st.booleans()).map(
    lambda pair: Parameter(np.asfortranarray(pair[0]) if pair[1] else pair[0])
)
trees = st.recursive(
    st.dictionaries(names.filter(lambda name: name not in (manifest.NAME, "..")), leaves),
    lambda inner: (
        st.dictionaries(names.filter(lambda name: name != ".."), inner, max_size=3)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(max_examples=60)
@given(model=trees, compress=st.booleans())
def test_every_tree_is_loaded_bit_for_bit(folder: Path, model: Any, compress: bool) -> None:
    path = folder / "m.npz"
    named = named_params(model)
    before = {key: x.data for key, x in named.items()}
    save_weights(model, path, compress=compress)
    for x in named.values():
        x.data = np.zeros_like(x.data, x.data.dtype.newbyteorder("="))
    load_weights(model, path, verify=True)
    for key, x in named.items():
        native = before[key].astype(before[key].dtype.newbyteorder("="), order="C")
        assert x.data.tobytes() == native.tobytes() and x.shape == native.shape


@pytest.mark.parametrize("compress", [False, True])
def test_arrays_larger_than_one_chunk(tmp_path: Path, compress: bool) -> None:
    """The array is larger than what is read with the header, and than a chunk."""
    arrays = {str(n): np.random.default_rng(n).normal(size=n) for n in (507, 508, 509, 300_000)}
    npz.write(tmp_path / "m.npz", Stored(arrays, compress=compress))
    found = npz.read(tmp_path / "m.npz", Limits(verify=True)).arrays
    assert all(np.array_equal(found[key], array) for key, array in arrays.items())


def test_names_of_arguments_of_savez_are_valid_keys(tmp_path: Path) -> None:
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
        ({"../x": np.ones(1)}, "cannot be the key"),
        ({"/x": np.ones(1)}, "cannot be the key"),
        ({"x\0y": np.ones(1)}, "cannot be the key"),
        ({"x" * 70_000: np.ones(1)}, "cannot be the key"),
        ({"\udc80": np.ones(1)}, "cannot be the key"),
    ],
)
def test_keys_and_dtypes_that_cannot_be_stored_are_refused(
    tmp_path: Path, stored: Any, message: str
) -> None:
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


def test_the_file_is_synced_before_it_is_renamed(tmp_path: Path, monkeypatch: Any) -> None:
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
    """Return damaged files, by the message of their error."""
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
    later = json.dumps({"format": 2, "arrays": {}}).encode()
    np.savez(path, __dezero__=np.frombuffer(later, np.uint8))
    newer = path.read_bytes()
    np.savez(path, __dezero__=np.frombuffer(b"{", np.uint8))
    broken_manifest = path.read_bytes()
    entry = {"kind": "param", "shape": [], "dtype": "float64", "sha256": ""}
    content = {"format": 1, "arrays": {"gone": entry}, "metadata": {}, "versions": {}}
    np.savez(path, __dezero__=np.frombuffer(json.dumps(content).encode(), np.uint8))
    lost_key = path.read_bytes()
    return {
        "is empty": b"",
        "is cut off, damaged, or no npz": whole[: len(whole) // 2],
        "damaged, or no npz": b"these are words",
        "'l1/W' is damaged": bytes(flipped),
        "is a single array": single,
        "'x' holds Python objects, which are never read": pickled,
        "'readme.txt' is not an array": text_inside,
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


def test_headers_are_parsed_again_if_another_thread_disturbed_ast(
    tmp_path: Path, monkeypatch: Any
) -> None:
    save_weights([Parameter(np.arange(3.0))], tmp_path / "w.npz")
    read, failures = np.lib.format.read_array_header_1_0, [SystemError("AST"), SystemError("AST")]

    def disturbed(*args: Any, **settings: Any) -> Any:
        if failures:
            raise failures.pop()
        return read(*args, **settings)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", disturbed)
    loaded = [Parameter(np.zeros(3))]
    load_weights(loaded, tmp_path / "w.npz")
    assert loaded[0].data.tolist() == [0, 1, 2] and not failures


def test_folders_and_pipes_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    os.mkfifo(tmp_path / "pipe.npz")
    for name in ("folder.npz", "pipe.npz"):
        with pytest.raises(FormatError, match="not a regular file"):
            load_weights({}, tmp_path / name)


def test_every_truncation_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    save_weights(tree(), path)
    whole = path.read_bytes()
    model = tree(7.0)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FormatError):
            load_weights(model, path)
    assert contents(model) == contents(tree(7.0))


def test_a_load_that_is_not_strict_reports_differences(tmp_path: Path) -> None:
    save_weights(tree(2.0), tmp_path / "m.npz", metadata={"epoch": "3"})
    fewer = {"l1": {"W": Parameter(np.zeros((2, 3), "float32"))}, "new": Parameter(np.zeros(1))}
    report = load_weights(fewer, tmp_path / "m.npz", strict=False)
    assert report.loaded == ("l1/W",)
    assert report.missing == ("new",)
    assert report.unexpected == ("l1/b", "stats/0")
    assert report.metadata == {"epoch": "3"}
    assert fewer["l1"]["W"].data[0, 0] == 2.0 and fewer["new"].data[0] == 0.0


def test_dtypes_are_converted_only_on_request(tmp_path: Path) -> None:
    save_weights({"w": Parameter(np.array([1.5, 2.5]))}, tmp_path / "m.npz")
    model = {"w": Parameter(np.zeros(2, "float32"))}
    for cast in (None, "safe"):
        with pytest.raises(DtypeMismatch, match="'w': model float32, file float64"):
            load_weights(model, tmp_path / "m.npz", cast=cast)
    load_weights(model, tmp_path / "m.npz", cast="same_kind")
    assert model["w"].dtype == np.float32 and list(model["w"].data) == [1.5, 2.5]


def test_nan_and_infinity_are_refused_on_request(tmp_path: Path) -> None:
    save_weights({"w": Parameter(np.array([1.0, np.inf, np.nan]))}, tmp_path / "m.npz")
    model = {"w": Parameter(np.zeros(3))}
    with pytest.raises(WeightsError, match="'w': 2 of 3 values are not finite"):
        load_weights(model, tmp_path / "m.npz", allow_nonfinite=False)
    assert not model["w"].data.any()
    load_weights(model, tmp_path / "m.npz")
    assert np.isnan(model["w"].data[2])


def test_the_limit_on_bytes(tmp_path: Path) -> None:
    model = {"w": Parameter(np.zeros(1000))}
    save_weights(model, tmp_path / "m.npz", compress=True)
    with pytest.raises(LimitError, match="pass max_bytes="):
        load_weights(model, tmp_path / "m.npz", max_bytes=4000)
    load_weights(model, tmp_path / "m.npz", max_bytes=20_000)


def test_a_slow_save_shows_a_progress_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar appears on a terminal, after a while, and nowhere else."""
    model = {"w": Parameter(np.ones(1000))}
    for delay, terminal, shown in [(0, True, True), (60, True, False), (0, False, False)]:
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda answer=terminal: answer, raising=False)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(progress, "DELAY", delay)
        save_weights(model, tmp_path / "m.npz")
        load_weights(model, tmp_path / "m.npz")
        text = stream.getvalue()
        assert ("saving m.npz" in text, "loading m.npz" in text) == (shown, shown)


def test_no_lock_is_shared_between_processes(tmp_path: Path) -> None:
    """tqdm's lock, which a killed process may hold, does not exist until a bar is shown."""
    program = """
import sys, threading, numpy as np
from dezero_core import Parameter
from dezero_io import load_weights, save_weights
save_weights([Parameter(np.ones(9))], "m"); load_weights([Parameter(np.ones(9))], "m")
assert "tqdm" not in sys.modules and threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_verify_detects_a_wrong_sha(tmp_path: Path) -> None:
    """Change an array, and correct the checksum of the zip."""
    path = tmp_path / "m.npz"
    save_weights(tree(1.0), path)
    with np.load(path) as arrays:
        changed = dict(arrays)
    changed["l1/W"] = changed["l1/W"] + np.float32(1)
    np.savez(path, **changed)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = npz.SIGN
    model = tree(7.0)
    with pytest.raises(FormatError, match="'l1/W' is damaged: its SHA-256 differs"):
        load_weights(model, path, verify=True)
    assert contents(model) == contents(tree(7.0))
    load_weights(model, path)


def test_temporary_files_of_dead_processes_are_removed(tmp_path: Path) -> None:
    """Only temporary files for this path, of dead processes of this machine, are removed."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    start = files.temporary_prefix(tmp_path / "m.npz")
    left = tmp_path / f"{start}{gone.pid}.x.part"
    kept = [
        tmp_path / f"{start}{os.getpid()}.x.part",
        tmp_path / f"{files.temporary_prefix(tmp_path / 'other.npz')}{gone.pid}.x.part",
        tmp_path / f".m.npz.another-machine.{gone.pid}.x.part",
        tmp_path / "m.npz.part",
    ]
    for file in (left, *kept):
        file.touch()
    save_weights(tree(), tmp_path / "m.npz")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "m.npz"])


def test_arrays_are_moved_to_the_host_one_at_a_time(tmp_path: Path, monkeypatch: Any) -> None:
    model = [Parameter(np.ones(100)) for _ in range(5)]
    alive: list[Any] = []

    def counting(array: Any, backend: Any) -> Any:
        copy = array.copy()
        alive.append(weakref.ref(copy))
        assert sum(one() is not None for one in alive) <= 2  # the previous array and this one
        return copy

    monkeypatch.setattr(weights, "move", counting)
    save_weights(model, tmp_path / "m.npz")
    assert len(alive) == 5


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_that_does_not_fit_is_refused_by_its_headers(tmp_path: Path, compress: bool) -> None:
    """Refusing weights and checkpoints takes far less memory than the file declares."""
    size = 1 << 22  # 16 MB
    save_weights({"b": Parameter(np.zeros(size, "float32"))}, tmp_path / "w", compress=compress)
    save_checkpoint(tmp_path / "c", model={"b": Parameter(np.zeros(size, "float32"))})
    model = {"b": Parameter(np.zeros(3, "float32"))}
    for load in (
        lambda: load_weights(model, tmp_path / "w"),
        lambda: load_checkpoint(tmp_path / "c", model=model),
    ):
        tracemalloc.start()
        try:
            with pytest.raises(ShapeMismatch, match=rf"[wc].npz.*model \(3,\), file \({size},\)"):
                load()
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("descr", "message"),
    [
        ("<V2", "'w' holds bfloat16 .V2., which NumPy lacks; convert it to float32"),
        ("|V2", "'w' holds bfloat16 .V2., which NumPy lacks; convert it to float32"),
        ("<V1", "'w' holds float8 or another dtype of one byte .V1., which NumPy lacks"),
        ("<f1", "'w' holds float8, which NumPy lacks; convert it to float32"),
    ],
)
def test_dtypes_of_ml_dtypes_are_named(tmp_path: Path, descr: str, message: str) -> None:
    """Files have the headers that NumPy writes for arrays of the package ml_dtypes."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (2,), }}\n".encode()
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("w.npy", array + bytes(2 * int(descr[2])))
    with pytest.raises(FormatError, match=message):
        load_weights({"w": Parameter(np.zeros(2, "float32"))}, tmp_path / "m.npz")


def test_a_file_of_torch_save_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("m/data.pkl", b"")
        archive.writestr("m/data/0", b"")
    with pytest.raises(FormatError, match="a file of torch.save, a pickle, which is never read"):
        load_weights({}, tmp_path / "m.npz")


def full(*arguments: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def denied(source: Any, *arguments: Any, **options: Any) -> Any:
    raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/.m.npz.host.1.abc.part")


@pytest.mark.parametrize(
    ("function", "fail", "message"),
    [
        ("os.fsync", full, "No space left on device"),
        ("os.replace", denied, "Permission denied"),
        ("pathlib.Path.chmod", denied, "Permission denied"),
        ("dezero_io.weights.files.mkstemp", denied, "Permission denied"),
        ("dezero_io.weights.files.remove_leftovers", denied, "Permission denied"),
        ("dezero_io.weights.npz.add", full, "No space left on device"),
    ],
)
def test_errors_name_the_path_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str, fail: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(function, fail)
    with pytest.raises(OSError, match=rf"^\[Errno \d+\] {message}: 'm.npz'$") as caught:
        save_weights(tree(), "m")
    assert caught.value.filename == "m.npz"
    assert list(tmp_path.iterdir()) == []


def test_paths_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.npz").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    (tmp_path / "away.npz").symlink_to(tmp_path / "gone" / "m.npz")
    for name, error, message in [
        ("taken.npz", IsADirectoryError, "a folder has this name"),
        ("file/m.npz", NotADirectoryError, "Not a directory"),
        ("missing/m.npz", FileNotFoundError, "no folder 'missing'"),
        ("away.npz", FileNotFoundError, f"no folder '{tmp_path / 'gone'}'"),
        ("loop.npz", OSError, "Too many levels of symbolic links"),
        ("n" * 300 + ".npz", OSError, "File name too long"),
    ]:
        for write in (lambda path: save_weights(tree(), path), files.require_writable):
            with pytest.raises(error, match=message) as caught:
                write(Path(name))
            assert caught.value.filename == name
    left = ["away.npz", "file", "loop.npz", "taken.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    save_weights(tree(), "\N{LATIN SMALL LETTER E WITH ACUTE}" * 120)  # 244 bytes, 255 are allowed
    files.require_writable(tmp_path / "new.npz")
    assert not (tmp_path / "new.npz").exists()
