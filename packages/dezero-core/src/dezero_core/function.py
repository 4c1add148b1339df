"""Define Function, the base class of ops; an instance is one call and its record in the graph.

This file and `backward_pass` are the hot path: they run for every op. Therefore calls with one or
two inputs have separate code without loops, and outputs are created without calling
``Variable.__init__``; docs/adr/0001 gives the timings.
"""

from __future__ import annotations

from itertools import count
from typing import Any
from weakref import ref

from .backends.interface import Array
from .backends.registry import by_type, current_device, on_device_of
from .backward_modes import ALL, OUR_PACKAGES, narrowed_needs, plain_pass
from .config import Config, enable_backprop
from .diagnosis import (
    admit_inputs,
    admit_output,
    is_beside,
    raise_explained,
    replaced,
    require_broadcastable,
    require_one_backend,
)
from .errors import GraphError
from .hints import FUNCTION, bind
from .variable import AnyArray, Operand, Variable

NONE, LEFT, RIGHT, BOTH = (False, False), (True, False), (False, True), (True, True)
ONE = (True,)
UNKNOWN: tuple[bool, ...] = ()
NO_INPUT: Any = object()

_next_serial = count(1).__next__
_arrays_mode = plain_pass.get
_narrowed = narrowed_needs.get
_blocks = enable_backprop.entries.get
_new = object.__new__


class Function:
    """Base class of ops: ``forward`` computes on arrays, ``backward`` returns gradients.

    A subclass stores its settings in ``__init__``, computes in ``forward(*arrays)`` and returns
    the gradients from ``backward(*gys)``: one for each input, None for an input without gradient.
    ``backward`` reads ``self.inputs`` and ``self.outputs``, which are freed with the graph::

        class Square(Function):
            def forward(self, x):
                return x * x

            def backward(self, gy):
                (x,) = self.inputs
                return gy * 2 * x

    Write ``backward`` with operators and DeZero's functions, not with methods of Variables: it
    runs on arrays by default, and on Variables with ``create_graph=True``. A class whose
    ``backward`` needs Variables, like the book's classes, sets ``on_variables = True``.

    Attributes:
        on_variables: whether ``backward`` always runs on Variables. By default (None), a
            ``backward`` that reads ``.data`` or changes something in place is assumed to need
            Variables; the first such class causes a `FunctionWarning`.
        broadcasts: whether inputs broadcast against each other. If True, each gradient is summed to
            the shape of its input. If False, a gradient whose shape is different from the shape of
            its input is an error.
        materialize_grads: whether ``backward`` gets zeros (the default) or None for an output
            without gradient.
        inputs, outputs: the inputs and outputs of the call, for use in ``backward``.
        needs_grad: one flag per input; if a flag is False, ``backward`` may return None for that
            input.

    A subclass may set any other attribute that does not start with an underscore.
    """

    on_variables: bool | None = None
    broadcasts = False
    materialize_grads = True
    _is_ours = True  # whether the class is from DeZero's packages, see `backward_modes`
    _is_special = False  # whether the class is not from DeZero, or the call has hooks
    _needs_grad: tuple[bool, ...] = UNKNOWN
    _serial = 0  # the serial number of a recorded call, from 1
    _cut = False  # whether `unchain_backward` has removed this call from the graph
    _x0: Any = ()  # the first of one or two inputs; a tuple of all inputs if there are more
    _x1: Any = NO_INPUT
    _arrays: tuple[Any, ...] | None = None
    _result: Any = None
    _hooks: dict[int, dict[Any, Any]] | None = None  # keys are output indices; see `variable_hooks`

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._is_ours = cls.__module__.partition(".")[0] in OUR_PACKAGES
        cls._is_special = not cls._is_ours

    def __call__(self, *inputs: Operand | None) -> Any:
        """Compute the outputs, and record the call if an input requires grad.

        Args:
            *inputs: Variables, arrays and Python scalars; None for an omitted input.

        Returns:
            A Variable, or a tuple of Variables. In a backward pass without ``create_graph``, the
            outputs are arrays if no input is a Variable.

        Raises:
            GraphError: this instance has been called before.
            BackendMismatch: the inputs are arrays of different libraries or devices.
            ShapeError: the shapes of the inputs are incompatible.
        """
        if self._needs_grad is not UNKNOWN:
            raise GraphError(
                f"{type(self).__name__}: this instance was called before and is part of a "
                "graph; make a new instance for every call"
            )
        needs_grad: tuple[bool, ...]
        only_raw = True  # whether no input is a Variable
        some_raw = False  # whether an input is a plain array or number, not a Variable
        n = len(inputs)
        if n == 2:
            x0, x1 = inputs
            if isinstance(x0, Variable):
                a0, creator, only_raw = x0.data, x0._creator, False
                need0 = x0._requires_grad if creator is None else not creator._cut
            else:
                a0, need0, some_raw = x0, False, True
            if isinstance(x1, Variable):
                a1, creator, only_raw = x1.data, x1._creator, False
                need1 = x1._requires_grad if creator is None else not creator._cut
            else:
                a1, need1, some_raw = x1, False, True
            if type(a0) is not type(a1) or type(a0) not in by_type:
                if not is_beside_number(x0, x1):
                    a0, a1 = require_one_backend(self, inputs, (a0, a1))
            elif some_raw and not _arrays_mode():
                a0, a1 = admit_inputs(self, inputs, (a0, a1))
            arrays: tuple[Any, ...] = (a0, a1)
            # share tuples between calls, because one tuple per call would use more memory
            needs_grad = (BOTH if need1 else LEFT) if need0 else (RIGHT if need1 else NONE)
            need_any = need0 or need1
        elif n == 1:
            (x0,) = inputs
            if isinstance(x0, Variable):
                a0, creator, only_raw = x0.data, x0._creator, False
                need_any = x0._requires_grad if creator is None else not creator._cut
            else:
                a0, need_any, some_raw = x0, False, True
            if type(a0) not in by_type:
                (a0,) = require_one_backend(self, inputs, (a0,))
            elif some_raw and not _arrays_mode():
                (a0,) = admit_inputs(self, inputs, (a0,))
            arrays, needs_grad = (a0,), ONE
        else:
            datas, flags, types = [], [], set()
            for x in inputs:
                if isinstance(x, Variable):
                    array, creator, only_raw = x.data, x._creator, False
                    flags.append(x._requires_grad if creator is None else not creator._cut)
                    types.add(type(array))
                    datas.append(array)
                else:
                    some_raw = some_raw or x is not None  # None is an omitted input, such as a bias
                    flags.append(False)
                    datas.append(x)
            arrays, needs_grad, need_any = tuple(datas), tuple(flags), True in flags
            if some_raw or len(types) != 1 or type(arrays[0]) not in by_type:
                arrays = require_one_backend(self, inputs, arrays)
            a0 = arrays[0]

        try:
            if current_device:  # the program uses a library with multiple devices
                with on_device_of(*arrays):
                    y = self.forward(*arrays)
            elif n == 2:  # faster than unpacking a tuple
                y = self.forward(a0, a1)
            else:
                y = self.forward(*arrays)
        except Exception as error:
            raise_explained(self, inputs, arrays, error)

        if type(y) is not type(a0):
            if isinstance(y, tuple):
                return self._wrap_outputs(inputs, arrays, needs_grad, need_any, only_raw, y)
            backend = by_type.get(type(y))  # NumPy returns scalars instead of 0-d arrays
            y = admit_output(self, y) if backend is None else backend.asarray(y)
        if not need_any and only_raw and _arrays_mode():
            return y
        output = _new(Variable)  # as in `leaf_of`, inlined for speed
        output.data = y
        output.name = output._grad = output._hooks = output._index = None
        if need_any:
            blocks = _blocks()  # `enable_backprop.get`, inlined for speed
            if not blocks:
                recording = enable_backprop.default
            elif blocks[-1].ended:
                recording = enable_backprop.get()
            else:
                recording = blocks[-1].value
            if recording:
                if n == 2:  # no tuple, because the garbage collector would visit it
                    self._x0, self._x1 = inputs
                else:
                    self._x0 = inputs[0] if n == 1 else inputs
                self._arrays, self._result = arrays, y
                self._needs_grad, self._serial = needs_grad, _next_serial()
                output._creator, output._requires_grad = self, True
                return output
        output._creator, output._requires_grad = None, False
        return output

    def _wrap_outputs(
        self,
        inputs: tuple[Any, ...],
        arrays: tuple[Any, ...],
        needs_grad: tuple[bool, ...],
        need_any: bool,
        only_raw: bool,
        ys: tuple[Any, ...],
    ) -> tuple[Any, ...]:
        """Wrap multiple outputs in Variables, and record the call."""
        ys = tuple([admit_output(self, y) for y in ys])
        if not need_any and only_raw and _arrays_mode():
            return ys
        outputs = tuple([leaf_of(y) for y in ys])
        if need_any and Config.enable_backprop:
            one, two = len(inputs) == 1, len(inputs) == 2
            self._x0, self._x1 = inputs if two else (inputs[0] if one else inputs, NO_INPUT)
            self._arrays, self._result = arrays, ys
            self._needs_grad, self._serial = needs_grad, _next_serial()
            for index, output in enumerate(outputs):
                output._creator, output._index, output._requires_grad = self, index, True
        return outputs

    # ``settings`` are never passed; they let type checkers accept the signatures of subclasses.

    def forward(self, *xs: Any, **settings: Any) -> Any:
        """Compute the output, an array or a tuple of arrays, from arrays and Python scalars."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, *gys: Any, **settings: Any) -> Any:
        """Return the gradient of each input, given the gradient of each output."""
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    def diagnose(self, *arrays: Any) -> None:
        """Raise an error that explains why ``forward`` failed, if the inputs show the reason."""
        if self.broadcasts:
            require_broadcastable(self, arrays)

    @property
    def needs_grad(self) -> tuple[bool, ...]:
        """Return, for each input, whether this backward pass needs the gradient of the input."""
        flags = _narrowed()
        return self._needs_grad if flags is ALL else flags.get(self._serial, self._needs_grad)

    @needs_grad.setter
    def needs_grad(self, value: object) -> None:
        raise belongs_to_graph(self, "needs_grad")

    def _call_inputs(self) -> tuple[Any, ...]:
        """Return the inputs as passed to the call, or what `_free` stored for a freed call."""
        x0, x1 = self._x0, self._x1
        if x1 is not NO_INPUT:
            return x0, x1
        return x0 if type(x0) is tuple else (x0,)

    @property
    def inputs(self) -> tuple[Any, ...]:
        """Return the inputs: arrays in a backward pass without ``create_graph``, else as passed.

        If the data of a Variable was replaced after the call, the returned input has the original
        array. As in the book, a class that a user defines gets Variables instead of arrays.
        """
        arrays = self._arrays
        if arrays is None:
            raise freed(self)
        if _arrays_mode():
            return arrays
        xs = self._call_inputs()
        for x, a in zip(xs, arrays):  # noqa: B905 (hot)
            if not isinstance(x, Variable) or x.data is not a:
                return tuple([as_recorded(self, *p) for p in zip(xs, arrays, strict=True)])
        return xs

    @inputs.setter
    def inputs(self, value: object) -> None:
        raise belongs_to_graph(self, "inputs")

    @property
    def outputs(self) -> tuple[Any, ...]:
        """Return the outputs: Variables, or arrays in a backward pass without ``create_graph``."""
        if self._arrays is None:
            raise freed(self)
        has_index = type(self._result) is tuple
        results = self._result if has_index else (self._result,)
        if _arrays_mode():
            return tuple(results)
        outputs = tuple([Variable(y) for y in results])  # a call stores only the arrays
        for index, output in enumerate(outputs):
            output._creator, output._index = self, index if has_index else None
        return outputs

    @outputs.setter
    def outputs(self, value: object) -> None:
        raise belongs_to_graph(self, "outputs")

    def _free(self) -> None:
        """Drop the arrays and Variables of the call when no backward pass needs them any more.

        Replace each input by the call that computed it, or by a weak reference to a leaf.
        """
        x0, x1 = self._x0, self._x1
        if self._needs_grad is BOTH:
            self._x0, self._x1 = x0._creator or ref(x0), x1._creator or ref(x1)
        elif type(x0) is tuple:
            self._x0 = tuple([x._creator or ref(x) for x in x0 if isinstance(x, Variable)])
        else:
            self._x0 = (x0._creator or ref(x0)) if isinstance(x0, Variable) else None
            self._x1 = (x1._creator or ref(x1)) if isinstance(x1, Variable) else NO_INPUT
        self._arrays = self._result = None

    def _cut_off(self) -> None:
        """Remove the call from the graph, so that its outputs have no creator."""
        self._cut = True
        self._x0, self._x1 = (), NO_INPUT
        self._arrays = self._result = None


def leaf_of(y: Array) -> Variable:
    """Return ``Variable(y, requires_grad=False)`` for an array that needs no check."""
    output = _new(Variable)
    output.data = y
    output.name = output._grad = output._hooks = output._index = output._creator = None
    output._requires_grad = False
    return output


class Recorded(Function):
    """Return the original array of a Variable whose data was replaced after a call used it."""

    def __init__(self, array: Array) -> None:
        self.array = array

    def forward(self, x: Array) -> Array:
        return self.array

    def backward(self, gy: AnyArray) -> AnyArray:
        return gy


def as_recorded(function: Function, x: Any, array: Array) -> Any:
    """Return the input ``x`` with its original data ``array``, as `Function.inputs` describes.

    Raises:
        GraphError: the shape, library or device of the data of ``x`` has changed.
    """
    if not isinstance(x, Variable):
        is_as_passed = function._is_ours or type(x) not in by_type
        return x if is_as_passed else Variable(array, requires_grad=False)
    if x.data is array:
        return x
    if is_beside(x.data, array):
        return Recorded(array)(x)
    raise replaced(x, array)


NUMBERS = frozenset({bool, int, float})


def is_beside_number(x0: object, x1: object) -> bool:
    """Return whether one input is a Variable with an array, and the other a Python number."""
    if type(x1) in NUMBERS:
        return isinstance(x0, Variable) and type(x0.data) in by_type
    return type(x0) in NUMBERS and isinstance(x1, Variable) and type(x1.data) in by_type


def freed(function: Function, root: Function | None = None) -> GraphError:
    """Return the error for a call whose arrays an earlier backward pass has freed.

    ``root`` is the call where this backward pass started; None means ``function``. If ``root`` is
    another call, its result depends on the freed call, as the states of a recurrent layer do.
    """
    what = (
        f"{type(function).__name__}: an earlier backward() went through this part of the graph "
        "and freed it; "
    )
    again = "pass retain_graph=True to that backward() to go through it again"
    if root is None or root is function:
        return GraphError(what + again)
    return GraphError(
        f"{what}if a recurrent layer's state leads here, call reset_state() before a new "
        "sequence, or loss.unchain_backward() after each backward() to go on with the state; "
        f"else {again}"
    )


def belongs_to_graph(function: Function, name: str) -> GraphError:
    """Return the error for a subclass that sets an attribute reserved for the graph."""
    return GraphError(
        f"{type(function).__name__}: self.{name} belongs to the graph, which sets it at the call; "
        "choose another name"
    )


bind(FUNCTION, Function)
