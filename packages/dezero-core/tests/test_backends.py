"""Test backends: conversions, extras, random numbers and transfers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core import Variable, get_array_module, seed
from dezero_core.backends import host
from dezero_core.backends.transfer import transfers
from dezero_core.extend import ArrayBackend, backend_of, generator, get_backend
from dezero_core.state import is_writable, move

DTYPES = ("float32", "float64", "int64", "bool")


@pytest.fixture
def seeded_generator():
    """Remove the seeded generator after a test that calls ``seed``."""
    yield
    host.streams().seeded = None


@pytest.mark.parametrize("name", ["numpy", "strict", "cuda"])
@given(
    x=hnp.arrays(
        st.sampled_from(DTYPES), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
    )
)
def test_converting_to_a_backend_and_back_copies(name: str, x: np.ndarray) -> None:
    library = get_backend(name)
    there = library.from_numpy(x)
    assert backend_of(there) is library
    back = library.to_numpy(there)
    assert back.dtype == x.dtype
    assert back.shape == x.shape
    assert back.tobytes() == x.tobytes()
    assert not np.shares_memory(back, x)


def test_extras(backend: str) -> None:
    library = get_backend(backend)
    x = library.from_numpy(np.arange(4, dtype="float32"))
    assert library.scalar_like(2.5, x).dtype == x.dtype
    assert library.scalar_like(2.5, x).shape == ()
    assert np.array_equal(library.to_numpy(library.arange(3, x)), [0, 1, 2])
    assert library.arange(3, x).dtype == library.dtype("int64")
    assert str(library.device(x)) in ("cpu", "<CUDA Device 0>") or "device1" in str(x.device)
    total = library.iadd(x, library.from_numpy(np.ones(4, "float32")))
    assert np.array_equal(library.to_numpy(total), [1.0, 2.0, 3.0, 4.0])
    assert (total is x) == ("in_place" in library.capabilities)
    assert library.is_view(x[1:])
    library.synchronize()


def test_a_backend_stays_the_same_object_when_plugins_change(
    backend: str, plug: Callable[..., str]
) -> None:
    before = get_backend(backend)
    plug(dezero_kernels=lambda: [])
    assert get_backend(backend) is before


def test_new_arrays_are_not_views() -> None:
    for name in ("numpy", "cuda"):
        library = get_backend(name)
        assert not library.is_view(library.from_numpy(np.ones(2)) + 1)
    assert not get_backend("numpy").is_view(np.float64(1.0))


def test_the_portable_defaults_form_a_backend() -> None:
    plain = ArrayBackend(np)
    x = np.arange(3, dtype="float32")
    assert plain.asarray(x) is x
    assert np.array_equal(plain.to_numpy(plain.from_numpy(x)), x)
    assert not np.shares_memory(plain.to_numpy(x), x)
    assert plain.asarray(1.5).shape == ()
    assert plain.scalar_like(1.5, x).dtype == np.float32
    assert plain.arange(2, x).dtype == np.int64
    assert plain.device(x) == "cpu"
    assert plain.is_view(x)
    plain.capabilities = frozenset()
    assert plain.iadd(x, x) is not x
    assert plain.uniform((2, 3), np.float64).dtype == np.float64


def test_defaults_ask_the_backend_for_the_device() -> None:
    import array_api_strict as xp

    class Plain(ArrayBackend):
        def device(self, x: object) -> object:
            return xp.Device("device1")

    library, x = Plain(xp), xp.ones((2, 2))
    index = xp.asarray([1, 1], device=xp.Device("device1"))
    made = [
        library.zeros((2,), x),
        library.arange(2, x),
        library.scalar_like(1.0, x),
        library.pad(library.zeros((2,), x), ((1, 1),), 1.0),
        library.scatter_add(library.zeros((2,), x), index, library.zeros((2,), x)),
    ]
    assert {y.device for y in made} == {xp.Device("device1")}


MASK = np.array([[True, False], [False, True]])


@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ((2, 2), MASK),
        ((2, 2), (slice(None), MASK[0])),
        ((2, 2), (0, MASK[1])),
        ((2, 2), np.array(True)),
        ((), np.array(False)),
    ],
)
def test_masks_become_integers(shape: tuple[int, ...], index: object) -> None:
    x = np.arange(math.prod(shape)).reshape(shape)
    flat, positions = ArrayBackend(np).integer_index(x, index)
    assert positions.dtype == np.int64
    assert np.array_equal(flat[positions], x[index])


def test_integer_index_does_not_change_an_index_without_masks() -> None:
    x, index = np.arange(4.0), np.array([1, 0])
    assert ArrayBackend(np).integer_index(x, index) == (x, index)


def test_one_seed_repeats_every_draw(backend: str, seeded_generator: None) -> None:
    library = get_backend(backend)

    def draws() -> list[bytes]:
        uniform = library.to_numpy(library.uniform((5, 7), library.dtype("float32")))
        assert uniform.dtype == np.float32
        assert 0 <= uniform.min() < uniform.max() < 1
        return [uniform.tobytes(), generator().standard_normal(4).tobytes()]

    seed(7)
    first = draws()
    assert first != draws()
    seed(7)
    assert first == draws()


def test_without_a_seed_the_global_generator_of_numpy_repeats_a_run() -> None:
    runs = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002 (what readers of the book write)
        runs.append(generator().random(3).tolist() + host.host_uniform((2,)).tolist())
    assert runs[0] == runs[1]


def test_a_subclass_of_an_array_type_has_the_same_backend() -> None:
    class Mine(np.ndarray):
        pass

    x = np.ones(2).view(Mine)
    assert backend_of(x).name == "numpy"
    assert get_array_module(Variable(x)) is np
    assert get_array_module(1.0) is np


def test_moving_between_two_devices_goes_through_the_host() -> None:
    x = get_backend("strict").from_numpy(np.ones(2))
    before = transfers.copy()
    y = move(x, get_backend("cuda"))
    assert backend_of(y).name == "cuda"
    assert (transfers - before) == {"to_host": 1, "from_host": 1}


def test_the_frozen_library_cannot_be_written_to() -> None:
    x = get_backend("strict").from_numpy(np.ones(2))
    with pytest.raises(TypeError, match="frozen"):
        x[0] = 2.0
    with pytest.raises(TypeError, match="frozen"):
        x += 1
    with pytest.raises(TypeError, match="frozen"):
        np.from_dlpack(x)


def test_the_cupy_stand_in_is_strict() -> None:
    import cupy

    x = get_backend("cuda").from_numpy(np.ones(2))
    assert not isinstance(x, np.ndarray)
    with pytest.raises(TypeError, match="Implicit conversion"):
        np.asarray(x)
    with pytest.raises(TypeError, match="Unsupported type"):
        x + np.ones(2)
    with pytest.raises(AttributeError):
        cupy.no_such_function
    with pytest.raises(AttributeError):
        x.no_such_method
    with pytest.raises(TypeError, match="device"):
        cupy.asarray(x, device=0)
    with pytest.raises(TypeError, match="device"):
        cupy.zeros_like(x, device=0)
    cupy._counts.clear()
    (x * 2 + x).get()
    float(x.sum())
    assert cupy._counts == {"launches": 3, "to_host": 2}


def test_elements_that_share_memory_cannot_be_written() -> None:
    x = np.arange(6, dtype="float32").reshape(2, 3)
    assert is_writable(x[None]), "an axis of length 1 repeats no element"
    assert not is_writable(np.lib.stride_tricks.as_strided(x, (2, 3), (0, 4)))
    x.flags.writeable = False
    assert not is_writable(x)
