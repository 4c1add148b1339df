"""Test the export of models: graphs, free lengths, states, names and errors."""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import ndonnx as ndx
import numpy as np
import onnx
import onnxruntime
import pytest
import spox.opset.ai.onnx.v21 as op
from click.testing import CliRunner

import dezero
from dezero import functions as F
from dezero import layers as L
from dezero.cli import main
from dezero_core.errors import ArgumentError, ArgumentTypeError, SaveError
from dezero_core.extend import get_backend, kernel_log
from dezero_nn import CNN, MLP, KVCache, Sequential
from dezero_onnx import ExportError, export_onnx
from dezero_onnx.check import difference
from dezero_onnx.lengths import FreeLengths, free_lengths

F4 = "float32"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def nodes(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def run(path: Path, **feed: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def cnn() -> CNN:
    model = CNN(3)
    with dezero.no_grad():
        model(np.zeros((1, 1, 8, 8), F4))
    return model


def test_a_cnn_has_no_superfluous_nodes(path: Path) -> None:
    model = cnn()
    report = export_onnx(model, path, x=(("N", 1, 8, 8), F4))
    assert nodes(path) == {
        "Conv": 2, "Relu": 3, "MaxPool": 1, "Reshape": 1, "MatMul": 2, "Add": 2
    }  # fmt: skip
    assert report.nodes == 11 and report.difference < 1e-5
    assert report.inputs == {"x": ("N", 1, 8, 8)} and report.outputs == {"y": ("N", 3)}
    saved = onnx.load(path)
    keys = {x.name for x in saved.graph.initializer}
    assert set(model.named_params()) <= keys
    assert (saved.producer_name, saved.producer_version) == ("DeZero", dezero.__version__)
    assert saved.opset_import[0].version == report.opset == 21
    assert f"11 nodes, opset 21, largest difference from NumPy {report.difference:.1e}" in str(
        report
    )
    x = np.ones((7, 1, 8, 8), F4)
    with dezero.test_mode():
        expected = model(x).data
    np.testing.assert_allclose(run(path, x=x)[0], expected, atol=1e-6)


def test_exporting_does_not_change_the_model(path: Path) -> None:
    model = Sequential(L.BatchNorm(4), L.Dropout(0.5), L.Linear(2, in_size=4)).train()
    before = {key: x.data for key, x in model.named_params().items()}
    export_onnx(model, path, x=((3, 4), F4))
    assert all(x.data is before[key] for key, x in model.named_params().items())
    assert model.training is True
    assert nodes(path) == {"BatchNormalization": 1, "MatMul": 1, "Add": 1}


@pytest.mark.parametrize(("make", "op"), [(L.LSTM, "LSTM"), (L.GRU, "GRU")])
def test_the_state_is_an_input_and_an_output(path: Path, make: Any, op: str) -> None:
    class Net(dezero.Model):
        def __init__(self) -> None:
            self.rnn = make(3, in_size=2)

        def forward(self, x: Any) -> Any:
            return self.rnn(x)

    model, x = Net(), np.ones((6, 2, 2), F4)
    report = export_onnx(model, path, x=(("T", "N", 2), F4))
    assert nodes(path)[op] == 1
    states = [f"rnn/{name}" for name in make.STATES]
    assert list(report.inputs) == ["x", *states]
    assert list(report.outputs) == ["y", *(f"{name}_next" for name in states)]
    assert report.inputs["rnn/h"] == report.outputs["rnn/h_next"] == ("N", 3)
    zeros = {name: np.zeros((2, 3), F4) for name in states}
    first, *after = run(path, x=x[:4], **zeros)
    second, *_ = run(path, x=x[4:], **dict(zip(states, after, strict=True)))
    np.testing.assert_allclose(np.concatenate([first, second]), model(x).data, atol=1e-6)


def test_layers_that_begin_with_zeros_have_no_state(path: Path) -> None:
    report = export_onnx(L.LSTM(2, in_size=2, bidirectional=True), path, x=((3, "N", 2), F4))
    assert list(report.inputs) == ["x"] and list(report.outputs) == ["y"]


def test_several_inputs_and_outputs(path: Path) -> None:
    class Net(dezero.Model):
        def forward(self, a: Any, b: Any) -> Any:
            return a + b, F.concat([a, b]), a

    report = export_onnx(Net(), path, a=(("N", 2), F4), b=(("N", 2), F4))
    assert report.outputs == {"y0": ("N", 2), "y1": ("2*N", 2), "y2": ("N", 2)}


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_attention_of_any_number_of_axes(path: Path, lead: tuple[int, ...]) -> None:
    class Net(dezero.Model):
        def forward(self, x: Any) -> Any:
            return F.scaled_dot_product_attention(x, x, x, causal=True)

    report = export_onnx(Net(), path, x=((*lead, 5, 4), F4))
    assert report.outputs == {"y": (*lead, 5, 4)}


def test_names_of_lengths_differ_from_keys_of_parameters(path: Path) -> None:
    class Repeated(L.Layer):
        def __init__(self) -> None:
            self.length_3 = dezero.Parameter(np.ones(3, F4))

        def forward(self, x: Any, other: Any) -> Any:
            return F.broadcast_to(self.length_3, (*x.shape, *other.shape, 3))

    report = export_onnx(Repeated(), path, x=(("N",), F4), other=(("N_2",), F4))
    assert report.outputs == {"y": ("N", "N_2", 3)}


def test_an_array_is_an_example_for_the_check(path: Path) -> None:
    model = L.EmbedID(1000, 2)
    report = export_onnx(model, path, ids=np.array([[3, 999]]))
    assert report.inputs == {"ids": (1, 2)} and nodes(path) == {"Gather": 1}


def test_without_check_the_graph_is_not_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dezero_onnx.check.largest_difference", None)
    report = export_onnx(L.ReLU(), path, check=False, x=((1,), F4))
    assert report.difference is None and "not checked" in str(report)


class Reads(L.Layer):
    def forward(self, x: Any) -> Any:
        return x * float(x.sum().data)


class Random(L.Layer):
    def forward(self, x: Any) -> Any:
        return F.gumbel_softmax(x)


class Crashes(L.Layer):
    def forward(self, x: Any) -> Any:
        return x.no_such_array_attribute


class Constant(L.Layer):
    def forward(self, x: Any) -> Any:
        return dezero.Variable(np.ones(2, F4))


class Numbers(L.Layer):
    """Add a different constant to each row, which needs a batch of known length."""

    def forward(self, x: Any) -> Any:
        return x + get_backend("onnx").from_numpy(np.arange(len(x), dtype=F4).reshape(-1, 1))


REFUSED = [
    (Reads(), (2, 3), "Reads.* \\(in model.l0\\)"),
    (Random(), (2, 3), "random numbers cannot be exported.*in model.l0"),
    (Crashes(), (2, 3), "no_such_array_attribute.*in model.l0"),
    (Constant(), (2, 3), "expected a Variable, or a tuple of Variables, that are computed"),
    (Numbers(), ("N", 3), r"a constant of shape \(N, 1\) has different values along a free"),
    (L.Linear(2, in_size=4), ("N", 5), r"Linear: x \(N, 5\), W \(4, 2\).*in model.l0"),
    (L.LSTM(2, in_size=3), (2, 3, 3, 3), r"LSTM: x \(2, 3, 3, 3\).*in model.l0"),
]


@pytest.mark.parametrize(("layer", "shape", "message"), REFUSED)
def test_an_error_names_the_layer_that_cannot_be_exported(
    path: Path, layer: Any, shape: Any, message: str
) -> None:
    path.write_text("old")
    with pytest.raises(ExportError, match=message):
        export_onnx(Sequential(layer), path, x=(shape, F4))
    assert os.listdir(path.parent) == ["model.onnx"] and path.read_text() == "old"


def test_a_cache_is_refused(path: Path) -> None:
    class Net(dezero.Model):
        def __init__(self) -> None:
            self.attention, self.cache = L.MultiHeadAttention(1, size=2), KVCache(8)

        def forward(self, x: Any) -> Any:
            return self.attention(x, cache=self.cache)

    with pytest.raises(ExportError, match="cache is of type KVCache, which grows at each call"):
        export_onnx(Net(), path, x=((1, 3, 2), F4))


@pytest.mark.parametrize(
    ("model", "inputs", "error", "message"),
    [
        (MLP((2, 2)), {"x": ((1, 3), F4)}, SaveError, "l0/W, l1/W: no data yet"),
        (L.ReLU(), {}, ArgumentError, "no input; add"),
        (L.ReLU(), {"x": 3}, ArgumentError, "x is 3; expected an array, or a pair"),
        (L.ReLU(), {"x": ((1,), "float33")}, ArgumentError, "expected an array, or a pair"),
        (L.ReLU(), {"x": ((0,), F4)}, ArgumentError, "x has the length 0; expected an integer"),
        (L.ReLU(), {"x": (("a b",), F4)}, ArgumentError, "x has the length 'a b'"),
        (L.ReLU, {"x": ((1,), F4)}, ArgumentTypeError, "expected a layer or model"),
        (F.relu, {"x": ((1,), F4)}, ArgumentTypeError, "expected a layer or model"),
        (L.PReLU(), {"a": ((1,), F4)}, ExportError, "has the name of an array of the model"),
    ],
)
def test_wrong_arguments_are_refused(
    path: Path, model: Any, inputs: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        export_onnx(model, path, **inputs)
    assert not path.exists()


def test_a_graph_that_onnxruntime_refuses_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # ONNX's Mod takes only integers
    monkeypatch.setattr("dezero_onnx.nodes.relu", lambda x: op.mod(x, x))
    with pytest.raises(ExportError, match="(?s)onnxruntime cannot run the graph: .*check=False"):
        export_onnx(L.ReLU(), path, x=((1,), F4))
    assert export_onnx(L.ReLU(), path, check=False, x=((1,), F4)).nodes == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder") as raised:
        export_onnx(L.ReLU(), tmp_path / "no" / "m.onnx", x=((1,), F4))
    assert raised.value.filename == str(tmp_path / "no" / "m.onnx")


def test_the_check_detects_a_wrong_kernel(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dezero_onnx.nodes.relu", lambda x: x)
    with pytest.raises(ExportError, match="onnxruntime and NumPy differ by"):
        export_onnx(L.ReLU(), path, x=((9,), F4))
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="full: .*model.onnx"):
        export_onnx(L.ReLU(), path, x=((1,), F4))
    assert os.listdir(path.parent) == ["model.onnx"] and path.read_text() == "old"


def test_difference_of_outputs() -> None:
    x = np.array([1.0, np.nan, np.inf])
    assert difference(x, x) == 0
    assert difference(np.array([3.0]), np.array([2.0])) == 0.5
    assert difference(np.array([0.5]), np.array([0.25])) == 0.25
    for wrong in ([1.0, 0.0, np.inf], [1.0, np.nan, 1.0], [1.0, np.nan, -np.inf], [1.0]):
        assert difference(np.array(wrong), x) == np.inf


def test_free_lengths_divide_no_other_length() -> None:
    lengths = free_lengths({"x": ("N", "T", 1009), "m": ("T",)}, [2026, 0])
    assert lengths.primes == {"N": 1019, "T": 1021}
    assert lengths.traced(("N", 3, "T")) == (1019, 3, 1021)
    assert lengths.named((1019, 7, 0, 2 * 1019 * 1021)) == ("N", 7, 0, "2*N*T")
    assert FreeLengths({"N": 1009}).text_with_names("(1009, 10090)") == "(N, 10090)"


def test_each_op_runs_its_own_kernel() -> None:
    x = ndx.argument(shape=(2, 3), dtype=ndx.float32)
    with dezero.no_grad(), kernel_log() as ran:
        F.softmax(x, axis=-1)
        F.relu(ndx.argument(shape=(2,), dtype=ndx.float64))
    assert ran[0].kernel == "onnx:softmax"
    assert ran[1].declined == (("onnx:relu", "an array is not float32"),)


@pytest.mark.parametrize("make", [L.LSTM, L.GRU])
def test_a_sequence_with_a_graph_has_gradients(make: Any) -> None:
    """Run the portable definition, because recurrent nodes have no workspace for backward."""
    layer, x = make(2, in_size=2), np.ones((2, 1, 2), F4)
    F.sum(layer(x)).backward()
    expected = {key: p.grad.data for key, p in layer.named_params().items()}
    layer.cleargrads()
    layer.reset_state()
    layer.to("onnx")
    F.sum(layer(get_backend("onnx").from_numpy(x))).backward()
    for key, p in layer.named_params().items():
        np.testing.assert_allclose(p.grad.data.unwrap_numpy(), expected[key], rtol=1e-4, atol=1e-6)


def test_constants_are_computed_in_float64() -> None:
    cos = get_backend("onnx").xp.cos(ndx.asarray(np.array([1000.1])))
    assert cos.unwrap_numpy()[0] == np.cos(1000.1)


def test_the_command_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cnn().save_weights("w.npz")

    def command(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["export", *arguments])

    model = MLP((1000, 3))
    with dezero.no_grad():
        model(np.zeros((1, 2), F4))
    model.save_weights("spiral.npz")
    done = command("--load", "spiral.npz", "--data", "spiral", "new/m.onnx")
    assert done.exit_code == 0, done.output
    assert "m.onnx: 5 nodes, opset" in done.output
    assert run(Path("new/m.onnx"), x=np.ones((3, 2), F4))[0].shape == (3, 3)
    again = command("--load", "spiral.npz", "--data", "spiral", "new/m.onnx")
    assert "add --force" in again.output
    wrong = command("--load", "w.npz", "--data", "spiral", "--model", "cnn", "m.onnx")
    assert "--model cnn takes images" in wrong.output
    assert "expected a name that ends in .onnx" in command("--load", "w.npz", "m").output


def test_the_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[3] / "docs" / "onnx.md").read_text("utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(examples) == 3
    for example in examples:
        exec(example, {})
