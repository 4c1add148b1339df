"""Check saving and loading with a format in memory; errors must change nothing."""

import importlib.util
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core import Buffer, Parameter
from dezero_core.dtypes import dtype_name
from dezero_core.errors import (
    DtypeMismatch,
    FormatError,
    KeyMismatch,
    SaveError,
    ShapeMismatch,
    WeightsError,
)
from dezero_core.extend import Limits, Stored, WeightFormat, backend_of, get_backend
from dezero_core.state import file_path, format_for, load_weights, save_weights


@pytest.fixture
def memory(plug: Any, tmp_path: Path) -> dict[str, Stored]:
    files: dict[str, Stored] = {}

    def write(path: Path, stored: Stored) -> None:
        files[path.name] = stored
        path.touch()

    def read(path: Path, limits: Limits) -> Stored:
        return files[path.name]

    plug(dezero_weight_formats=lambda: [WeightFormat(".mem", write, read)])
    return files


def tree(scale: float = 1.0, backend: str = "numpy") -> dict[str, Any]:
    library = get_backend(backend)
    return {
        "W": Parameter(library.from_numpy(scale * np.ones((2, 3), "float32"))),
        "n": {"mean": Buffer(library.from_numpy(scale * np.ones(3)))},
    }


def test_saved_weights_load_on_every_backend(memory: Any, tmp_path: Path, backend: str) -> None:
    model = tree(2.0, backend)
    save_weights(model, tmp_path / "m.mem")
    assert memory["m.mem"].kinds == {"W": "param", "n/mean": "buffer"}
    assert backend_of(model["W"].data).name == backend, "the model stays where it is"
    other = tree(0.0, backend)
    load_weights(other, str(tmp_path / "m.mem"))
    library = get_backend(backend)
    assert np.array_equal(library.to_numpy(other["W"].data), 2.0 * np.ones((2, 3)))
    assert backend_of(other["n"]["mean"].data) is library


def test_a_parameter_without_data(memory: Any, tmp_path: Path) -> None:
    lazy = {"W": Parameter(None), "n": {"mean": Buffer(np.zeros(3))}}
    with pytest.raises(SaveError, match="W: no data yet; run one forward pass"):
        save_weights(lazy, tmp_path / "m.mem")
    assert memory == {}
    save_weights(tree(), tmp_path / "m.mem")
    load_weights(lazy, tmp_path / "m.mem")
    assert lazy["W"].shape == (2, 3)


def p(*shape: int, dtype: str = "float32") -> Parameter:
    return Parameter(np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ({"W": p(2, 3), "n": {"mean": Buffer(np.zeros(3))}, "b": p(1)}, KeyMismatch, "missing 'b'"),
        ({"W": p(2, 3), "n": {}}, KeyMismatch, "unexpected 'n/mean'"),
        ({"V": p(2, 3), "n": {"maen": Buffer(np.zeros(3))}}, KeyMismatch, "is it 'n/mean'"),
        (
            {"W": p(3, 2), "n": {"mean": Buffer(np.zeros(3))}},
            ShapeMismatch,
            r"model \(3, 2\), file",
        ),
        (
            {"W": p(2, 3, dtype="float64"), "n": {"mean": Buffer(np.zeros(3))}},
            DtypeMismatch,
            "float64",
        ),
        (
            {"W": p(2, 3), "n": {"mean": p(3, dtype="float64")}},
            KeyMismatch,
            "is a buffer in the file",
        ),
    ],
)
def test_what_does_not_fit_changes_nothing(
    memory: Any, tmp_path: Path, model: Any, error: type[WeightsError], message: str
) -> None:
    from dezero_core.state import named_params

    save_weights(tree(2.0), tmp_path / "m.mem")
    before = {key: x.data.tobytes() for key, x in named_params(model).items()}
    with pytest.raises(error, match=message) as caught:
        load_weights(model, tmp_path / "m.mem")
    assert isinstance(caught.value, ValueError)
    assert "nothing was loaded" in str(caught.value)
    assert not str(caught.value).startswith("'"), "KeyError would show the repr"
    assert before == {key: x.data.tobytes() for key, x in named_params(model).items()}


def test_every_difference_is_named_at_once(memory: Any, tmp_path: Path) -> None:
    save_weights(tree(), tmp_path / "m.mem")
    with pytest.raises(KeyMismatch) as caught:
        load_weights({"W": p(3, 2), "extra": p(1)}, tmp_path / "m.mem")
    for part in ("missing 'extra'", "unexpected 'n/mean'", "'W': model (3, 2), file (2, 3)"):
        assert part in str(caught.value)


def test_files_without_kinds_load(memory: Any, tmp_path: Path) -> None:
    memory["old.mem"] = Stored({"W": np.ones((2, 3), "float32")})
    (tmp_path / "old.mem").touch()
    model = {"W": p(2, 3)}
    load_weights(model, tmp_path / "old.mem")
    assert model["W"].data.sum() == 6


def test_paths(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "model.mem").touch()
    with pytest.raises(FileNotFoundError, match=r"modle.mem not found; there is model.mem"):
        load_weights({}, tmp_path / "modle.mem")
    (tmp_path / "modle.mem").symlink_to(tmp_path / "none.mem")
    with pytest.raises(FileNotFoundError, match=r"modle.mem not found; there is model.mem$"):
        load_weights({}, tmp_path / "modle.mem")
    with pytest.raises(FormatError, match=r"m.foo: no format for '.foo'; known: .*\.mem"):
        save_weights({}, tmp_path / "m.foo")


class FsPath:
    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("model", "model.npz"),
        ("epoch3-acc0.97", "epoch3-acc0.97.npz"),
        ("model.v2.1", "model.v2.1.npz"),
        ("model.", "model..npz"),
        ("a.-1", "a.-1.npz"),
        (".hidden", ".hidden.npz"),
        ("model.mem", "model.mem"),
        ("MODEL.MEM", "MODEL.MEM"),
        ("0.5.mem", "0.5.mem"),
        ("model.v2", None),
        ("model.pth", None),
        ("model.\N{LATIN SMALL LETTER E WITH ACUTE}", None),
        ("..", None),
        ("", None),
        ("folder/", None),
    ],
)
def test_names_without_a_suffix_get_one(
    plug: Any, memory: Any, name: str, target: str | None, tmp_path: Path
) -> None:
    def unused(*arguments: Any) -> Any:
        raise AssertionError

    if importlib.util.find_spec("dezero_io") is None:
        plug(dezero_weight_formats=lambda: [WeightFormat(".npz", unused, unused)])
    for path in (name, os.fsencode(name), FsPath(name)):
        if target is None:
            with pytest.raises(FormatError, match="no format for|names a folder"):
                format_for(path)
        else:
            assert format_for(path)[0] == Path(target)
    if target is not None:
        assert format_for(tmp_path / name)[0] == tmp_path / target


def test_a_first_folder_of_a_tilde_is_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert file_path("~/m.npz") == tmp_path / "m.npz"
    for name in ("~m.npz", "a/~/m.npz"):
        assert file_path(name) == Path(name)
    with pytest.raises(TypeError, match="got BytesIO"):
        file_path(io.BytesIO())  # type: ignore[arg-type]


def test_headers_are_checked_before_arrays_are_read(plug: Any, tmp_path: Path) -> None:
    reads = []

    def headers(path: Path, limits: Limits) -> Stored:
        return Stored({"W": np.broadcast_to(np.zeros((), "float32"), (1 << 40,))})

    def read(path: Path, limits: Limits) -> Stored:
        reads.append(path)
        return Stored({"W": np.ones((2, 3), "float32")})

    plug(dezero_weight_formats=lambda: [WeightFormat(".two", unwritten, read, headers)])
    (tmp_path / "m.two").touch()
    with pytest.raises(ShapeMismatch, match=r"'W': model \(2, 3\), file \(1099511627776,\)"):
        load_weights({"W": p(2, 3)}, tmp_path / "m.two")
    assert reads == []


def unwritten(path: Path, stored: Stored) -> None:
    raise AssertionError("nothing is written here")


def test_names_of_pytorch_cause_a_hint(memory: Any, tmp_path: Path) -> None:
    (tmp_path / "m.mem").touch()
    for names in (["0.weight", "0.bias"], ["fc1.bias"], ["weight"], ["rnn.weight_ih_l0"]):
        memory["m.mem"] = Stored(dict.fromkeys(names, np.ones((2, 3), "float32")))
        with pytest.raises(KeyMismatch, match=r"names of PyTorch: load_pytorch_weights reads"):
            load_weights({"W": p(2, 3)}, tmp_path / "m.mem")
    memory["m.mem"] = Stored({"l1/weight": np.ones((2, 3), "float32")})
    with pytest.raises(KeyMismatch) as caught:
        load_weights({"W": p(2, 3)}, tmp_path / "m.mem")
    assert "PyTorch" not in str(caught.value)


def test_a_report_is_a_table(memory: Any, tmp_path: Path) -> None:
    memory["m.mem"] = Stored({"W": np.ones((2, 3), "float32"), "extra": np.ones(1)})
    (tmp_path / "m.mem").touch()
    report = load_weights({"W": p(2, 3), "b": p(1)}, tmp_path / "m.mem", strict=False)
    assert str(report).splitlines() == [
        "W      loaded",
        "b      missing in the file",
        "extra  unexpected in the file",
    ]


def test_dtype_names(backend: str) -> None:
    library = get_backend(backend)
    x = library.from_numpy(np.ones(1, "float32"))
    for dtype in (x.dtype, library.dtype("float32"), np.float32, np.dtype("float32"), "float32"):
        assert dtype_name(dtype) == "float32"
