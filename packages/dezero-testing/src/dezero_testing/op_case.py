"""Define `OpCase`, a row of the op table, and check it on a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dezero_core import Variable, using_config
from dezero_core.backends.host import HostArray
from dezero_core.backends.kernels import all_kernels
from dezero_core.extend import backend_of, get_backend

from .gradients import GradientError, check_gradients, derivatives, gradients

Shapes = tuple[tuple[int, ...], ...]

UNARY: tuple[Shapes, ...] = (((3, 2),), ((),), ((1,),), ((0, 2),))
"""Shapes for an op with one input: two axes, no axes, one element, no elements."""

BINARY: tuple[Shapes, ...] = (
    ((3, 2), (3, 2)),
    ((3, 2), (2,)),
    ((3, 1), (1, 2)),
    ((), (3, 2)),
    ((1,), (1,)),
    ((0, 2), (2,)),
)
"""Shapes for an op with two inputs: equal, broadcast, one element, no elements."""


@dataclass(frozen=True)
class OpCase:
    """Describe how to test an op: the op, a reference, and the shapes of the inputs.

    Attributes:
        name: the public name of the op; a variant may follow after a space.
        function: a function that applies the op to Variables.
        reference: the same function of NumPy arrays, written without DeZero.
        shapes: shapes of the inputs, one tuple per trial. The gradients of the first trial must be
            nonzero everywhere.
        low, high: bounds of the uniform distribution of the inputs (default -2 and 2).
        integers: a dictionary from the position of an integer input to n; the values of this input
            are drawn from [0, n).
        order: the highest order of derivatives to check (default 2); 0 for ops without a gradient.
    """

    name: str
    function: Callable[..., Variable]
    reference: Callable[..., Any]
    shapes: Sequence[Shapes] = UNARY
    low: float = -2.0
    high: float = 2.0
    integers: Mapping[int, int] = field(default_factory=dict)
    order: int = 2

    @property
    def op(self) -> str:
        """Return the public name of the op, without the variant."""
        return self.name.split(" ")[0]

    def sample(self, shapes: Shapes, dtype: str = "float64") -> list[Any]:
        """Return the NumPy inputs of one trial; every call returns the same values."""
        draw = np.random.default_rng(len(self.name) + 7 * len(shapes))
        return [
            draw.integers(0, self.integers[position], shape)
            if position in self.integers
            else draw.uniform(self.low, self.high, shape).astype(dtype)
            for position, shape in enumerate(shapes)
        ]

    def requires_grad(self) -> list[bool]:
        """Return for each input whether it requires a gradient."""
        return [p not in self.integers for p in range(len(self.shapes[0]))]

    def check(self, backend: str) -> None:
        """Run every check on one backend.

        A backend without kernels runs the portable definitions, which are checked on NumPy too. On
        such a backend, `check` omits strided inputs and `check_wide_gradient`.

        Raises:
            AssertionError: the message names the row, the backend, the check and the values.
        """
        has_kernels = backend == "numpy" or any(k.backend == backend for k, _ in all_kernels())
        for shapes in self.shapes:
            self.check_forward(backend, shapes, strided=has_kernels)
            if self.order > 0:
                self.check_modes(backend, shapes)
                self.check_derivatives(backend, shapes)
        if self.order > 0:
            if has_kernels:
                self.check_wide_gradient(backend)
            self.check_nonzero()

    def variables(
        self, backend: str, hosts: Sequence[Any], strided: bool = False
    ) -> list[Variable]:
        """Return the inputs on a backend.

        Args:
            backend: the name of the backend.
            hosts: the inputs as NumPy arrays.
            strided: whether to make each input a view of every other element of a larger array
                (default False).
        """
        library = get_backend(backend)
        arrays = []
        for x in hosts:
            if strided and x.ndim > 0:
                wide = library.from_numpy(np.repeat(x, 2, axis=-1))
                arrays.append(wide[(..., slice(None, None, 2))])
            else:
                arrays.append(library.from_numpy(x))
        return [
            Variable(a, requires_grad=flag)
            for a, flag in zip(arrays, self.requires_grad(), strict=True)
        ]

    def check_forward(self, backend: str, shapes: Shapes, strided: bool = True) -> None:
        """Compare the op with the reference in each precision, and check the dtype.

        Args:
            backend: the name of the backend.
            shapes: the shapes of the inputs.
            strided: whether to check inputs that are views of larger arrays too (default True).
        """
        for dtype, rtol in precisions(backend):
            hosts = self.sample(shapes, dtype)
            expected = np.asarray(self.reference(*hosts))
            for is_view in (False, True) if strided else (False,):
                y = self.function(*self.variables(backend, hosts, is_view))
                library = backend_of(y.data)
                got = library.to_numpy(y.data)
                where = f"{self.name} on {backend}, {dtype} {shapes}, strided={is_view}"
                assert library.name == backend, f"{where}: result is on {library.name}"
                assert got.shape == expected.shape, f"{where}: {got.shape} for {expected.shape}"
                if self.order > 0:
                    assert got.dtype.name == dtype, f"{where}: result is {got.dtype}"
                np.testing.assert_allclose(got, expected, rtol, atol=rtol, err_msg=where)

    def check_modes(self, backend: str, shapes: Shapes) -> None:
        """Check that gradients are bitwise equal with ``create_graph``, and ``gy`` is unchanged."""
        library = get_backend(backend)
        for dtype, _ in precisions(backend):
            xs = self.variables(backend, self.sample(shapes, dtype))
            runs = []
            for create_graph in (False, True):
                y = self.function(*xs)
                v = np.sin(2.0 + np.arange(y.size)).reshape(y.shape).astype(dtype)
                gy = library.from_numpy(v)
                if isinstance(gy, np.ndarray):
                    gy.flags.writeable = False
                runs.append(gradients(y, xs, gy, create_graph))
                after = library.to_numpy(gy)
                assert np.array_equal(after, v), f"{self.name} on {backend} wrote to gy"
            for position, (plain, graph) in enumerate(zip(*runs, strict=True)):
                where = f"{self.name} on {backend}, {dtype} {shapes}, input {position}"
                if not self.requires_grad()[position]:
                    continue
                assert plain is not None and graph is not None, f"{where}: no gradient"
                a, b = library.to_numpy(plain.data), library.to_numpy(graph.data)
                assert a.dtype.name == b.dtype.name == dtype, f"{where}: {a.dtype}, {b.dtype}"
                assert a.tobytes() == b.tobytes(), f"{where}: modes differ: {a} and {b}"

    def check_wide_gradient(self, backend: str) -> None:
        """Check that the gradient of a float32 result may be of float64.

        A product with a float64 array passes such a gradient to its float32 factor.
        """
        library = get_backend(backend)
        if "float64" not in library.capabilities:
            return
        xs, runs = self.variables(backend, self.sample(self.shapes[0], "float32")), []
        for dtype in ("float32", "float64"):
            y = self.function(*xs)
            v = library.from_numpy(np.sin(2.0 + np.arange(y.size)).reshape(y.shape).astype(dtype))
            runs.append(gradients(y * Variable(v, requires_grad=False), xs, v))
        for position, (narrow, wide) in enumerate(zip(*runs, strict=True)):
            if self.requires_grad()[position]:
                assert narrow is not None and wide is not None
                a, b = (library.to_numpy(gradient.data) for gradient in (narrow, wide))
                where = f"{self.name} on {backend}: a float64 gradient, input {position}"
                np.testing.assert_allclose(b, a, 1e-4, 1e-4 * np.max(np.abs(a)), err_msg=where)

    def check_derivatives(self, backend: str, shapes: Shapes) -> None:
        """Compare first and second derivatives on NumPy with central differences.

        On any other backend, compare the derivatives with those on NumPy.
        """
        hosts, requires_grad = self.sample(shapes), self.requires_grad()
        label = f"{self.name} on {backend} {shapes}"
        if backend == "numpy":
            check_gradients(
                self.function,
                *hosts,
                order=self.order,
                requires_grad=requires_grad,
                backend=backend,
                name=label,
            )
            return
        with using_config("update_buffers", False):
            found, expected = (
                derivatives(
                    self.function, hosts, requires_grad, get_backend(name), self.order, label
                )
                for name in (backend, "numpy")
            )
            for got, right in zip(found, expected, strict=True):
                if not close(got.value, right.value):
                    raise GradientError(f"{got.label}: got {got.value}, NumPy {right.value}")

    def check_nonzero(self) -> None:
        """Check on NumPy that the first trial's gradients have no zeros.

        A zero would hide a wrong factor; other backends are compared with NumPy.
        """
        xs = self.variables("numpy", self.sample(self.shapes[0]))
        y = self.function(*xs)
        gy = np.cos(1.0 + np.arange(y.size)).reshape(y.shape)
        for position, gradient in enumerate(gradients(y, xs, gy)):
            if self.requires_grad()[position]:
                if gradient is None or not np.all(np.abs(gradient.data) > 1e-6):
                    raise GradientError(f"{self.name}: zero in the gradient of input {position}")


def precisions(backend: str) -> list[tuple[str, float]]:
    """Return the dtypes to test on a backend, each with its relative tolerance."""
    doubles = [("float64", 1e-12)] if "float64" in get_backend(backend).capabilities else []
    return [*doubles, ("float32", 1e-5)]


def close(a: HostArray, b: HostArray) -> bool:
    """Return whether ``a`` and ``b`` differ by at most 1e-6 times the largest element of ``b``."""
    limit = 1e-7 + 1e-6 * np.max(np.abs(b), initial=0.0)
    return bool(a.shape == b.shape and np.all(np.abs(a - b) <= limit))
