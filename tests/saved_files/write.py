"""Write a small file of every type: `python tests/saved_files/write.py FOLDER`.

Name FOLDER after the version or commit that writes it. ``expected.json`` lists the contents of each
file, the outputs of the models, and the losses of further training. Later versions must read every
folder; if you change a format, add a folder, and do not change the others.
"""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner
from saved_cases import (
    MODELS,
    SMALL,
    TRAIN,
    optimizer_parts,
    outputs,
    run_parts,
    train_optimizers,
    train_run,
)

import dezero
from dezero import Checkpointer, save_checkpoint
from dezero.cli import main, task
from dezero_core.state import named_params, save_weights

MORE = 5
"""The number of training steps after saving."""


def numbers(x: Any) -> list[Any]:
    """Return the elements of an array as numbers that JSON stores exactly."""
    return [float(str(value)) for value in np.asarray(x).ravel()]


def describe(model: Any) -> dict[str, Any]:
    """Return the dtype, shape and elements of every parameter and buffer."""
    return {
        key: [x.data.dtype.name, list(x.shape), numbers(x.data)]
        for key, x in named_params(model).items()
    }


def write_weights(folder: Path) -> dict[str, Any]:
    expected: dict[str, Any] = {}
    for name, (make, x) in MODELS.items():
        dezero.seed(len(name))
        model = make()
        run: dict[str, Any] = {}
        if x is not None:
            model(x)  # creates parameters and running statistics
            run["outputs"] = numbers(outputs(model, x))
        expected[name] = {"arrays": describe(model), **run}
        metadata = {"name": name}
        save_weights(model, folder / f"{name}.npz", metadata=metadata, compress=name == "tree")
        save_weights(model, folder / f"{name}.safetensors", metadata=metadata)
    return expected


def write_checkpoints(folder: Path) -> dict[str, Any]:
    dezero.seed(0)
    parts = optimizer_parts()
    train_optimizers(parts, 2)
    save_checkpoint(folder / "optimizers.npz", metadata={"steps": "2"}, **parts)
    optimizers = {"losses": train_optimizers(parts, MORE)}

    parts = run_parts()
    losses = train_run(parts)
    list(islice(losses, 6))  # to the middle of the second epoch
    for suffix in ("npz", "safetensors"):
        save_checkpoint(folder / f"run.{suffix}", **parts)
    expected = {"model": describe(parts["model"]), "losses": list(islice(losses, MORE))}

    checkpoints = Checkpointer(folder / "checkpoints", keep=1, best="min")
    model = dezero.models.MLP((2,), in_size=3)
    for number, score in ((1, 0.5), (2, 0.25), (3, 0.75)):
        model.l0.b.data[:] = number
        checkpoints.save(number, score=score, model=model)
    return {"optimizers": optimizers, "run": expected}


def write_train(folder: Path) -> dict[str, Any]:
    task.MODELS.update([SMALL])
    more = (*TRAIN, "--checkpoint", str(folder / "train"), "--epochs")
    CliRunner().invoke(main, [*more, "1"], catch_exceptions=False)
    whole = CliRunner().invoke(main, [*TRAIN, "--epochs", "2"], catch_exceptions=False)
    return {"train": whole.output.splitlines()[1].split()}


def write(folder: Path) -> None:
    """Write all files into a new folder."""
    folder.mkdir()
    expected = {
        "weights": write_weights(folder),
        "checkpoints": write_checkpoints(folder),
        **write_train(folder),
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=None) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
