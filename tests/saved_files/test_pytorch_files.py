"""Test that layers loaded from files of `write_pytorch.py` compute the same as PyTorch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero import functions as F
from dezero import layers as L
from dezero import no_grad, test_mode
from dezero.models import MLP, Sequential
from dezero_io import load_pytorch_weights

pytest.importorskip("safetensors", reason="the extra dezero-io[safetensors]")

FOLDER = Path(__file__).parent / "pytorch-2.13.0"
OUTPUTS = json.loads((FOLDER / "outputs.json").read_text())


def images() -> Any:
    up = L.Deconv2d(4, 2, stride=2, groups=2)
    return Sequential(L.Conv2d(6, 3, groups=2), L.BatchNorm(), F.relu, up, L.LayerNorm((6, 6)))


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "mlp": (lambda: MLP((4, 4, 2), F.relu), "l0/W  0.weight (transposed)"),
    "images": (images, "l1/avg_mean  1.running_mean"),
    "square": (
        lambda: Sequential(L.EmbedID(3, 3), L.LayerNorm((3, 3)), L.Linear(3)),
        "l2/b  zeros: the file has no bias",
    ),
    "lstm": (
        lambda: Sequential(L.LSTM(3), L.Linear(2)),
        "l0/x2u/b  rnn.bias_ih_l0 + rnn.bias_hh_l0 (part 3 of 4)",
    ),
    "gru": (lambda: Sequential(L.GRU(3), L.Linear(2)), "l0/h2n/b  rnn.bias_hh_l0 (part 3 of 3)"),
    "rnn": (lambda: L.RNN(3), "h2h/W  rnn.weight_hh_l0 (transposed)"),
    "stacked": (
        lambda: Sequential(L.LSTM(3), L.LSTM(3)),
        "l1/h2i/W  rnn.weight_hh_l1 (part 1 of 4, transposed)",
    ),
    "unbiased": (lambda: L.GRU(2), "x2r/b  zeros: the file has no bias"),
}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_equal_those_of_pytorch(name: str) -> None:
    make, line = MODELS[name]
    x, expected = OUTPUTS[name]
    x = np.array(x, None if name == "square" else "float32")
    for model in (make(), initialized(make(), x)):
        report = load_pytorch_weights(model, FOLDER / f"{name}.safetensors")
        assert not report.missing and " ".join(line.split()) in [
            " ".join(text.split()) for text in str(report).splitlines()
        ]
        with no_grad(), test_mode():
            y = model(x)
        np.testing.assert_allclose(y.data.ravel(), expected, rtol=1e-4, atol=1e-5)


def initialized(model: Any, x: Any) -> Any:
    """Return the model after a call that creates all its parameters."""
    with no_grad():
        model(x)
    for layer in getattr(model, "layers", [model]):
        if hasattr(layer, "reset_state"):
            layer.reset_state()
    return model
