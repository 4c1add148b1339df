"""Define `Model`, the base class of whole networks."""

from __future__ import annotations

import os
from typing import Any

from dezero_core import plot_dot_graph, using_config

from ..layers import Layer
from .summary import summary


class Model(Layer):
    """A layer that represents a whole network (book step 45)."""

    def plot(self, *inputs: Any, to_file: str | os.PathLike[str] = "model.png") -> Any:
        """Run the model without changing Buffers; draw the graph of its output (book step 45).

        Args:
            inputs: the arguments of ``forward``.
            to_file: the path of the picture (default ``model.png``); its suffix gives the format.

        Returns:
            the picture in a notebook; otherwise None.

        Raises:
            MissingProgram: neither Graphviz nor matplotlib is installed.
        """
        with using_config("update_buffers", False):
            y = self(*inputs)
        return plot_dot_graph(y, verbose=True, to_file=to_file)

    def summary(self, *inputs: Any, **settings: Any) -> None:
        """Print a table of the layers: path, type, output shape, parameter shapes and sizes.

        Args:
            inputs, settings: the arguments of ``forward``, which runs once in test mode without a
                graph. This run also creates the parameters whose shapes depend on the first input.
                If the arguments are omitted, the table has no output shapes, and marks the
                parameters that do not exist yet.
        """
        print(summary(self, *inputs, **settings))
