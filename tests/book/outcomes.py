"""Express the outcome of an observation as a word, and read the table of expected outcomes."""

import inspect
import tomllib
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def items(*kinds):
    """Return the items of `defects.toml` of these kinds."""
    table = tomllib.loads((HERE / "defects.toml").read_text("utf-8"))["item"]
    return [item for item in table if item["kind"] in kinds]


def outcome(observation):
    """Return the ``repr`` of what a function returns, or the type of what it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return repr(observation())
        except Exception as error:
            return type(error).__name__


def observations_in(module):
    """Return the public functions of a module that take no arguments."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not inspect.signature(function).parameters
    }
