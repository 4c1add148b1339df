"""Model: the layer a program trains."""

from __future__ import annotations

import os
from typing import Any

from dezero_core import no_grad, plot_dot_graph, test_mode

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

    def summary(self, *inputs: Any) -> None:
        """Print every layer with its parameters: path, kind, shapes, how many numbers.

        Args:
            inputs: what ``forward`` takes; it is run once, without a graph and in test mode, so
                that layers that wait for their first input have it. Without, they say so.
        """
        if inputs:
            with no_grad(), test_mode():
                self(*inputs)
        print(summary(self))
