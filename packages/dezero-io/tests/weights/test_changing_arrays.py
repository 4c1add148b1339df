"""Test saving arrays that change meanwhile, and the memory of saving and loading."""

import json
import struct
import tracemalloc
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any

import numpy as np
import pytest

from dezero_core import Buffer, Parameter
from dezero_core.errors import SaveError, ShapeMismatch
from dezero_core.extend import Limits, Stored
from dezero_core.state import format_for, load_weights, save_weights
from dezero_io import load_checkpoint, load_pytorch_weights, save_checkpoint
from dezero_io.weights import manifest, npz

WRITES: dict[str, tuple[str, bool]] = {
    "npz": ("m.npz", False),
    "deflated": ("m.npz", True),
    "safetensors": ("m.safetensors", False),
}
formats = pytest.mark.parametrize("name, compress", WRITES.values(), ids=WRITES)


@pytest.fixture(autouse=True)
def _library() -> None:
    pytest.importorskip("safetensors.numpy", reason="the extra dezero-io[safetensors]")


def arrays(folder: Path) -> dict[str, Any]:
    """Return host arrays of every layout and of dtypes of every width."""
    x = np.arange(24).reshape(4, 6)
    mapped = np.memmap(folder / "mapped", "f4", "w+", shape=(4, 6))
    mapped[...] = x
    return {
        "C order": x.astype("f4"),
        "Fortran order": np.asfortranarray(x, "f8"),
        "strided": x.astype("f4")[::2, ::-3],
        "transposed": x.astype("f4").T,
        "half": x.astype("f2"),
        "big-endian": x.astype(">f4"),
        "bools": x % 3 == 0,
        "one number": np.array(3.0),
        "nothing": np.zeros((0, 2), "f4"),
        "memory-mapped": mapped,
        "integers": x,
    }


def changing(live: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Change every array in place after each checksum, as a training thread may do."""
    digest = manifest.digest

    def change(array: Any) -> str:
        found = digest(array)
        for x in live.values():
            np.logical_not(x, out=x) if x.dtype == bool else np.add(x, 1, out=x)
        return found

    monkeypatch.setattr(manifest, "digest", change)


@formats
def test_the_written_bytes_are_the_hashed_bytes(
    name: str, compress: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = arrays(tmp_path)
    start = {key: x.astype("f8") for key, x in live.items()}
    path, file_format = format_for(tmp_path / name)
    with monkeypatch.context() as patch:
        changing(live, patch)
        file_format.write(path, Stored(live, dict.fromkeys(live, "param"), compress=compress))
    found = file_format.read(path, Limits(verify=True)).arrays
    for key, x in found.items():
        assert (x.shape, x.dtype) == (live[key].shape, live[key].dtype.newbyteorder("="))
        change = x ^ (start[key] != 0) if x.dtype == bool else x - start[key]
        assert change.size == 0 or (change == change.flat[0]).all(), f"{key} is of two moments"


@formats
def test_parameters_are_collected_when_a_save_begins(
    name: str, compress: bool, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update that replaces ``data`` during the save does not reach the file."""
    model = [Parameter(np.full((2, 3), n, "f4")) for n in range(3)]
    for x in model:
        x.to(backend)
    digest = manifest.digest

    def replace(array: Any) -> str:
        for x in model:
            x.data = x.data * 0 - 1
        return digest(array)

    with monkeypatch.context() as patch:
        patch.setattr(manifest, "digest", replace)
        save_weights(model, tmp_path / name, compress=compress)
        found = [Parameter(np.zeros((2, 3), "f4")) for _ in model]
    load_weights(found, tmp_path / name)
    assert [x.data.tolist() for x in found] == [[[n] * 3] * 2 for n in range(3)]


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")  # NumPy 2.5
def test_a_shape_that_changes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = {"a": np.zeros((2, 3), "f4"), "b": np.zeros((2, 3), "f4")}
    digest = manifest.digest

    def reshape(array: Any) -> str:
        live["b"].shape = (6,)
        return digest(array)

    monkeypatch.setattr(manifest, "digest", reshape)
    path, file_format = format_for(tmp_path / "m.safetensors")
    with pytest.raises(SaveError, match="'b' got another shape or dtype during the save"):
        file_format.write(path, Stored(live))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(np.dtype("g").itemsize == 8, reason="no longer floats here")
def test_safetensors_refuses_longdouble(tmp_path: Path) -> None:
    path, file_format = format_for(tmp_path / "m.safetensors")
    with pytest.raises(SaveError, match=r"'w' holds (float|long).*; .safetensors files have no"):
        file_format.write(path, Stored({"w": np.zeros(2, "g")}))


def test_files_of_safetensors_are_aligned(tmp_path: Path) -> None:
    """PyTorch requires that the bytes of a tensor begin at a multiple of its item size."""
    path, file_format = format_for(tmp_path / "m.safetensors")
    live = {"a": np.ones(3, "i1"), "b": np.ones(3, "f2"), "ü": np.ones(3, "f8"), "d": np.ones(1)}
    file_format.write(path, Stored(live, metadata={"note": "日本"}))
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    header = json.loads(whole[8 : 8 + length])
    assert length % 8 == 0 and list(header) == ["__metadata__", "d", "ü", "b", "a"]
    assert [header[key]["data_offsets"] for key in live] == [[38, 41], [32, 38], [8, 32], [0, 8]]
    with pytest.raises(SaveError, match="text that UTF-8 can encode"):
        file_format.write(path, Stored(live, metadata={"note": "\ud800"}))
    assert path.read_bytes() == whole


# Memory. Each model has COUNT arrays of MB bytes.

COUNT, MB = 5, 1 << 20
SIDE = 512


def model_of(value: float, dtype: str = "f4") -> dict[str, Any]:
    return {f"p{n}": Parameter(np.full((SIDE, SIDE), value, dtype)) for n in range(COUNT)}


def peak(call: Callable[[], object]) -> float:
    """Return the largest number of megabytes that a call allocates."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


class Rule:
    """Store an array for each parameter."""

    def __init__(self, value: float) -> None:
        self.state = {"v": {key: x.data for key, x in model_of(value).items()}}

    def state_dict(self) -> dict[str, Any]:
        return self.state

    def stage_state(self, state: dict[str, Any]) -> Callable[[], None]:
        if any(x.shape != (SIDE, SIDE) for x in state["v"].values()):
            raise ShapeMismatch("another shape")
        return lambda: vars(self).update(state=state)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise AssertionError("its arrays would be copied")


def bfloat16(path: Path) -> None:
    size = SIDE * SIDE * 2
    header = {
        f"p{n}": {
            "dtype": "BF16",
            "shape": [SIDE, SIDE],
            "data_offsets": [n * size, (n + 1) * size],
        }
        for n in range(COUNT)
    }
    text = json.dumps(header).encode()
    halves = np.full(COUNT * SIDE * SIDE, 0x4000, "<u2")  # 2.0
    path.write_bytes(struct.pack("<Q", len(text)) + text + halves.tobytes())


def by_numpy(path: Path, change: Callable[[Any], Any]) -> None:
    np.savez(path, **{key: change(x.data) for key, x in model_of(2).items()})


MODEL, CHECKPOINT = COUNT, 2 * COUNT
LOADS: dict[str, tuple[str, Callable[[Path], object], int]] = {
    "npz": ("m.npz", lambda path: save_weights(model_of(2), path), MODEL),
    "deflated": ("m.npz", lambda path: save_weights(model_of(2), path, compress=True), MODEL),
    "Fortran order": ("m.npz", lambda path: by_numpy(path, np.asfortranarray), MODEL),
    "big-endian": ("m.npz", lambda path: by_numpy(path, lambda x: x.astype(">f4")), MODEL),
    "double": ("m.npz", lambda path: by_numpy(path, lambda x: x.astype("f8")), 2 * MODEL),
    "safetensors": ("m.safetensors", lambda path: save_weights(model_of(2), path), MODEL),
    "bfloat16": ("m.safetensors", bfloat16, MODEL),
}


@pytest.mark.parametrize("name, write, size", LOADS.values(), ids=LOADS)
def test_loading_takes_the_new_arrays_and_one_more(
    name: str, write: Callable[[Path], object], size: int, tmp_path: Path
) -> None:
    write(tmp_path / name)
    model = model_of(0)
    taken = peak(lambda: load_weights(model, tmp_path / name, cast="same_kind"))
    assert all(x.data[0, 0] == 2 and x.dtype == "f4" for x in model.values())
    assert taken < size + 2.2  # chunks of a deflated file take 1 MB


@pytest.mark.parametrize("name", ["m.npz", "m.safetensors"])
def test_loading_from_pytorch_takes_no_more(name: str, tmp_path: Path) -> None:
    """Four of our arrays are parts of one stacked array; the others are transposed."""
    nn = pytest.importorskip("dezero_nn", reason="layers")
    lstm = nn.LSTM(256, in_size=512)
    linears = [nn.Linear(SIDE, in_size=SIDE, nobias=True) for _ in range(COUNT)]
    state = {"rnn.weight_ih_l0": np.ones((1024, 512), "f4")}
    state |= {f"fc.{n}.weight": np.ones((SIDE, SIDE), "f4") for n in range(COUNT)}
    state |= {"rnn.weight_hh_l0": np.ones((1024, 256), "f4")}
    state |= {f"rnn.bias_{way}_l0": np.ones(1024, "f4") for way in ("ih", "hh")}
    path, file_format = format_for(tmp_path / name)
    file_format.write(path, Stored(state))
    size = sum(x.nbytes for x in state.values()) / MB
    names = {"rnn": "rnn", **{f"fc/{n}": f"fc.{n}" for n in range(COUNT)}}
    taken = peak(lambda: load_pytorch_weights({"rnn": lstm, "fc": linears}, path, names))
    assert taken < size + 2 + 0.5  # the stacked array stays until its last part is copied
    assert all((x.data == 1).all() for x in [linears[0].W, *lstm.params()] if x.name == "W")


@pytest.mark.parametrize("name", ["c.npz", "c.safetensors"])
def test_a_checkpoint_takes_no_more(name: str, tmp_path: Path) -> None:
    """Neither the old state of an optimizer nor the new one is copied."""
    path = tmp_path / name
    old, saved = (model_of(0), Rule(0)), (model_of(2), Rule(2))
    saving = peak(lambda: save_checkpoint(path, model=saved[0], rule=saved[1]))
    taken = peak(lambda: load_checkpoint(path, model=old[0], rule=old[1]))
    assert saving < 1 + 1 and taken < CHECKPOINT + 1.2
    values = [x.data for x in old[0].values()] + list(old[1].state["v"].values())
    assert all((x == 2).all() for x in values)


@formats
def test_saving_takes_one_array(name: str, compress: bool, tmp_path: Path) -> None:
    model = model_of(0)
    assert peak(lambda: save_weights(model, tmp_path / name, compress=compress)) < 1 + 1.2


@pytest.mark.parametrize("name", ["c.npz", "c.safetensors"])
def test_arrays_of_an_optimizer_are_checked_before_they_are_read(name: str, tmp_path: Path) -> None:
    large = Rule(0)
    large.state = {"v": {"p0": np.zeros(2 * MB, "f4")}}
    path = tmp_path / name
    save_checkpoint(path, model=model_of(2), rule=large)
    model, rule = model_of(0), Rule(0)

    def load() -> None:
        with pytest.raises(ShapeMismatch, match="another shape"):
            load_checkpoint(path, model=model, rule=rule)

    assert peak(load) < 1
    assert model["p0"].data[0, 0] == 0 and rule.state["v"]["p0"][0, 0] == 0


def test_a_subclass_may_override_load_state_dict(tmp_path: Path) -> None:
    class Other(Rule):
        def load_state_dict(self, state: dict[str, Any]) -> None:
            self.loaded = state["v"]["p0"][0, 0]

    save_checkpoint(tmp_path / "c", rule=Rule(2))
    other = Other(0)
    load_checkpoint(tmp_path / "c", rule=other)
    assert other.loaded == 2


def test_a_buffer_that_is_a_view_is_saved_alone(tmp_path: Path) -> None:
    """Save a row of a larger array: the file contains only the row."""
    table = np.arange(12, dtype="f4").reshape(3, 4)
    save_weights({"row": Buffer(table[1])}, tmp_path / "m")
    assert npz.read(tmp_path / "m.npz", Limits()).arrays["row"].tolist() == [4, 5, 6, 7]


def test_a_thread_frees_its_arguments_before_it_returns_a_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked = Event()

    class SlowQueue(Queue[Any]):
        def put(self, *item: Any) -> None:
            super().put(*item)
            checked.wait(10)

    monkeypatch.setattr(manifest, "SimpleQueue", SlowQueue)
    x = Rule(0)
    alive = weakref.ref(x)
    wait = manifest.start_thread(partial(lambda rule: None, x))
    del x
    wait()
    found = alive()
    checked.set()
    assert found is None
