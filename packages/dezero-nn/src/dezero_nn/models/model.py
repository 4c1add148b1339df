"""Model: the layer a program trains."""

from __future__ import annotations

import os
from typing import Any

from dezero_core import plot_dot_graph

from ..layers import Layer
from .summary import summary


class Model(Layer):
    """A layer that stands for a whole network (book step 45)."""

    def plot(self, *inputs: Any, to_file: str | os.PathLike[str] = "model.png") -> Any:
        """Run the model and draw the graph of its output (book step 45).

        Args:
            inputs: what ``forward`` takes.
            to_file: the picture; its suffix says of which kind.

        Returns:
            in a notebook the picture; else None.

        Raises:
            MissingProgram: neither Graphviz nor matplotlib is installed.
        """
        return plot_dot_graph(self(*inputs), verbose=True, to_file=to_file)

    def summary(self, *inputs: Any, **options: Any) -> None:
        """Print every layer: path, type, output shape, shapes of its parameters, their elements.

        Args:
            inputs, options: what ``forward`` takes; it is run once, without a graph and in test
                mode, so that layers that wait for their first input have it. Without, there are
                no output shapes, and such layers say that they wait.
        """
        print(summary(self, *inputs, **options))
