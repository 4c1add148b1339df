"""The command ``dezero weights``, and PyTorch's names for our weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dezero import layers as L
from dezero import test_mode
from dezero.cli import main
from dezero.models import MLP, VGG16, ResNet50, Sequential
from dezero_core.errors import KeyMismatch, ShapeMismatch
from dezero_io import load_pytorch_weights, resnet_names, vgg16_names

package = pytest.importorskip("safetensors.numpy", reason="the extra dezero-io[safetensors]")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["weights", *arguments])


def test_show_verify_convert(tmp_path: Path) -> None:
    model = MLP((4, 2))
    model(np.ones((1, 3), "float32"))
    first = str(tmp_path / "m.npz")
    model.save_weights(first, metadata={"note": "first"})
    shown = run("show", first)
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    assert lines[0] == ["l0/W", "param", "float32", "3", "x", "4"]
    assert lines[-2:] == [["4", "arrays,", "0.0", "MB"], ["note:", "first"]]
    assert "whole, 4 arrays" in run("verify", first).output
    second, third = str(tmp_path / "m.safetensors"), str(tmp_path / "n.npz")
    assert run("convert", first, second).exit_code == 0
    assert run("convert", second, third, "--compress").exit_code == 0
    other = MLP((4, 2))
    assert other.load_weights(third).metadata == {"note": "first"}
    x = np.ones((2, 3), "float32")
    assert np.array_equal(other(x).data, model(x).data)


def test_what_weights_refuses(tmp_path: Path) -> None:
    file = tmp_path / "m.npz"
    L.Linear(2, in_size=3).save_weights(file)
    before = file.read_bytes()
    there = run("convert", str(file), str(file))
    assert there.exit_code == 2 and "add --force" in there.output
    damaged = bytearray(before)
    damaged[200] ^= 1
    (tmp_path / "d.npz").write_bytes(damaged)
    for command in ("show", "verify"):
        answer = run(command, str(tmp_path / "d.npz"))
        assert answer.exit_code == 1 and "is damaged" in answer.output
        assert "Traceback" not in answer.output
    assert "limit is 4" in run("show", str(file), "--max-bytes", "4").output
    assert "not found; there is m.npz" in run("show", str(tmp_path / "mm.npz")).output
    assert "no format for '.odd'" in run("convert", str(file), str(tmp_path / "x.odd")).output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.npz", "m.npz"]
    assert file.read_bytes() == before


def test_a_state_dict_of_pytorch(tmp_path: Path) -> None:
    """y = x @ weight.T + bias there, x @ W + b here."""
    draw = np.random.default_rng(0)
    state = {
        "0.weight": draw.normal(size=(4, 3)).astype("float32"),
        "0.bias": draw.normal(size=4).astype("float32"),
        "1.weight": draw.normal(size=4).astype("float32"),
        "1.bias": draw.normal(size=4).astype("float32"),
        "1.running_mean": draw.normal(size=4).astype("float32"),
        "1.running_var": draw.uniform(1, 2, 4).astype("float32"),
        "1.num_batches_tracked": np.array(7),
    }
    package.save_file(state, tmp_path / "m.safetensors")
    model = Sequential(L.Linear(4), L.BatchNorm())
    names = {"l0/W": "0.weight", "l0/b": "0.bias", "l1/gamma": "1.weight", "l1/beta": "1.bias"}
    names |= {"l1/avg_mean": "1.running_mean", "l1/avg_var": "1.running_var"}
    keys = list(model.named_params())
    report = load_pytorch_weights(model, tmp_path / "m.safetensors", names)
    assert set(report.loaded) == set(keys)
    x = draw.normal(size=(5, 3)).astype("float32")
    h = x @ state["0.weight"].T + state["0.bias"]
    scale = state["1.weight"] / np.sqrt(state["1.running_var"])
    with test_mode():
        y = model(x)
    expected = (h - state["1.running_mean"]) * scale + state["1.bias"]
    np.testing.assert_allclose(y.data, expected, rtol=1e-4, atol=1e-4)  # eps is small


@pytest.mark.parametrize(
    ("model", "names"),
    [(VGG16, vgg16_names()), (ResNet50, resnet_names(50))],
    ids=["vgg", "resnet"],
)
def test_published_models_have_every_name(model: Any, names: dict[str, str]) -> None:
    keys = set(model().named_params())
    assert keys - set(names) <= {"conv1/b"} and set(names) <= keys
    assert len(set(names.values())) == len(names)


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    package.save_file(
        {"w": np.ones((2, 3), "float32"), "v": np.ones(1)}, tmp_path / "m.safetensors"
    )
    layer = L.Linear(2, in_size=3)
    before = layer.W.data.copy()
    for names, error, message in [
        ({"W": "w", "c": "v"}, KeyMismatch, "the model has no c"),
        ({"W": "w"}, KeyMismatch, "unexpected 'v'"),
        ({"W": "w", "b": "u"}, KeyMismatch, "missing 'u'"),
        ({"W": "w", "b": "v"}, ShapeMismatch, r"'b': model \(2,\), file \(1,\)"),
    ]:
        with pytest.raises(error, match=message):
            load_pytorch_weights(layer, tmp_path / "m.safetensors", names)
        assert np.array_equal(layer.W.data, before)
