"""The outcome of an observation as a word, and the table of what it should be."""

import inspect
import tomllib
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def items(*kinds):
    """The items of `defects.toml` of these kinds."""
    table = tomllib.loads((HERE / "defects.toml").read_text("utf-8"))["item"]
    return [item for item in table if item["kind"] in kinds]


def outcome(observation):
    """What a function returns, as Python writes it, or the type of what it raises."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return repr(observation())
        except Exception as error:
            return type(error).__name__


def observations_in(module):
    """The public functions of a module that take no arguments."""
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not inspect.signature(function).parameters
    }
