"""Test reading the weights of ONNX files."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import dezero
from dezero import layers as L
from dezero_core.errors import FormatError, KeyMismatch, LimitError, SaveError
from dezero_nn import Sequential
from dezero_onnx import export_onnx

F4 = "float32"


def filled(*shape: int) -> np.ndarray:
    return np.sin(np.arange(np.prod(shape))).reshape(shape).astype(F4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def write_foreign(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a file as other programs do, with a shape among the initializers."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy")
    node = helper.make_node("Relu", ["x"], ["y"])
    arrays = {**arrays, "shape": np.array([1, -1])}
    initializers = [numpy_helper.from_array(a, name) for name, a in arrays.items()]
    graph = helper.make_graph([node], "g", [x], [y], initializers)
    onnx.save(helper.make_model(graph, producer_name="pytorch"), path)


def test_an_exported_file_has_dezeros_keys(path: Path) -> None:
    def make() -> Sequential:
        return Sequential(L.Conv2d(2, 3, in_channels=1), L.BatchNorm(2), L.Flatten())

    model, other = make(), make()
    model.l1.avg_mean.data = filled(2)
    export_onnx(model, path, x=(("N", 1, 4, 4), F4))
    report = other.load_weights(path)
    assert report.loaded == tuple(model.named_params())
    for key, x in other.named_params().items():
        np.testing.assert_array_equal(x.data, model.named_params()[key].data)
    assert report.metadata == {"producer": f"DeZero {dezero.__version__}"}
    assert dezero.load_onnx_weights(make(), path).loaded == report.loaded
    with pytest.raises(KeyMismatch, match="missing 'l0/gamma'"):
        dezero.load_onnx_weights(Sequential(L.LayerNorm(2)), path)


def test_parameters_that_the_graph_does_not_read_are_stored(path: Path) -> None:
    class Net(dezero.Model):
        def __init__(self) -> None:
            self.used, self.unused = L.Linear(2, in_size=2), L.Linear(3, in_size=2)

        def forward(self, x: dezero.Variable) -> dezero.Variable:
            return self.used(x)

    model, other = Net(), Net()
    assert export_onnx(model, path, x=(("N", 2), F4)).nodes == 2
    other.load_weights(path)
    np.testing.assert_array_equal(other.unused.W.data, model.unused.W.data)


def test_other_files_are_matched_as_those_of_pytorch(path: Path) -> None:
    arrays = {"fc1.weight": filled(3, 2), "fc1.bias": filled(3), "fc2.weight": filled(4, 3)}
    write_foreign(path, {**arrays, "fc2.bias": filled(4)})
    model = Sequential(L.Linear(3, in_size=2), L.Linear(4, in_size=3))
    report = dezero.load_onnx_weights(model, path)
    assert report.sources["l0/W"] == "fc1.weight (transposed)"
    np.testing.assert_array_equal(model.l0.W.data, arrays["fc1.weight"].T)
    names = {"l0": "fc1", "l1": "fc2"}
    assert dezero.load_onnx_weights(model, path, names).loaded == report.loaded


def test_damaged_files(path: Path) -> None:
    model = L.Linear(2, in_size=2)
    export_onnx(model, path, x=((1, 2), F4))
    content, before = path.read_bytes(), model.W.data
    for damaged in (b"", b"no model", content[: len(content) // 2], content[:-3]):
        path.write_bytes(damaged)
        with pytest.raises((FormatError, KeyMismatch)):
            model.load_weights(path)
    saved = onnx.ModelProto.FromString(content)
    saved.metadata_props[0].value = '["W"]'
    onnx.save(saved, path)
    with pytest.raises(FormatError, match="the list of its keys is damaged"):
        model.load_weights(path)
    saved = onnx.ModelProto.FromString(content)
    del saved.graph.initializer[0]
    onnx.save(saved, path)
    with pytest.raises(FormatError, match="lacks W"):
        model.load_weights(path)
    saved = onnx.ModelProto.FromString(content)
    saved.graph.initializer[0].dims[0] = 5
    onnx.save(saved, path)
    with pytest.raises(FormatError, match="'W' is damaged"):
        model.load_weights(path)
    saved.graph.initializer[0].data_location = TensorProto.EXTERNAL
    path.write_bytes(saved.SerializeToString())
    with pytest.raises(FormatError, match="'W' is in another file"):
        model.load_weights(path)
    assert model.W.data is before


def test_limits_and_writing(path: Path) -> None:
    model = L.Linear(2, in_size=2)
    export_onnx(model, path, x=((1, 2), F4))
    with pytest.raises(LimitError, match="takes .* bytes, the limit is 10; pass max_bytes="):
        model.load_weights(path, max_bytes=10)
    with pytest.raises(SaveError, match="an .onnx file contains a graph; export_onnx"):
        model.save_weights(path)
    with pytest.raises(FormatError, match="is not an .onnx file; use load_weights"):
        model.save_weights(path.with_suffix(".npz"))
        dezero.load_onnx_weights(model, path.with_suffix(".npz"))
