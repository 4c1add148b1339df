"""Gradients, Jacobians and Hessians as values, on every backend."""

from typing import Any

import numpy as np
import pytest

from dezero_core import Function, Variable, grad, hessian, hvp, jacobian, jvp
from dezero_core import functions as F
from dezero_core.errors import ArgumentError, ArgumentTypeError, GraphError, ShapeError
from dezero_core.extend import get_backend

POINT = np.array([0.5, -1.0, 2.0])


def at(backend: str, x: Any = POINT) -> Variable:
    return Variable(get_backend(backend).from_numpy(x))


def host(x: Variable) -> Any:
    return get_backend("numpy").to_numpy(x.to_cpu().data)


def rosenbrock(x: Any) -> Any:
    return F.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_grad_leaves_every_grad_alone(backend: str) -> None:
    x, w = at(backend), at(backend)
    y = x * w
    z = F.sum(y * y)
    gx, gy, gz = grad(z, [x, y, z])
    np.testing.assert_allclose(host(gx), 2 * POINT**3)
    np.testing.assert_allclose(host(gy), 2 * POINT**2)
    assert host(gz) == 1.0
    assert x.grad is None and w.grad is None and y.grad is None and z.grad is None
    assert not gx.requires_grad
    with pytest.raises(GraphError, match="retain_graph=True"):
        grad(z, x)


def test_grad_of_a_grad() -> None:
    x = at("numpy")
    gx = grad(F.sum(x**3), x, create_graph=True)
    ggx = grad(gx, x, gy=np.array([1.0, 0.0, 2.0]))
    assert ggx.data.tolist() == [3.0, 0.0, 24.0]


def test_grad_does_not_report_to_on_grad_ready() -> None:
    from dezero_core.extend import on_grad_ready

    x, told = at("numpy"), []
    with on_grad_ready(told.append):
        assert grad(F.sum(x * x), x).shape == (3,)
    assert told == []


def test_what_grad_cannot_do() -> None:
    x, other = at("numpy"), at("numpy")
    assert grad(F.sum(x), other) is None
    assert grad(F.sum(x), [other, x])[0] is None
    with pytest.raises(GraphError, match="no graph"):
        grad(x.detach(), x)
    with pytest.raises(ShapeError, match=r"grad: got shape \(2,\)"):
        grad(x * x, x, np.ones(2))


def test_jacobian(backend: str) -> None:
    def function(x: Any) -> Any:
        return F.stack([x[0] * x[1], F.sin(x[2]), x[0] ** 2, x[1]])

    J = jacobian(function, at(backend))
    a, b, c = POINT
    expected = [[b, a, 0], [0, 0, np.cos(c)], [2 * a, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(host(J), expected, atol=1e-15)
    assert jacobian(lambda x: F.reshape(x * x, (3, 1)), POINT).shape == (3, 1, 3)


def test_hessian_and_its_products(backend: str) -> None:
    H = host(hessian(rosenbrock, at(backend)))
    a, b, c = POINT
    expected = [
        [1200 * a * a - 400 * b + 2, -400 * a, 0],
        [-400 * a, 202 + 1200 * b * b - 400 * c, -400 * b],
        [0, -400 * b, 200],
    ]
    np.testing.assert_allclose(H, expected)
    v = get_backend(backend).from_numpy(np.array([1.0, -2.0, 0.5]))
    np.testing.assert_allclose(host(hvp(rosenbrock, at(backend), v)), H @ [1.0, -2.0, 0.5])


def test_a_hessian_with_a_graph_has_derivatives() -> None:
    x = Variable(POINT)
    F.sum(hessian(rosenbrock, x, create_graph=True)).backward()
    a, b, _ = POINT  # x.grad is the gradient of the sum of the elements of H
    np.testing.assert_allclose(x.grad.data, [2400 * a - 800, -400 + 2400 * b - 800, -400])


def test_jacobian_times_a_direction(backend: str) -> None:
    def function(x: Any) -> Any:
        return F.exp(x[:2]) * F.sum(x * x)

    v = get_backend(backend).from_numpy(np.array([1.0, -2.0, 0.5]))
    y, product = jvp(function, at(backend), v)
    np.testing.assert_allclose(host(y), host(function(at(backend))))
    expected = host(jacobian(function, at(backend))) @ [1.0, -2.0, 0.5]
    np.testing.assert_allclose(host(product), expected)


def test_the_derivative_along_several_directions() -> None:
    draw = np.random.default_rng(0)
    (a, b), (da, db) = draw.normal(size=(2, 3, 3)), draw.normal(size=(2, 3, 3))
    y, product = jvp(F.matmul, (a, Variable(b)), (da, db))
    assert not product.requires_grad
    np.testing.assert_allclose(y.data, a @ b)
    np.testing.assert_allclose(product.data, da @ b + a @ db)
    second = jvp(lambda x: jvp(lambda z: z**3, x, POINT)[0], POINT, POINT)[1]
    np.testing.assert_allclose(second.data, 3 * POINT**3)


CONSTANT = Variable(np.ones(3), requires_grad=False)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x, POINT), (lambda x: 2 * x, 2 * POINT), (lambda x: CONSTANT, 0 * POINT),
        (lambda x: x.detach(), 0 * POINT), (lambda x: x[:0], POINT[:0]),
    ],
)  # fmt: skip
def test_derivatives_along_x_of_simple_functions(function: Any, expected: Any) -> None:
    assert jvp(function, POINT, POINT)[1].data.tolist() == expected.tolist()


def test_wrong_directions() -> None:
    with pytest.raises(ArgumentError, match="jvp: got 1 points and 2 directions"):
        jvp(F.sum, POINT, (POINT, POINT))
    with pytest.raises(ShapeError, match=r"jvp: x has shape \(3,\) and v \(2,\)"):
        jvp(F.sum, POINT, POINT[:2])


def test_newtons_method_in_several_dimensions() -> None:
    x = np.array([1.2, 1.2])
    for _ in range(8):
        gx = grad(rosenbrock(v := Variable(x)), v)
        x = x - np.linalg.solve(hessian(rosenbrock, x).data, gx.data)
    np.testing.assert_allclose(x, [1.0, 1.0])


def test_derivatives_of_what_does_not_depend_on_x_are_zeros() -> None:
    assert jacobian(lambda x: Variable(np.ones(2)) * 2, POINT).data.tolist() == [[0] * 3] * 2
    assert jacobian(lambda x: x[:0], POINT).shape == (0, 3)
    assert hessian(lambda x: 2 * x, POINT).data.tolist() == [[0] * 3] * 3
    assert hvp(lambda x: 2 * x, POINT, POINT).data.tolist() == [0, 0, 0]


def test_a_jacobian_can_be_differentiated() -> None:
    x = Variable(POINT)
    F.sum(jacobian(lambda x: x**3, x, create_graph=True)).backward()
    np.testing.assert_allclose(x.grad.data, 6 * POINT)


def test_gradients_of_computed_variables_are_stored_only_on_request(monkeypatch: Any) -> None:
    from dezero_core import watched_pass

    copied = []
    monkeypatch.setattr(watched_pass, "pos", lambda g: copied.append(g) or F.pos(g))
    x = at("numpy")
    y = x
    for _ in range(50):
        y = F.sin(y)
    grad(y, x, retain_graph=True)
    assert copied == []
    (middle,) = y.creator.inputs
    assert grad(y, middle, retain_graph=True) is not None
    assert len(copied) == 1
    y.backward(retain_grad=True)
    assert len(copied) >= 49


def test_importing_core_does_not_import_what_runs_programs() -> None:
    import subprocess
    import sys

    code = "import sys, numpy, pluggy; before = 'subprocess' in sys.modules\n"
    code += "import dezero_core; print(before or 'subprocess' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).stdout == b"True\n"


class Counted(Function):
    """Returns its input, and counts how often its backward runs and for which inputs."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log

    def forward(self, *xs: Any) -> Any:
        return sum(xs[1:], start=xs[0] * 1)

    def backward(self, gy: Any) -> Any:
        self.log.append(self.needs_grad)
        return (gy,) * len(self.inputs)


@pytest.mark.parametrize("create_graph", [False, True])
def test_grad_computes_only_what_leads_to_xs(create_graph: bool) -> None:
    behind: list[Any] = []
    beside: list[Any] = []
    join: list[Any] = []
    x, w, z = (at("numpy") for _ in range(3))
    h = Counted(behind)(x, w)
    y = F.sum(Counted(join)(h * h, Counted(beside)(z)))
    for xs, ran in (
        ([x], ([(True, False)], [], [(True, False)])),
        ([h], ([], [], [(True, False)])),
        ([z], ([], [(True,)], [(False, True)])),
        ([x, z], ([(True, False)], [(True,)], [(True, True)])),
        ([h, w], ([(False, True)], [], [(True, False)])),
    ):
        for log in (behind, beside, join):
            log.clear()
        found = grad(y, xs, create_graph=create_graph, retain_graph=True)
        assert (behind, beside, join) == ran
        for x_i, g in zip(xs, found, strict=True):
            expected = np.ones(3) if x_i is z else 2 * h.data
            assert np.array_equal(g.data, expected)
    assert grad(y, at("numpy"), retain_graph=True) is None
    assert x.grad is w.grad is z.grad is None


def test_grad_leaves_what_it_does_not_need_for_a_later_backward() -> None:
    x = at("numpy")
    h = F.sin(x)
    y = F.sum(h * h)
    gh = grad(y, h)
    h.backward(gradient=gh)
    np.testing.assert_allclose(x.grad.data, 2 * np.sin(x.data) * np.cos(x.data))


def test_grad_through_a_freed_graph_raises() -> None:
    x = at("numpy")
    h = F.sin(x)
    F.sum(h).backward()
    with pytest.raises(GraphError, match="freed"):
        grad(F.sum(h * 2), x)


class ByOutput(Function):
    """y = exp(x z); its backward reads the output."""

    def forward(self, x: Any, z: Any) -> Any:
        return np.exp(x * z)

    def backward(self, gy: Any) -> Any:
        (x, z), (y,) = self.inputs, self.outputs
        return gy * y * z, gy * y * x


@pytest.mark.parametrize(
    "op",
    [
        lambda x, w: w / x,
        lambda x, w: w**x,
        lambda x, w: ByOutput()(x, w),
        lambda x, w: F.exp(x * w) / w,
        lambda x, w: F.tanh(x / w) * F.sqrt(w / x),
        lambda x, w: F.logsumexp(F.stack([x / w, w * x])),
    ],
)
@pytest.mark.parametrize("leaves", [True, False])
def test_mixed_second_derivatives_of_what_grad_computes(op: Any, leaves: bool) -> None:
    x, w = Variable(np.array(1.3)), Variable(np.array(0.7))
    a, b = (x, w) if leaves else (x * 1.0, w * 1.0)
    y = op(a, b)
    masked = grad(grad(y, a, create_graph=True), w, retain_graph=True)
    y = op(a, b)
    y.backward(create_graph=True, retain_grad=not leaves)
    whole, a.grad, w.grad = a.grad, None, None
    np.testing.assert_allclose(masked.data, grad(whole, w).data)
    e = 1e-5
    near = [op(Variable(x.data + i), Variable(w.data + j)).data for i in (e, -e) for j in (e, -e)]
    numeric = (near[0] - near[1] - near[2] + near[3]) / (4 * e * e)
    np.testing.assert_allclose(masked.data, numeric, rtol=1e-4)


def test_grad_visits_no_freed_part_that_does_not_lead_there() -> None:
    x, w = at("numpy"), at("numpy")
    h = x * x
    F.sum(h * 2).backward()
    assert np.array_equal(grad(F.sum(h * w), w).data, h.data)


def test_grad_of_the_root_an_output_without_use_and_no_variable() -> None:
    x = at("numpy")
    y = x * 2
    y.register_hook(lambda g: g * 10)
    root, leaf = grad(y, [y, x], retain_graph=True)
    assert np.all(root.data == 10) and np.all(leaf.data == 20)
    y.backward(retain_grad=True)
    assert np.all(y.grad.data == 10) and np.all(x.grad.data == 20)
    used, unused = Halves()(x)
    assert grad(F.sum(used), [unused, x])[0] is None
    for wrong in ("x", np.ones(3), [x, 1.0], None):
        with pytest.raises(ArgumentTypeError, match=r"write grad\(y, x\)"):
            grad(x * 2, wrong)


class Halves(Function):
    def forward(self, x: Any) -> Any:
        return x / 2, x / 2

    def backward(self, g0: Any, g1: Any) -> Any:
        return (g0 + g1) / 2


class Uncopyable(Function):
    def __new__(cls, factor: float) -> Any:
        return super().__new__(cls)

    def __init__(self, factor: float) -> None:
        self.factor, self.calls = factor, 0

    def __copy__(self) -> Any:
        raise RuntimeError("no copies")

    def forward(self, x: Any, z: Any) -> Any:
        return x * z * self.factor

    def backward(self, gy: Any) -> Any:
        x, z = self.inputs
        self.calls += 1
        return gy * z * self.factor, gy * x * self.factor


def test_grad_copies_no_function() -> None:
    x, z, call = at("numpy"), at("numpy"), Uncopyable(3.0)
    found = grad(F.sum(call(x, z)), x)
    assert np.array_equal(found.data, 3 * z.data) and call.calls == 1
