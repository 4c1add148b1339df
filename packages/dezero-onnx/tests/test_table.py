"""Test some rows of the table of exported models; `hatch run onnx:run` prints all rows."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dezero import layers as L

sys.path.insert(0, str(Path(__file__).parent))
import table


@pytest.mark.parametrize("name", ["GPT of the benchmark", "LSTM", "Deconv3d", "Mish"])
def test_a_row(name: str, tmp_path: Path, capsys: Any) -> None:
    assert table.show(name, table.ROWS[name], tmp_path)
    assert capsys.readouterr().out.split()[-1] == "yes"


def test_a_row_that_needs_a_batch_of_one_length(tmp_path: Path, capsys: Any) -> None:
    name = "LSTM of padded sequences"
    assert table.show(name, table.ROWS[name], tmp_path)
    assert "no: not exported: LSTM: lengths (2,); expected (N,)" in capsys.readouterr().out


def test_too_many_nodes_fail(tmp_path: Path) -> None:
    row = table.ROWS["Tanh"]
    assert not table.show("Tanh", row._replace(most_nodes=0), tmp_path)


def test_every_layer_has_a_row() -> None:
    rows = [row for name, row in table.ROWS.items() if name not in table.LARGE]
    tested = {
        name.__name__
        for row in rows
        for layer in row.make().named_layers().values()
        for name in type(layer).__mro__
    }
    layers = {name for name in L.__all__ if isinstance(getattr(L, name), type)}
    assert layers - tested == {"KVCache"}, "only KVCache cannot be exported"
