"""Save and load weights and checkpoints; list the parameters of a tree by key."""

from __future__ import annotations

from dezero_core import Buffer, Parameter
from dezero_core.state import named_params


def flatten_params(tree: object, parent_key: str = "") -> dict[str, Parameter | Buffer]:
    """Return a dictionary from keys to all Parameters and Buffers in ``tree`` (book step 53).

    Args:
        tree: a layer, or a dictionary or list of layers and parameters, nested to any depth.
        parent_key: a prefix for every key, followed by ``/`` (default: no prefix).

    Raises:
        WeightsError: a name contains ``/``, two paths give the same key, or the tree contains a
            cycle.
    """
    prefix = f"{parent_key}/" if parent_key else ""
    return {prefix + key: x for key, x in named_params(tree).items()}
