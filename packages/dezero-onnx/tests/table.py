"""Export every layer and model, and print a table: nodes, largest difference, free batch.

`python packages/dezero-onnx/tests/table.py` exits with 1 if a row fails. ``--quick`` leaves the
large models out, and all layers that are variants of others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from dezero_core import no_grad, seed, test_mode
from dezero_nn import CNN, MLP, VGG16, ResNet50, SqueezeNet
from dezero_nn import functions as F
from dezero_nn import layers as L
from dezero_onnx import ExportError, ExportReport, export_onnx
from dezero_testing.checks import images, layers, transformers

sys.path.insert(0, str(Path(__file__).parents[3]))
from benchmarks.transformers import Sizes, dezero_gpt, dezero_vit

TOLERANCE = 1e-5
"""The largest accepted difference; see `ExportReport`."""


class Row(NamedTuple):
    """Describe a model to export, with an example and the index of its batch axis."""

    make: Callable[[], Any]
    x: Any
    batch: int = 0
    most_nodes: int | None = None


def images_of(*shape: int) -> Any:
    return np.sin(np.arange(np.prod(shape))).reshape(shape).astype("float32")


def of_the_kit() -> Iterator[tuple[str, Row]]:
    """Yield the layers that the conformance kit tests."""
    for name, (make, x) in layers.LAYERS.items():
        yield name, Row(make, x, 1 if x is layers.STEPS else 0)
    for table, x in (
        (images.SIGNAL_LAYERS, images.SIGNALS),
        (images.IMAGE_LAYERS, images.IMAGES),
        (images.VOLUME_LAYERS, images.VOLUMES),
        (transformers.LAYERS, transformers.SEQUENCES),
    ):
        yield from ((name, Row(make, x)) for name, make in table.items())


GPT, VIT = Sizes(2, 8, 16, 4, 2, 20), Sizes(2, 65, 16, 4, 2, 10)

MODELS = {
    "MLP": Row(lambda: MLP((50, 10), F.relu), images_of(2, 64), most_nodes=5),
    "CNN": Row(lambda: CNN(10), images_of(2, 1, 8, 8), most_nodes=25),
    "GPT of the benchmark": Row(
        lambda: dezero_gpt(GPT, 0.0), np.arange(16).reshape(2, 8), most_nodes=60
    ),
    "ViT of the benchmark": Row(lambda: dezero_vit(VIT), images_of(2, 3, 32, 32), most_nodes=65),
    "SqueezeNet": Row(lambda: SqueezeNet(), images_of(2, 3, 64, 64), most_nodes=70),
}
OTHERS = {
    "AlphaDropout": Row(L.AlphaDropout, layers.ROWS),
    "Dropout": Row(L.Dropout, layers.ROWS),
    "Dropout1d": Row(L.Dropout1d, images.SIGNALS),
    "Dropout2d": Row(L.Dropout2d, images.IMAGES),
    "Dropout3d": Row(L.Dropout3d, images.VOLUMES),
    "ConvTranspose1d": Row(lambda: L.ConvTranspose1d(4, 2, 3, 2), images.SIGNALS),
    "ConvTranspose3d": Row(lambda: L.ConvTranspose3d(2, 2, 2, bias=False), images.VOLUMES),
    "InstanceNorm3d": Row(lambda: L.InstanceNorm3d(2), images.VOLUMES),
}
LARGE = {
    "ResNet50": Row(lambda: ResNet50(), images_of(2, 3, 64, 64), most_nodes=180),
    "VGG16": Row(lambda: VGG16(), images_of(2, 3, 32, 32), most_nodes=45),
}

ROWS = {**dict(of_the_kit()), **OTHERS, **MODELS, **LARGE}


def export(row: Row, folder: Path, is_free: bool) -> ExportReport:
    """Export the model of a row with a batch of any length, or of the example's length."""
    seed(0)
    model = row.make()
    with no_grad(), test_mode():
        model(row.x)  # creates the parameters
    for layer in model.named_layers().values():
        if hasattr(layer, "reset_state"):
            layer.reset_state()
    shape: list[Any] = list(row.x.shape)
    shape[row.batch] = "N"
    x = (shape, row.x.dtype) if is_free else row.x
    return export_onnx(model, folder / "model.onnx", x=x)


def main(names: list[str]) -> int:
    """Print a row for each name; return the number of rows that fail."""
    failed = 0
    print(f"{'model':40} {'nodes':>5} {'difference':>10}  free batch")
    with TemporaryDirectory() as folder:
        for name in names:
            failed += not show(name, ROWS[name], Path(folder))
    print(f"{len(names)} models, {failed} failed")
    return failed


def show(name: str, row: Row, folder: Path) -> bool:
    """Export the model of a row, and print a line; return whether it is as expected."""
    why = "yes"
    try:
        report = export(row, folder, True)
    except ExportError as error:
        why = f"no: {error}"
        try:
            report = export(row, folder, False)
        except ExportError as other:
            print(f"{name:40} FAILED: {other}")
            return False
    difference = report.difference
    assert difference is not None
    print(f"{name:40} {report.nodes:5} {difference:10.1e}  {why}", flush=True)
    return difference <= TOLERANCE and (row.most_nodes is None or report.nodes <= row.most_nodes)


if __name__ == "__main__":
    quick = [*MODELS, "LSTM over a sequence", "GRU over a sequence", "BatchNorm", "EmbedID"]
    sys.exit(min(1, main(quick if "--quick" in sys.argv[1:] else sys.argv[1:] or list(ROWS))))
