"""Backward: from one output through every call it depends on, latest call first.

One sentence to remember: in a plain backward pass gradients are arrays; with
``create_graph=True`` the same lines run on Variables. docs/adr/0001 tells why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from threading import Lock
from typing import Any, TypeVar

from .anomaly import detecting, look_at_forward, look_at_gradients
from .backends.precision import is_floating
from .backends.registry import backend_of, by_type, on_device_of
from .backward_modes import ALL, Flags, narrowed_needs, plain_pass, run_foreign
from .config import Block, Setting, enable_backprop
from .diagnosis import is_beside, note_on, replaced, require_memory
from .errors import ArgumentError, DezeroError, GraphError, ShapeError
from .function import (
    NO_INPUT,
    Function,
    calls_behind,
    has_creator,
    parents,
    spent,
)
from .functions.arithmetic import pos
from .functions.broadcast import sum_to
from .functions.casting import astype
from .functions.part_sums import PartSums
from .variable import Variable, as_variable, get_array_module, require_gradient_of, unwrap
from .variable_hooks import after_hooks, gradients_after_hooks, register_hook

T = TypeVar("T")

_grad_ready: Setting[Callable[[Variable], None] | None] = Setting("grad_ready", None)
_writing = Lock()


def backward(
    self: Variable,
    retain_grad: bool = False,
    create_graph: bool = False,
    *,
    gradient: Any = None,
    retain_graph: bool | None = None,
) -> None:
    """Add to ``x.grad`` the gradient of this Variable, for every leaf ``x`` it depends on.

    Leaves are written when all is computed: an error leaves every ``grad`` as it was. Called on
    a leaf that requires grad, it adds ``gradient`` to the leaf's own ``grad``.

    Args:
        retain_grad: also write the gradients of the Variables on the way, and keep this one's.
        create_graph: record how the gradients are computed, so that they can be
            differentiated in turn (book step 32). A leaf and its gradient then refer to each
            other until ``cleargrad()``.
        gradient: the gradient of this Variable itself, a Variable or an array of its shape. By
            default it is what the program has assigned to ``self.grad`` (book step 6), else ones;
            a ``grad`` that an earlier backward wrote is not used.
        retain_graph: keep the graph for another backward; by default what is passed is freed,
            unless ``create_graph``.

    Raises:
        GraphError: nothing here wants a gradient, or an earlier backward has freed the graph.
        ShapeError: ``gradient`` has another shape.
    """
    if not isinstance(retain_grad, bool):
        raise ArgumentError(
            f"backward: retain_grad is True or False, got {type(retain_grad).__name__}; to start "
            "from another gradient than ones, write y.backward(gradient=...)"
        )
    is_leaf = self.creator is None  # its own grad is added to, and is not a seed
    seed = seed_for(self, assigned_grad(self) if gradient is None and not is_leaf else gradient)
    retain_graph = create_graph if retain_graph is None else retain_graph
    task = Pass(retain_graph, retain_grad, _grad_ready.get())
    if task.callback is not None:
        task.uses = count_uses(self)
    if retain_grad and not is_leaf:
        task.retain(self)
    go_back(self, seed, task, create_graph, Pass.write)


def assigned_grad(y: Variable) -> Variable | None:
    """Return ``y.grad`` if the program has assigned it, and no backward has written it since."""
    if y._grad is None or y._grad is not getattr(y, "_assigned", None):
        return None
    return y._grad


def seed_for(y: Variable, gy: Any) -> Variable:
    """The gradient that a pass from ``y`` starts with: ``gy``, or ones.

    Raises:
        GraphError: ``y`` does not require grad, or has no data.
        ShapeError: ``gy`` has another shape than ``y``.
        BackendMismatch: ``gy`` is of another array library or on another device.
    """
    if not y.requires_grad:
        raise GraphError(
            "backward(): there is no graph behind this Variable; it was not computed, or under "
            "no_grad(), or from inputs that want no gradient, or unchain() cut it off"
        )
    if y.data is None:
        raise GraphError("backward(): this Variable has no data; set x.data first")
    creator = y._creator
    if creator is not None and creator._result is not y.data:
        require_recorded(y, y.data, creator._result)
    if gy is None:
        return ones_like(y)
    seed = as_variable(gy)
    if not is_floating(seed.dtype, backend_of(seed.data)):
        seed = astype(seed, seed_dtype(y))  # so that nothing wraps
    if seed.shape != y.shape:
        raise ShapeError(f"backward(): grad has shape {seed.shape}, the Variable {y.shape}")
    require_gradient_of(y, seed)
    return seed


def require_recorded(y: Variable, array: Any, result: Any) -> None:
    """Raise `GraphError` if ``array``, data of ``y``, does not fit what its call returned.

    Args:
        y: a computed Variable.
        array: its data, now or when it was used.
        result: what the call returned, or None if it was freed.
    """
    recorded = result[y._index or 0] if isinstance(result, tuple) else result
    if recorded is not None and recorded is not array and not is_beside(array, recorded):
        raise replaced(y, recorded)


def ones_like(y: Variable) -> Variable:
    """Return the gradient of ``y`` with respect to itself: ones on the device of ``y``."""
    with on_device_of(y.data):
        ones = get_array_module(y).ones_like(y.data, dtype=seed_dtype(y))
        return Variable(ones, requires_grad=False)


def seed_dtype(y: Variable) -> Any:
    """Return the dtype that gradients start in: that of ``y``, or int64, which does not wrap."""
    is_real = is_floating(y.dtype, backend_of(y.data))
    return y.dtype if is_real else get_array_module(y).int64


def go_back(
    y: Variable, seed: Variable, task: Pass, create_graph: bool, finish: Callable[[Pass], T]
) -> T:
    """Run a pass from ``y``, and ``finish`` in the same mode; return what that returns.

    All of it on the device of ``y``: no op joins two devices.
    """
    mode = plain_pass.set(None if create_graph else task)
    outer = narrowed_needs.get()
    if outer is not task.narrowed:
        narrowed_needs.set(task.narrowed)
    recording = enable_backprop.push(create_graph)
    try:
        with on_device_of(y.data):
            if task.detecting:
                look_at_forward(y)
            task.start(y, seed if create_graph else seed.data)
            return finish(task)
    finally:
        enable_backprop.entries.reset(recording.token)
        if outer is not task.narrowed:
            narrowed_needs.set(outer)
        plain_pass.reset(mode)


class Pass:
    """One backward pass: the gradients on their way, and the calls that wait for theirs.

    Gradients wait in ``pending``, outside Variables: under the number of the call that computed the
    Variable they belong to (a list of them, if it has several outputs), or under the leaf itself.
    """

    def __init__(
        self,
        retain_graph: bool,
        retain_grad: bool,
        callback: Callable[[Variable], None] | None = None,
        narrowed: Flags = ALL,
    ) -> None:
        self.retain_graph = retain_graph
        self.narrowed = narrowed  # other flags than `needs_grad`, by the call's number
        self.pending: dict[Any, Any] = {}
        self.heap: list[tuple[int, Function]] = []
        self.borrowed: dict[Variable, Any] = {}  # what may be somebody else's array
        self.given: set[int] = set()  # the arrays that have become some x.grad
        self.finished: list[tuple[Variable, Any]] = []
        self.retain_grad = retain_grad
        self.on_the_way: dict[int | None, list[Variable]] = {}  # to be retained, by their calls
        self.callback = callback
        self.detecting = detecting()
        self.uses: dict[Variable, int] = {}
        self.part_sums: PartSums | None = None  # made by the first part, see `GetItem`
        self.y: Variable | None = None  # where the pass starts, unless it is a leaf

    def start(self, y: Variable, seed: Any) -> None:
        """Run the pass from ``y`` with the gradient ``seed``; a leaf gets just that gradient."""
        root = y.creator
        if root is None:
            self.pending[y] = self.borrowed[y] = seed
            if self.callback is not None:
                self.report(y)
            return
        self.root, self.y = root, y
        if y._index is None:
            self.pending[root._serial] = seed
            self.wait(root)
        else:
            self.add_output(root, y._index, seed)
        self.run()

    def run(self) -> None:
        """Visit every call behind the root once, each when its gradient is complete."""
        pending, heap, retain_graph = self.pending, self.heap, self.retain_graph
        release = Function.release  # a subclass may have an attribute of that name
        retaining = self.retain_grad or len(self.on_the_way) > 0
        watched = retaining or self.callback is not None or self.detecting
        narrowed, is_narrowed = self.narrowed, len(self.narrowed) > 0
        following: Any = None  # waits beside the heap: in a chain of calls the only one that does
        while heap or following is not None:
            # Calls are numbered in the order they were made, so the latest one waiting has
            # had its outputs used only by calls already visited: its gradient is complete.
            if following is None or (heap and heap[0] < (-following._serial,)):
                function = heappop(heap)[1]
            else:
                function, following = following, None
            gy = pending.pop(function._serial)
            arrays = function._arrays
            if arrays is None:
                raise spent(function, self.root)
            needs_grad = function._needs_grad
            is_special = function._is_special
            if is_special:
                gy = gradients_after_hooks(function, gy)
                if not retain_graph:
                    function._hooks = None  # they may refer to what was computed from here
            if is_narrowed and function._serial in narrowed:
                needs_grad = narrowed[function._serial]
                if True not in needs_grad:  # nothing behind it is asked for
                    self.watch(function, gy, ())
                    continue
            try:
                if is_special or type(gy) is list:
                    gxs = run_backward(function, gy)
                else:
                    gxs = function.backward(gy)
            except Exception as error:
                if isinstance(error, MemoryError) and not isinstance(error, DezeroError):
                    require_memory(function, arrays, error)
                add_note(error, function)
                raise
            if not isinstance(gxs, tuple):
                gxs = (gxs,)
            if len(gxs) != len(arrays):
                raise GraphError(
                    f"{type(function).__name__}.backward returned {len(gxs)} gradients "
                    f"for {len(arrays)} inputs"
                )

            x1 = function._x1
            inputs = function._given() if x1 is NO_INPUT else (function._x0, x1)
            for x, a, gx, needed in zip(inputs, arrays, gxs, needs_grad):  # noqa: B905 (hot)
                if not needed or gx is None:
                    continue
                try:
                    fits = gx.shape == a.shape
                except AttributeError:
                    raise not_a_gradient(gx, function) from None
                if not fits:
                    gx = fitted(gx, a, function)
                # It goes on to the call that computed x, or stays with the leaf x. Gradients
                # that meet there are added, always into a new array.
                creator = x._creator
                if creator is None:
                    if a is not x.data and not is_beside(x.data, a):
                        raise replaced(x, a)
                    if x in pending:
                        pending[x] = pending[x] + gx
                    elif x._requires_grad:  # it may have been unchained since the call
                        pending[x] = gx
                        if gx is gy or is_special or is_shared(gx, function):
                            self.borrowed[x] = gx
                    continue
                if creator._result is not a:  # the data of x was replaced, or there are others
                    require_recorded(x, a, creator._result)
                if x._index is not None:
                    self.add_output(creator, x._index, gx)
                elif (serial := creator._serial) in pending:
                    pending[serial] = pending[serial] + gx
                elif not creator._cut:
                    pending[serial] = gx
                    if following is None:
                        following = creator
                    else:
                        heappush(heap, (-serial, creator))

            if watched:
                self.watch(function, gy, gxs)
            if not retain_graph:
                release(function)

    def wait(self, function: Function) -> None:
        """Queue a call that has received its first gradient."""
        assert function._serial is not None
        heappush(self.heap, (-function._serial, function))

    def add_output(self, function: Function, index: int, gy: Any) -> None:
        """Add to the gradient of one of several outputs."""
        if function._cut:
            return
        if function._arrays is None:
            raise spent(function, self.root)
        if function._serial not in self.pending:
            self.pending[function._serial] = [None] * len(function._result)
            self.wait(function)
        gys = self.pending[function._serial]
        gys[index] = gy if gys[index] is None else gys[index] + gy

    def watch(self, function: Function, gy: Any, gxs: tuple[Any, ...]) -> None:
        """What only some passes want: gradients on the way, news of finished leaves, anomalies."""
        if self.detecting:
            look_at_gradients(function, gxs)
        gys: list[Any] = gy if isinstance(gy, list) else [gy]
        for y in self.on_the_way.pop(function._serial, ()):
            if gys[y._index or 0] is not None:
                self.finished.append((y, pos(gys[y._index or 0])))
        if self.retain_grad:
            for x in function._given():
                if has_creator(x):
                    self.retain(x)
        for x in leaves(function):
            if x in self.uses:
                self.uses[x] -= 1
                if self.uses[x] == 0:
                    self.report(x)

    def retain(self, x: Variable) -> None:
        """Store the gradient of a computed Variable as soon as it is complete."""
        retained = self.on_the_way.setdefault(x._creator._serial, [])
        if not any(x is other for other in retained):
            retained.append(x)

    def report(self, x: Variable) -> None:
        """Write the gradient of a leaf that gets no more, and tell the callback."""
        if x not in self.pending or self.callback is None:
            return
        if x._grad is not None and x._grad.data.shape != x.data.shape:
            require_gradient_of(x, x._grad)
        accumulate(x, self.own(x, self.pending.pop(x)))
        mode = plain_pass.set(None)
        try:
            self.callback(x)
        finally:
            plain_pass.reset(mode)

    def write(self) -> None:
        """Add what has arrived to the leaves (and what was kept on the way)."""
        # All that can fail is done before the first grad is touched.
        for x in self.pending:
            if x._grad is not None and x._grad.data.shape != x.data.shape:
                require_gradient_of(x, x._grad)
        ready = [(x, self.own(x, g)) for x, g in self.pending.items()]
        if self.y is not None:
            self.y._grad = None  # it is retained, or gone
        for x, g in ready + self.finished:
            accumulate(x, g)

    def gradient_of(self, x: Variable) -> Variable | None:
        """The gradient that has arrived at ``x``, for those who do not want it in ``x.grad``."""
        if x in self.pending:
            g = self.own(x, self.pending[x])
        else:
            g = next((self.own(x, g) for y, g in self.finished if y is x), None)
        return g if g is None or isinstance(g, Variable) else Variable(g, requires_grad=False)

    def own(self, x: Variable, g: Any) -> Any:
        """Return the final gradient of ``x``, after the hooks of a leaf, as an unshared array.

        It has the dtype of ``x`` if that is floating.

        Raises:
            GraphError: the data of ``x`` was replaced by an array of another shape or library.
        """
        array, data = unwrap(g), x.data
        same = type(array) is type(data) and array.shape == data.shape
        if not same and not is_beside(data, array):
            raise replaced(x, array)
        if x._hooks:
            g = after_hooks(x._hooks, g, x)
        elif self.borrowed.get(x) is g or id(array) in self.given:
            g = pos(g)
        self.given.add(id(unwrap(g)))
        if g.dtype == data.dtype or not is_floating(data.dtype, backend_of(data)):
            return g
        return astype(g, data.dtype)


def accumulate(x: Variable, g: Any) -> None:
    """``x.grad += g``, into a new array; ``g`` may be a Variable with a graph of its own."""
    with _writing:
        if x._grad is not None:
            g = (x._grad if isinstance(g, Variable) else x._grad.data) + g
            if g.dtype != x.data.dtype and is_floating(x.data.dtype, backend_of(x.data)):
                g = astype(g, x.data.dtype)
        x._grad = g if isinstance(g, Variable) else Variable(g, requires_grad=False)


def _open_lock() -> None:
    """Replace the lock in a forked child: a thread of the parent may hold it."""
    global _writing
    _writing = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_lock)


def is_shared(gx: Any, function: Function) -> bool:
    """Return whether ``gx`` may be shared: its array is a view, or the call holds it."""
    array = gx.data if isinstance(gx, Variable) else gx
    for held in vars(function).values():
        if held is array:
            return True
        if type(held) is tuple or type(held) is list:
            for x in held:
                if x is array or (type(x) is Variable and x.data is array):
                    return True
    return backend_of(array).is_view(array)


def not_a_gradient(gx: Any, function: Function) -> GraphError:
    """Return the error for a gradient that is neither an array nor a Variable."""
    return GraphError(
        f"{type(function).__name__}.backward returned a {type(gx).__name__}; expected an array or "
        "a Variable for each input, or None where an input has no gradient"
    )


def fitted(gx: Any, array: Any, function: Function) -> Any:
    """Return ``gx`` summed to the shape of ``array``, an input that the forward broadcast."""
    if not function.broadcasts:
        raise ShapeError(
            f"{type(function).__name__}.backward gave a gradient of shape {tuple(gx.shape)} "
            f"for an input of shape {tuple(array.shape)}"
        )
    return sum_to(gx, tuple(array.shape))


def run_backward(function: Function, gy: Any) -> Any:
    """Run a backward with several outputs or hooks, or of a class outside our packages.

    An output that got no gradient counts as zeros, unless the class sets ``materialize_grads`` to
    False.
    """
    gys = list(gy) if type(gy) is list else [gy]
    for index, y in enumerate(function._result if type(gy) is list else ()):
        if gys[index] is None and function.materialize_grads:
            zeros = get_array_module(y).zeros_like(y)
            gys[index] = Variable(zeros, requires_grad=False) if plain_pass.get() is None else zeros
    return function.backward(*gys) if function._is_ours else run_foreign(function, gys)


def add_note(error: Exception, function: Function) -> None:
    """Note whose backward failed, and whether it confused arrays with Variables."""
    note = f"in {type(function).__name__}.backward"
    if is_about_mode(error):
        note += (
            ", which runs on arrays in a plain backward() and on Variables with create_graph=True; "
            "write on_variables = True in its class if it always needs Variables (self.outputs[0] "
            "is the output itself: no call)"
        )
    note_on(error, note)


def is_about_mode(error: Exception) -> bool:
    """Return whether a backward used an array as a Variable, or a Variable as an array."""
    if isinstance(error, AttributeError):
        given, name = error.obj, error.name or ""
        if isinstance(given, Variable):
            return any(hasattr(array_type, name) for array_type in by_type)
        is_array = type(given) in by_type or isinstance(given, memoryview)  # ndarray.data
        return is_array and hasattr(Variable, name)
    names = ("Variable", *(array_type.__name__ for array_type in by_type))
    texts = [f"{name}' object is not callable" for name in names] + ["'memoryview'"]
    return isinstance(error, TypeError) and any(text in str(error) for text in texts)


def leaves(function: Function) -> Iterator[Variable]:
    """The leaves among a call's inputs that want a gradient, once per use."""
    for x, needed in zip(function._given(), function._needs_grad, strict=False):
        if needed and isinstance(x, Variable) and x._creator is None:
            yield x


def count_uses(y: Variable) -> dict[Variable, int]:
    """How often each leaf behind ``y`` is used."""
    uses: dict[Variable, int] = {}
    for function in calls_behind(y):
        for x in leaves(function):
            uses[x] = uses.get(x, 0) + 1
    return uses


def on_grad_ready(callback: Callable[[Variable], None]) -> Block[Any]:
    """In this block, ``backward`` calls ``callback(leaf)`` as soon as a leaf's gradient is final.

    For data parallel training: the gradients of the last layers can be sent while those of
    the first are computed. Leaves are written one by one then, so an error may leave some.
    Use it as a block or a decorator; see `dezero_core.config.Block`.
    """
    return Block(_grad_ready, callback)


def unchain_backward(self: Variable) -> None:
    """Cut off everything this Variable was computed from (book step 59, truncated BPTT).

    Every Variable behind this one becomes a leaf that wants no gradient. This one keeps its
    own call, unless a backward has spent it: then it becomes such a leaf too, so that
    ``loss += ...; loss.backward(); loss.unchain_backward()`` can go round in a loop.
    """
    root = self.creator
    if root is None:
        return
    todo = parents(root)
    if root._arrays is None:
        root.cut_off()
    while todo:
        function = todo.pop()
        if not function._cut:
            todo.extend(parents(function))
            function.cut_off()


Variable.backward = backward  # type: ignore[method-assign]
Variable.unchain_backward = unchain_backward  # type: ignore[method-assign]
Variable.register_hook = register_hook  # type: ignore[method-assign]
