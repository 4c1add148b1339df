"""Variable: what it takes, shows, moves and copies."""

import copy
import pickle

import numpy as np
import pytest

from dezero_core import Buffer, DezeroError, Parameter, Variable, as_array, as_variable
from dezero_core import functions as F
from dezero_core.backends.transfer import transfers
from dezero_core.errors import (
    ArgumentError,
    BackendMismatch,
    GraphError,
    ShapeError,
    UnsupportedType,
)
from dezero_core.extend import backend_of, get_backend


@pytest.mark.parametrize("wrong", [[1, 2], 1.0, "x", (1,), {}, np], ids=repr)
def test_only_arrays_are_taken(wrong: object) -> None:
    with pytest.raises(UnsupportedType, match="is not supported: expected an array") as caught:
        Variable(wrong)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, DezeroError)
    assert "numpy:ndarray" in str(caught.value)


def test_attributes_are_those_of_the_array(backend: str) -> None:
    x = Variable(get_backend(backend).from_numpy(np.ones((2, 3), "float32")), name="x")
    assert (x.shape, x.ndim, x.size, len(x), x.name) == ((2, 3), 2, 6, 2, "x")
    assert x.dtype == x.data.dtype
    assert x.T.shape == (3, 2)
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == (3, 2)
    assert x.reshape(-1).shape == (6,)
    assert x.transpose().shape == x.transpose(1, 0).shape == x.transpose((1, 0)).shape == (3, 2)
    assert float(x.sum()) == 6.0
    assert x.sum(axis=0, keepdims=True).shape == (1, 3)
    assert x.dot(x.T).shape == x.matmul(x.T).shape == (2, 2)


def test_repr_is_the_books() -> None:
    assert repr(Variable(np.array([1, 2, 3]))) == "variable([1 2 3])"
    assert repr(Variable(None)) == "variable(None)"
    assert repr(Parameter(np.arange(4).reshape(2, 2))) == "variable([[0 1]\n          [2 3]])"


def test_numbers_come_out_of_one_element(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.array([[2.5]])))
    assert (float(x), int(x), x.item(), bool(x)) == (2.5, 2, 2.5, True)
    assert type(Variable(library.from_numpy(np.array(3))).item()) is int
    assert type(Variable(library.from_numpy(np.array(True))).item()) is bool
    with pytest.raises(ShapeError, match=r"shape \(2,\)"):
        float(Variable(library.from_numpy(np.ones(2))))
    with pytest.raises(TypeError):
        len(Variable(library.from_numpy(np.array(1.0))))


def test_who_wants_a_gradient() -> None:
    array = np.ones(2)
    assert Variable(array).requires_grad
    assert Parameter(array).requires_grad
    assert not Buffer(array).requires_grad
    assert not as_variable(array).requires_grad
    assert not as_variable(2.0).requires_grad
    x = Variable(array)
    assert as_variable(x) is x
    assert F.sin(x).requires_grad
    assert not F.sin(array).requires_grad
    assert (x + array).requires_grad
    assert not (Buffer(array) + array).requires_grad


def test_requires_grad_is_set_on_leaves_only() -> None:
    x = Variable(np.ones(2), requires_grad=False)
    x.requires_grad = True
    y = x * 2
    with pytest.raises(GraphError, match=r"leaves only.*Mul"):
        y.requires_grad = False
    y.unchain()
    assert not y.requires_grad
    assert y.creator is None
    y.requires_grad = True
    (y * 3).backward()
    assert x.grad is None
    assert y.grad is not None


def test_scalars_become_arrays() -> None:
    assert as_array(2.0).shape == ()
    assert as_array([1]) == [1]
    assert backend_of(as_array(1.0, get_backend("strict").xp)).name == "strict"
    assert isinstance(Variable(np.float32(3)).data, np.ndarray)


def test_moving_takes_the_gradient_along_and_is_counted() -> None:
    x = Variable(np.ones(2))
    (x * 2).backward()
    before = transfers.copy()
    assert x.to_gpu() is x
    assert backend_of(x.data).name == backend_of(x.grad.data).name == "cuda"
    assert transfers["from_host"] - before["from_host"] == 2
    x.to_gpu()
    assert transfers["from_host"] - before["from_host"] == 2, "it was there already"
    x.to_cpu()
    assert transfers["to_host"] - before["to_host"] == 2
    assert isinstance(x.grad.data, np.ndarray)
    assert backend_of(x.to("strict").data).name == "strict"


def test_copies_carry_data_but_no_graph() -> None:
    p = Parameter(np.arange(3.0), name="p")
    for other in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(other) is Parameter
        assert other.name == "p"
        assert np.array_equal(other.data, p.data)
        assert other.data is not p.data
    with pytest.raises(GraphError, match="Sin"):
        copy.deepcopy(F.sin(p))


def test_copies_and_moves_of_a_buffer_keep_reduce() -> None:
    for reduce in ("mean", None):
        x = Buffer(np.ones(1), "x", reduce=reduce)
        copies = [copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))]
        for other in [x.to_gpu(), *copies]:
            assert (other.reduce, other.name, other.requires_grad) == (reduce, "x", False)
    with pytest.raises(ArgumentError, match="Buffer: reduce is 'sum'; expected 'mean' or None"):
        Buffer(np.ones(1), reduce="sum")
    with pytest.raises(AttributeError, match="reduces"):
        x.reduces = "mean"  # type: ignore[attr-defined]


def test_numpy_takes_the_data_of_the_host_and_no_other() -> None:
    x = Variable(np.arange(6.0).reshape(2, 3))
    got = np.asarray(x)
    assert got is x.data
    assert np.array(x, dtype="float32").dtype == np.float32
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(Variable(get_backend("cuda").from_numpy(x.data)))


def test_a_gradient_has_the_shape_of_its_data(backend: str) -> None:
    library = get_backend(backend)
    x = Variable(library.from_numpy(np.ones((2, 3), "float32")), name="W")
    for shape in [(), (1,), (3, 2), (1, 2, 3), (2, 1), (0,)]:
        for wrong in (
            library.from_numpy(np.ones(shape)),
            Variable(library.from_numpy(np.ones(shape))),
        ):
            with pytest.raises(
                ShapeError, match=r"grad of 'W': got shape .*data has shape \(2, 3\)"
            ):
                x.grad = wrong
    assert x.grad is None
    x.grad = library.from_numpy(np.ones((2, 3), "float64"))  # any dtype is allowed
    assert isinstance(x.grad, Variable) and not x.grad.requires_grad
    given = Variable(library.from_numpy(np.ones((2, 3))))
    x.grad = given
    assert x.grad is given
    x.grad = None
    waiting = Parameter(None)
    waiting.grad = library.from_numpy(np.ones(5))
    assert waiting.grad.shape == (5,)
    with pytest.raises(ShapeError, match="got shape None"):
        x.grad = Variable(None)
    with pytest.raises(UnsupportedType, match="list is not supported"):
        x.grad = [1.0, 2.0]


def test_a_gradient_is_beside_its_data() -> None:
    import array_api_strict

    x = Variable(np.ones(2))
    for name in ("cuda", "strict"):
        elsewhere = get_backend(name).from_numpy(np.ones(2))
        with pytest.raises(
            BackendMismatch, match=rf"{name}.*move the gradient there with to\('numpy'\)"
        ):
            x.grad = elsewhere
        with pytest.raises(BackendMismatch, match=rf"numpy.*to\('{name}'\)"):
            Variable(elsewhere).grad = np.ones(2)
    devices = [array_api_strict.Device(f"device{i}") for i in (1, 2)]
    a, b = (array_api_strict.ones(2, device=device) for device in devices)
    with pytest.raises(BackendMismatch, match="device2"):
        Variable(a).grad = b


def test_a_leaf_whose_shape_changed_gets_no_sum_of_gradients() -> None:
    x, other = Variable(np.ones((1, 3))), Variable(np.ones(3))
    (x * 2).backward()
    x.data = np.ones((4, 3))
    with pytest.raises(ShapeError, match=r"got shape \(1, 3\); the data has shape \(4, 3\)"):
        (x * other).sum().backward()
    assert other.grad is None and x.grad.shape == (1, 3), "nothing was written"
    with pytest.raises(ShapeError, match="the data has shape"):
        x.backward()
    x.cleargrad()
    (x * other).sum().backward()
    assert x.grad.shape == (4, 3)


class Named(Parameter):
    """A subclass with another constructor and an attribute."""

    def __init__(self, size: int) -> None:
        super().__init__(np.arange(float(size)))
        self.note = ["mine"]


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {n}": lambda x, n=n: pickle.loads(pickle.dumps(x, n)) for n in (2, 5)},
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("create_graph", [False, True])
def test_copies_carry_the_gradient(copied: object, create_graph: bool) -> None:
    x = Named(3)
    (x * x).sum().backward(create_graph=create_graph)
    other = copied(x)
    assert type(other) is Named and other.note == ["mine"]
    assert np.array_equal(other.data, x.data) and np.array_equal(other.grad.data, [0.0, 2.0, 4.0])
    if copied is not copy.copy:
        assert other.grad.creator is None
        assert other.grad.data is not x.grad.data
        pair = copied([x, x.grad] if not create_graph else [x, x])
        assert pair[1] is (pair[0] if create_graph else pair[0].grad), "copied once"


def test_pickles_of_earlier_versions_load() -> None:
    """Pickles of earlier versions do not contain the gradient."""
    from dezero_core import variable

    x = variable._rebuild(Parameter, np.ones(2), "W", True)
    assert x.grad is None and x.requires_grad and x.name == "W"
