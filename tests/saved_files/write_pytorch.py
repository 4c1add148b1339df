"""Write small PyTorch models and their outputs: `python write_pytorch.py FOLDER`.

It needs torch and safetensors, but not DeZero. ``outputs.json`` contains the input and the output
of each model; `test_pytorch_files.py` loads the files into DeZero layers and compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn


class First(nn.Module):
    """Return the output of a recurrent module, without its last state."""

    def __init__(self, rnn: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.rnn, self.head = rnn, head or nn.Identity()

    def forward(self, x: Any) -> Any:
        return self.head(self.rnn(x)[0])


def trained(model: nn.Module, x: Any) -> nn.Module:
    """Return the model after changing its running statistics and affine parameters."""
    model.train()
    model(x)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


def models() -> dict[str, tuple[nn.Module, Any]]:
    rows, steps = torch.randn(3, 4), torch.randn(5, 2, 3)
    images, ids = torch.randn(2, 4, 5, 5), torch.tensor([[0, 2, 1], [1, 1, 2]])
    return {
        "mlp": (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(),
                              nn.Linear(4, 2)), rows),
        "images": (nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6), nn.ReLU(),
                                 nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2),
                                 nn.LayerNorm((6, 6))), images),
        "square": (nn.Sequential(nn.Embedding(3, 3), nn.LayerNorm((3, 3)),
                                 nn.Linear(3, 3, bias=False)), ids),
        "lstm": (First(nn.LSTM(3, 3), nn.Linear(3, 2)), steps),
        "gru": (First(nn.GRU(3, 3), nn.Linear(3, 2)), steps),
        "rnn": (First(nn.RNN(3, 3)), steps),
        "stacked": (First(nn.LSTM(3, 3, num_layers=2)), steps),
        "unbiased": (First(nn.GRU(3, 2, bias=False)), steps),
    }  # fmt: skip


def write(folder: Path) -> None:
    folder.mkdir()
    torch.manual_seed(0)
    outputs = {}
    for name, (model, x) in models().items():
        with torch.no_grad():
            y = trained(model, x)(x)
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        outputs[name] = [x.tolist(), [round(v, 6) for v in y.flatten().tolist()]]
    (folder / "outputs.json").write_text(json.dumps(outputs) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
