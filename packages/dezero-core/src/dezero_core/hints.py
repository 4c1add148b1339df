"""Give hints for names and keywords that other frameworks have and DeZero does not.

The tables list only names that DeZero lacks: remove a hint when you add the name to DeZero.
`dezero_nn.hints` has hints for functions, layers, models and optimizers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, wraps
from inspect import Signature, getattr_static, signature
from opcode import opmap
from typing import Any, NoReturn, TypeVar

from .errors import NONE_IS_NO_ARRAY, CallError, MissingName, UnsupportedType

VARIABLE = {
    "repeat": "F.tile(x, repetitions), or F.repeat(x, repeats, axis), NumPy's repeat",
    **dict.fromkeys(("contiguous", "realize"), "x itself: it has values, in any memory layout"),
    **{name: f"x.data.{name}" for name in ("any", "all", "flat", "nbytes", "itemsize")},
    "at": "F.where(mask, value, x), or F.add_at(x, index, values)",
    "xp": "dezero.cuda.get_array_module(x)",
    "generation": "no equivalent is needed: backward() orders the calls",
    "nonzero": "numpy.argwhere(x.data): positions have no derivative",
    "is_leaf": "x.creator is None",
    "mT": "F.matrix_transpose(x)",
    **dict.fromkeys(("view", "resize"), "x.reshape(shape)"),
    **dict.fromkeys(("array", "values"), "x.data"),
    "cpu": "x.to_cpu()",
    **dict.fromkeys(("cuda", "gpu"), "x.to_gpu()"),
    "device": "type(x.data) names the array library; x.to_cpu() and x.to_gpu() move x",
    **dict.fromkeys(("dim", "rank"), "x.ndim"),
    **dict.fromkeys(("numel", "nelement"), "x.size"),
    "t": "x.T",
    **dict.fromkeys(("permute", "swapaxes"), "x.transpose(*axes)"),
    "unsqueeze": "x.expand_dims(axis)",
    "ravel": "x.reshape(-1)",
    "mm": "x @ y",
    "norm": "F.vector_norm(x, ord, axis)",
    **{f"cum{name}": f"F.cumulative_{name}(x, axis)" for name in ("sum", "prod")},
    "ptp": "F.max(x, axis) - F.min(x, axis)",
    "clamp": "x.clip(low, high)",
    "expand": "F.broadcast_to(x, shape)",
    **dict.fromkeys("float double half long int bool type type_as".split(), "x.astype(dtype)"),
    "requires_grad_": "x.requires_grad = True",
    **dict.fromkeys(("zero_grad", "zerograd"), "x.cleargrad()"),
    "grad_var": "x.grad",
    **dict.fromkeys(("grad_fn", "creator_node"), "x.creator"),
    "set_creator": "calling a Function sets x.creator",
    **dict.fromkeys(("retain_grad", "retain_data"), "y.backward(retain_grad=True)"),
    **dict.fromkeys(("assign", "copydata", "fill"), "x.data = array"),
    **dict.fromkeys(("clone", "copy"), "+x, which is a new array"),
    "zero_": "x.cleargrad() of the Variable whose gradient this is",
    **{
        f"{name}_": "an operator, such as x + y; x.data[...] = y writes to the array"
        for name in ("add", "sub", "mul", "div", "fill", "copy", "clamp")
    },
}
"""A dictionary from array attributes of other frameworks and of NumPy to hints. `bind_functions`
adds hints for functions that are not methods, such as ``sin``."""

FUNCTION = {
    "apply": "Name()(x), where forward(self, x) is a method, not a static one",
    **dict.fromkeys(("save_for_backward", "saved_tensors", "saved_variables"), "self.inputs"),
    **{name: f"self.{name}s[0]" for name in ("input", "output")},
    "generation": VARIABLE["generation"],
}
"""A dictionary from attributes of PyTorch's and the book's Function to hints."""

DEVICES = {
    "cpu": "to_cpu(), or to('numpy')",
    **dict.fromkeys(("cuda", "gpu"), "to_gpu()"),
    "mps": "to('mlx'), with the package in examples/backends/dezero-mlx",
    **dict.fromkeys(("float16", "float32", "float64"), "x.astype(dtype); to() takes a backend"),
}
"""Arguments of PyTorch's ``to`` that do not name a backend."""

KEYWORDS = {
    "axes": "dims",
    "axis": "dim dims axes",
    "keepdims": "keepdim",
    "x": "input tensor logits y_pred",
    "x0": "input y_pred",
    "x1": "target y_true",
    "xs": "tensors arrays inputs",
    "gy": "grad_outputs",
    "shape": "size newshape normalized_shape",
    **{"start_axis": "start_dim", "end_axis": "end_dim"},
    "ord": "p",
    "x_min": "min a_min",
    "x_max": "max a_max",
    "correction": "ddof",
}
"""A dictionary from DeZero's parameters to the keywords that other frameworks use for them. If
several parameters match a keyword, the hint names the first. dezero-nn adds its parameters."""

ADVICE = {
    "inplace": "no function works in place",
    "allow_unused": "not needed: the gradient of an unused input is None",
    "unbiased": "correction=1 is PyTorch's unbiased=True, its default; the default here is 0",
}
"""A dictionary from keywords of other frameworks to advice. dezero-nn adds its advice."""

F = TypeVar("F", bound=Callable[..., Any])


def missing(owner: str, name: str, hints: Mapping[str, str], obj: object = None) -> MissingName:
    """Return the error for a missing attribute of ``owner``, with a hint if there is one."""
    hint = f"; in DeZero: {hints[name]}" if name in hints else ""
    return MissingName(f"{owner} has no attribute {name!r}{hint}", name=name, obj=obj)


class Hint:
    """A placeholder for a missing attribute: reading it raises `MissingName` with a hint.

    Use Hint for classes whose attributes every op reads, because a ``__getattr__`` would slow down
    every op. If a subclass or an instance has an attribute of this name, that attribute is used
    instead.
    """

    def __init__(self, hints: Mapping[str, str], name: str) -> None:
        self.hints, self.name = hints, name

    def __get__(self, obj: object, owner: type) -> Any:
        for base in owner.__mro__:  # a later base class may have the attribute
            found = vars(base).get(self.name, self)
            if not isinstance(found, Hint):
                return found.__get__(obj, owner) if hasattr(found, "__get__") else found
        raise missing(owner.__name__, self.name, self.hints, obj)


def bind(hints: Mapping[str, str], owner: type) -> None:
    """Add hints to a class for names that it does not have; ``dir()`` omits these names."""
    for name in hints:
        if name not in vars(owner):
            setattr(owner, name, Hint(hints, name))
    owner.__dir__ = attribute_names  # type: ignore[assignment]


def bind_functions(names: list[str], owner: type) -> None:
    """Add a hint to a class for each function that is not one of its methods."""
    bind({name: f"F.{name}, a function" for name in names}, owner)


def attribute_names(obj: object) -> list[str]:
    """Return the names of the attributes of an object, for ``dir()``."""
    return [n for n in object.__dir__(obj) if not isinstance(getattr_static(obj, n, None), Hint)]


def hinting(module: str, hints: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """Return a ``__getattr__`` for a module that gives hints for missing names."""

    def __getattr__(name: str) -> NoReturn:
        error, caller = missing(f"module {module!r}", name, hints), sys._getframe(1)
        # In `from module import name`, Python would replace an AttributeError and its hint.
        if name in hints and caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:
            raise ImportError(str(error), name=module)
        raise error

    return __getattr__


def hinted(function: F) -> F:
    """Decorate a function so that its errors name the wrong arguments; see `explain_call`.

    If the function is an ``__init__``, errors show the name of the class, and the dictionary
    ``_hints`` of the class, if any, gives hints for unknown keywords.
    """
    is_init = function.__name__ == "__init__"

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (TypeError, AttributeError) as error:
            name = type(args[0]).__name__ if is_init else function.__qualname__.split(">.")[-1]
            advice = getattr(args[0], "_hints", None) if is_init else None
            explain_call(name, function, args, kwargs, error, advice)
            raise

    return call  # type: ignore[return-value]


def explain_call(
    name: str, function: Any, args: Any, options: dict[str, Any],
    cause: Exception, advice: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Raise `CallError` for wrong arguments, or `UnsupportedType` for one that is not an array."""
    parameters = signature_of(function).parameters
    require_keywords(name, function, options, cause, advice)
    try:
        signature_of(function).bind(*args, **options)
    except TypeError as error:
        raise CallError(f"{name}: {error}; {usage(name, function)}") from cause
    if str(cause).startswith(f"{name}: ") and not isinstance(cause, UnsupportedType):
        return
    for key, value in [*zip(parameters, args, strict=False), *options.items()]:
        type_ = str(parameters[key].annotation) if key in parameters else "Any"  # ``**settings``
        if value is None and "None" not in type_ and ("Operand" in type_ or "AnyArray" in type_):
            raise UnsupportedType(f"{name}: {key}: {NONE_IS_NO_ARRAY}") from cause
        is_array = value is None or hasattr(type(value), "dtype")
        if isinstance(value, int | float | complex):  # a number is wrong only if it is the cause
            is_array = str(cause).split(" ")[0] not in ("'int'", "'float'", "'bool'", "'complex'")
        found = f"{name}: {key} is of type {type(value).__name__}; expected"
        if type_.startswith("Sequence[Operand") and not isinstance(value, Iterable):
            raise UnsupportedType(f"{found} a list of arrays") from cause
        if type_.startswith(("Operand", "AnyArray")) and "Sequence" not in type_ and not is_array:
            raise UnsupportedType(f"{found} an array; make an array of it") from cause
    if isinstance(cause, UnsupportedType) and not str(cause).split(" ")[0].endswith(":"):
        raise UnsupportedType(f"{name}: {cause}") from cause


def require_keywords(
    name: str, function: Callable[..., Any], options: Mapping[str, Any],
    cause: Exception | None, advice: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Raise `CallError` if ``function`` has no parameter for one of the keywords ``options``.

    ``name`` is the function's name for the message, and ``cause`` the error that Python raised, if
    any. ``advice`` is a dictionary from keywords to hints, which precedes `ADVICE`.
    """
    parameters = signature_of(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = [keyword for keyword in options if keyword not in parameters]
    if unknown:
        shown = ", ".join(f"{key!r}{hint_for(key, parameters, advice or {})}" for key in unknown)
        raise CallError(f"{name}: unknown keyword {shown}; {usage(name, function)}") from cause


def hint_for(keyword: str, parameters: Mapping[str, Any], advice: Mapping[str, str]) -> str:
    """Return a hint for an unknown keyword, in parentheses, or an empty string."""
    known = [p for p, others in KEYWORDS.items() if p in parameters and keyword in others.split()]
    hint = f"write {known[0]}" if known else ADVICE.get(keyword, "")
    if known[:1] == ["nobias"]:
        hint = "nobias=True leaves the bias out"
    hint = advice.get(keyword, hint)
    return f" ({hint})" if hint else ""


def usage(name: str, function: Callable[..., Any]) -> str:
    """Return a sentence with the parameters and default values of a function or class."""
    shown: list[str] = []
    for parameter in signature_of(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        if parameter.name != "self":
            has_default = parameter.default is not parameter.empty
            shown.append(parameter.name + (f"={named(parameter.default)}" if has_default else ""))
    return f"the call is {name}({', '.join(shown)})"


def named(value: object) -> str:
    """Return the name of a function or class, else ``repr(value)``."""
    return str(getattr(value, "__name__", None) or repr(value))


@lru_cache(maxsize=1024)
def signature_of(function: Callable[..., Any]) -> Signature:
    """Return the signature of a function."""
    return signature(function, follow_wrapped=False)
