"""Return gradients, Jacobians and Hessians as values, without changing any ``x.grad``.

`jacobian`, `hessian`, `hvp` and `jvp` call their function once and differentiate the same graph as
often as needed, so dropout draws only one mask. Running statistics and other Buffers do not change;
see `dezero_core.config.Configuration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import ref

from .backends.registry import backend_of, on_device_of
from .backward import seed_dtype, seed_for
from .backward_modes import Flags, PassMode
from .config import using_config
from .errors import ArgumentError, ShapeError, wrong_type
from .function import Function
from .functions.casting import as_floating
from .functions.joining import stack
from .functions.shape import reshape
from .graph import ancestors, has_creator
from .hints import hinted, named
from .variable import AnyArray, Variable, as_variable, cast, get_array_module, unwrap
from .watched_pass import WatchedPass


@hinted
def grad(
    y: Variable,
    xs: Variable | Sequence[Variable],
    gy: AnyArray | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Any:
    """Return the gradients of ``y`` with respect to ``xs``; no ``grad`` is read or written.

    Args:
        y: a computed Variable, any shape.
        xs: a Variable or a sequence of Variables, leaves or computed.
        gy: the gradient with respect to ``y``, in the shape of ``y`` (default ones).
        create_graph: record a graph of the gradients, so that they can be differentiated (default
            False).
        retain_graph: keep the graph for another backward (default: the value of
            ``create_graph``).

    Returns:
        one gradient if ``xs`` is a Variable, else a list of gradients. A gradient is a Variable,
        or None if ``y`` does not depend on the corresponding Variable.

    Raises:
        GraphError: ``y`` does not require grad, or its graph was freed.
        ShapeError: ``gy`` and ``y`` have different shapes.
        ArgumentTypeError: ``y`` or one of ``xs`` is not a Variable.
    """
    targets = list(xs) if isinstance(xs, Iterable) and not isinstance(xs, Variable) else [xs]
    for x in (y, *targets):
        if not isinstance(x, Variable):
            advice = "write grad(y, x), grad(y, [x0, x1]) or grad(y, list(parameters.values()))"
            raise wrong_type(f"grad: {'y' if x is y else 'xs'}", x, f"Variables; {advice}")
    with on_device_of(y.data):
        seed = seed_for(y, gy)
    result = gradients(y, targets, seed, dependency_flags(targets, y), create_graph, retain_graph)
    return result[0] if isinstance(xs, Variable) else result


def gradients(
    y: Variable,
    xs: list[Variable],
    seed: Variable,
    narrowed: Flags,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> list[Variable | None]:
    """Run a backward pass from ``y`` to ``xs``, and return the gradients of ``xs``."""
    retain_graph = create_graph if retain_graph is None else retain_graph
    backward_pass = WatchedPass(retain_graph, narrowed=narrowed)
    for x in xs:
        if x.creator is not None:
            backward_pass.retain(x)
    with PassMode(backward_pass, create_graph), on_device_of(y.data):
        backward_pass.run(y, seed if create_graph else seed.data)
        return [backward_pass.gradient_of(x) for x in xs]


def dependency_flags(xs: list[Variable], y: Variable) -> Flags:
    """Find the calls with an input that requires grad but does not depend on ``xs``.

    Returns:
        a dictionary from the serial number of each such ancestor of ``y`` to a tuple of flags. A
        flag says whether the input requires grad and depends on one of ``xs``.
    """
    leaves = {id(x) for x in xs if x.creator is None}
    outputs = {(x._creator._serial, x._index) for x in xs if x.creator is not None}
    ends = {serial for serial, _ in outputs}
    leading: set[int] = set()  # serial numbers of calls that depend on one of xs
    narrowed: dict[int, tuple[bool, ...]] = {}
    for function in reversed(ancestors(y)):
        if function._arrays is None:  # freed; a pass that needs this call fails
            sources = function._call_inputs()
            calls = {x._serial for x in sources if isinstance(x, Function)}
            weak = {id(x()) for x in sources if isinstance(x, ref)}
            if calls & (leading | ends) or weak & leaves:
                leading.add(function._serial)
            continue
        flags = []
        for x, needed in zip(function._call_inputs(), function._needs_grad, strict=True):
            if needed and has_creator(x):
                serial = x._creator._serial
                needed = serial in leading or (serial, x._index) in outputs
            flags.append(needed and (has_creator(x) or id(x) in leaves))
        if any(flags):
            leading.add(function._serial)
        if tuple(flags) != function._needs_grad:
            narrowed[function._serial] = tuple(flags)
    return narrowed


def jacobian(
    function: Callable[[Any], Variable], x: AnyArray, create_graph: bool = False
) -> Variable:
    """Return the Jacobian dy/dx of ``y = function(x)``.

    Args:
        function: takes a Variable and returns one; it is called once.
        x: the point, a Variable or an array.
        create_graph: record a graph of the Jacobian, to differentiate the Jacobian (default False).

    Returns:
        a Variable of shape (*y.shape, *x.shape), from a backward pass for each element of y.
    """
    x = requiring_grad(x)
    y = result_of(function, x)
    if not y.requires_grad or y.size == 0:
        return zeros_like(y, (*y.shape, *x.shape))
    narrowed = dependency_flags([x], y)
    rows = [row(y, i, x, narrowed, create_graph) for i in range(y.size)]
    return reshape(stack(rows), (*y.shape, *x.shape))


def row(y: Variable, i: int, x: Variable, narrowed: Flags, create_graph: bool) -> Variable:
    """Return the gradient of element ``i`` of ``y``, counted in row-major order."""
    positions = backend_of(y.data).arange(y.size, y.data)
    with on_device_of(y.data):
        unit = get_array_module(y).reshape(cast(positions == i, seed_dtype(y)), y.shape)
    seed = Variable(unit, requires_grad=False)
    (result,) = gradients(y, [x], seed, narrowed, create_graph, retain_graph=True)
    return zeros_like(x) if result is None else result


def hessian(
    function: Callable[[Any], Variable], x: AnyArray, create_graph: bool = False
) -> Variable:
    """Return the Hessian at ``x`` of the sum of the outputs of ``function``.

    Args:
        function, x, create_graph: as for `jacobian`.

    Returns:
        a Variable of shape (*x.shape, *x.shape), from a double backward for each element of x.
    """
    return jacobian(lambda x: gradient_with_graph(function, x), x, create_graph)


def hvp(function: Callable[[Any], Variable], x: AnyArray, v: AnyArray) -> Variable:
    """Return the Hessian of ``function`` at ``x`` times ``v``, without computing the Hessian.

    Pearlmutter, "Fast Exact Multiplication by the Hessian", 1994.

    Args:
        function: takes a Variable and returns one, whose elements are summed; ``function`` is
            called once.
        x: the point, a Variable or an array.
        v: the vector, in the shape of ``x``.

    Returns:
        a Variable in the shape of ``x``. The product takes two backward passes.
    """
    x = requiring_grad(x)
    gx = gradient_with_graph(function, x)
    result = None if gx.creator is None else grad(gx, x, v)
    return zeros_like(x) if result is None else result


def jvp(function: Callable[..., Variable], x: Any, v: Any) -> tuple[Variable, Variable]:
    """Return ``function(x)``, and the Jacobian times ``v`` without computing the Jacobian.

    Townsend, "A new trick for calculating Jacobian vector products", 2017: the gradient of x is
    linear in the gradient u of y, so its derivative along v with respect to u is the product.

    Args:
        function: takes one Variable for each point, and returns one; it is called once.
        x, v: the point and the direction, arrays or Variables of one shape; or tuples of them.

    Raises:
        ArgumentError: ``x`` and ``v`` are tuples of different lengths.
        ShapeError: a point and its direction have different shapes.
    """
    xs, vs = [value if isinstance(value, tuple) else (value,) for value in (x, v)]
    if len(xs) != len(vs):
        raise ArgumentError(
            f"jvp: got {len(xs)} points and {len(vs)} directions; pass one for each point"
        )
    xs, vs = tuple(map(requiring_grad, xs)), tuple(map(as_variable, vs))
    for a, b in zip(xs, vs, strict=True):
        if a.shape != b.shape:
            raise ShapeError(f"jvp: x has shape {a.shape} and v {b.shape}; pass equal shapes")
    y = result_of(function, *xs)
    u, product = Variable(zeros_like(y).data), zeros_like(y)
    gxs = grad(y, xs, u, create_graph=True) if y.requires_grad else [None for _ in xs]
    for gx, direction in zip(gxs, vs, strict=True):
        change = grad(gx, u, direction, retain_graph=True) if gx is not None else None
        product = product if change is None else product + change
    return y, product


def gradient_with_graph(function: Callable[[Any], Variable], x: Variable) -> Variable:
    """Return the gradient of ``function`` at ``x``, with its graph."""
    y = result_of(function, x)
    result = grad(y, x, create_graph=True) if y.requires_grad else None
    return zeros_like(x) if result is None else result


def result_of(function: Callable[..., Variable], *xs: Variable) -> Variable:
    """Return ``function(*xs)`` and leave Buffers unchanged.

    Raises:
        ArgumentTypeError: the result is not a Variable.
    """
    with using_config("update_buffers", False):
        y: object = function(*xs)
    if isinstance(y, Variable):
        return y
    raise wrong_type(f"the result of {named(function)}", y, "a Variable")


def requiring_grad(x: AnyArray) -> Variable:
    """Return ``x`` as a Variable that requires grad."""
    if isinstance(x, Variable):
        return x if x.requires_grad else Variable(x.data)
    return Variable(x)


def zeros_like(x: Variable, shape: tuple[int, ...] | None = None) -> Variable:
    """Return zeros in the shape of ``x``, or in ``shape``, without a graph."""
    zeros = backend_of(x.data).zeros(x.shape if shape is None else shape, unwrap(as_floating(x)))
    return Variable(zeros, requires_grad=False)
