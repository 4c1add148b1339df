"""Model: the layer a program trains."""

from __future__ import annotations

import os
from typing import Any

from dezero_core import plot_dot_graph, using_config

from ..layers import Layer
from .summary import summary


class Model(Layer):
    """A layer that stands for a whole network (book step 45)."""

    def plot(self, *inputs: Any, to_file: str | os.PathLike[str] = "model.png") -> Any:
        """Run the model and draw the graph of its output (book step 45); Buffers do not change.

        Args:
            inputs: what ``forward`` takes.
            to_file: the picture; its suffix says of which kind.

        Returns:
            in a notebook the picture; else None.

        Raises:
            MissingProgram: neither Graphviz nor matplotlib is installed.
        """
        with using_config("update_buffers", False):
            y = self(*inputs)
        return plot_dot_graph(y, verbose=True, to_file=to_file)

    def summary(self, *inputs: Any, **options: Any) -> None:
        """Print a table of the layers: path, type, output shape, parameter shapes and sizes.

        Args:
            inputs, options: the arguments of ``forward``, which runs once, in test mode and
                without a graph, and so initialises lazy layers. If they are omitted, the table
                has no output shapes and marks layers that wait for their first input.
        """
        print(summary(self, *inputs, **options))
