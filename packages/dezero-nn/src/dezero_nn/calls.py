"""Check the constructor arguments of layers and optimizers, and suggest correct calls."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter
from numbers import Integral
from types import FunctionType
from typing import Any

from dezero_core.errors import CallError
from dezero_core.hints import ADVICE, named, require_keywords, signature_of, usage

from .hints import CALLS, POSITIONS


def require_call(
    cls: type,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    advice: Mapping[str, str] | None = None,
    is_tried: bool = False,
) -> None:
    """Raise `CallError` unless ``cls.__init__`` accepts these arguments.

    Args:
        cls, args, kwargs: the class that is called, and the arguments of the call.
        advice: a dictionary from unknown keywords to hints for the error message.
        is_tried: whether to run each call before suggesting it, and suggest only calls that
            succeed. Set ``is_tried`` only for classes whose instances are cheap to create.
    """
    name, init = cls.__name__, initializer_of(cls)
    if init is object.__init__:
        reasons = [f"{key}: {ADVICE[key]}" for key in kwargs if key in ADVICE]
        reasons += [CALLS[base] for base in names_of(cls) if base in CALLS]
        message = f"got arguments, but has no __init__ that takes them; {name}()(x) calls it"
        raise CallError("; ".join([f"{name}: {message}", *reasons]))
    require_keywords(name, init, kwargs, None, advice)
    try:
        signature_of(init).bind(None, *args, **kwargs)
    except TypeError as error:
        likely = likely_calls(cls, args, kwargs, is_tried)
        hint = f"; write {', or '.join(likely)}" if likely else ""
        hint += "".join(f"; {CALLS[base]}" for base in names_of(cls) if base in CALLS)
        raise CallError(f"{name}: {error}; {usage(name, init)}{hint}") from None


def initializer_of(cls: Any) -> Any:
    """Return the ``__init__`` of a class."""
    return cls.__init__


def names_of(cls: type) -> list[str]:
    """Return the names of a class and its bases."""
    return [base.__name__ for base in cls.__mro__]


def likely_calls(
    cls: type, args: tuple[Any, ...], kwargs: dict[str, Any], is_tried: bool = False
) -> list[str]:
    """Return the calls that the caller may have meant, in DeZero's or PyTorch's argument order."""
    parameters = dict(signature_of(initializer_of(cls)).parameters)
    parameters.pop("self", None)
    orders = [tuple(parameters)]
    orders += [POSITIONS[base] for base in names_of(cls) if base in POSITIONS]
    required = [
        name for name, parameter in parameters.items() if parameter.default is parameter.empty
    ]
    calls: list[str] = []
    for order in orders:
        arguments = dict(zip(order, args, strict=False)) | kwargs
        has_duplicates = len(arguments) < len(args) + len(kwargs)
        is_complete = not has_duplicates and all(name in arguments for name in required)
        if is_complete and all(fits(parameters, *pair) for pair in arguments.items()):
            if not is_tried or raises_nothing(cls, arguments):
                calls.append(format_call(cls.__name__, parameters, arguments))
    return list(dict.fromkeys(calls))


def raises_nothing(cls: type, arguments: Mapping[str, Any]) -> bool:
    """Return whether a call raises no error."""
    try:
        cls(**arguments)
    except Exception:
        return False
    return True


def fits(parameters: Mapping[str, Parameter], name: str, value: Any) -> bool:
    """Return whether the type of a value suits a parameter, judging by the parameter's default."""
    if name not in parameters:
        return False
    default = parameters[name].default
    if value is None or isinstance(default, bool):
        return type(value) is type(default)
    if isinstance(default, FunctionType):
        return callable(value)
    if isinstance(default, str | float):  # if the default is a string, it is a dtype
        return not isinstance(value, Integral)
    return not isinstance(value, bool | str | type | float)


def format_call(
    owner: str, parameters: Mapping[str, Parameter], arguments: Mapping[str, Any]
) -> str:
    """Format a call; only parameters that cannot be positional are written as keywords."""
    shown = [
        f"{named(arguments[name])}"
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        else f"{name}={named(arguments[name])}"
        for name, parameter in parameters.items()
        if name in arguments
    ]
    return f"{owner}({', '.join(shown)})"
