"""Test that transforms return the same for single examples and for batches."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core.errors import ArgumentError, ShapeError
from dezero_io import DataLoader, Dataset
from dezero_io.data.transforms import (
    AsType,
    Compose,
    Flatten,
    Normalize,
    RandomHorizontalFlip,
    ToFloat,
    ToInt,
)

ALL = {
    "flatten": Flatten(),
    "float": ToFloat(),
    "half": AsType("float16"),
    "int": ToInt(),
    "one mean": Normalize(0.5, 2),
    "each channel": Normalize([0.5, -1.0], [1.0, 3.0]),
    "one channel": Normalize([0.5], [3.0]),
    "nothing": Compose(),
    "composed": Compose([ToFloat(), lambda x: x + 1, Normalize([1.0, 2.0]), Flatten()]),
}


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=30)
@given(
    xs=hnp.arrays(
        st.sampled_from(["uint8", "float32", "float64"]),
        st.tuples(st.integers(1, 3), st.just(2), st.integers(1, 3)),
        elements=st.integers(0, 100),
    )
)
def test_a_batch_equals_its_examples(name: str, xs: np.ndarray) -> None:
    transform = ALL[name]
    before = xs.copy()
    got, expected = transform.batch(xs), np.stack([transform(x) for x in xs])
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    assert np.array_equal(xs, before)


def test_compose_takes_any_iterable() -> None:
    assert len(Compose(f for f in (ToFloat(), Flatten())).transforms) == 2


def test_values() -> None:
    x = np.array([[[0, 255]], [[51, 102]]], np.uint8)
    got = Compose([ToFloat(), Normalize(0.0, 255.0)])(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [[[0, 1]], [[0.2, 0.4]]], rtol=1e-6)
    np.testing.assert_allclose(
        Normalize([1.0, 2.0], [2.0, 5.0])(x.astype("float64")), [[[-0.5, 127]], [[9.8, 20]]]
    )
    x32 = x.astype("float32")
    for number in (np.float64, np.float32, np.array):
        got = Normalize(number(102.0), number(51.0))(x32)
        assert got.dtype == np.float32
        assert np.array_equal(got, Normalize(102.0, 51.0)(x32)), "the statistics of an array"
    assert ToInt()(np.array([1.9])).tolist() == [1]
    assert Flatten()(x).shape == (4,)


X = np.array([[[0, 255]], [[51, 102]]], "u1")
KINDS = {
    dtype: X.astype(dtype) for dtype in ("u1", "i2", "u2", "e", ">f4", ">i8", "u8", "f8", "g")
} | {
    "int8": np.array([[[-128, 127]], [[-1, 0]]], "i1"),
    "bool": np.array([[[True, False]], [[True, True]]]),
    "Fortran": np.asfortranarray(X.astype("f")),
    "reversed": X[..., ::-1],
    "broadcast": np.broadcast_to(np.uint8(200), (2, 1, 2)),
    "list": X.tolist(),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    "mean, std", [(128, 64), (np.float64(3), np.float32(7)), ([200, 5], [3, 4])]
)
def test_arithmetic_is_in_floating_point(name: str, mean: Any, std: Any) -> None:
    x = KINDS[name]
    exact = np.asarray(x, "f8")
    shape = (-1, *[1] * np.ndim(mean), *[1] * np.ndim(mean))
    expected = (exact - np.reshape(mean, shape)) / np.reshape(std, shape)
    got = Normalize(mean, std)(x)
    dtype = np.asarray(x).dtype
    floating = dtype.newbyteorder("=") if dtype.kind == "f" else np.dtype("f")
    assert got.dtype == floating and type(got) is np.ndarray and got.dtype.isnative
    np.testing.assert_allclose(got, expected, rtol=4 * max(np.finfo(floating).eps, 2e-16))
    for transform in (Flatten(), ToFloat(), ToInt(), RandomHorizontalFlip(1)):
        if name != "list" or not isinstance(transform, RandomHorizontalFlip):
            result = transform(x)
            assert result.dtype.isnative and sorted(result.ravel()) == sorted(exact.ravel())


def test_subclasses_of_arrays() -> None:
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix([[1, 2], [3, 4]])
    for transform, shape in [(Flatten(), (4,)), (Normalize(1, 2), (2, 2)), (ToFloat(), (2, 2))]:
        assert type(transform(matrix)) is np.ndarray and transform(matrix).shape == shape
        with pytest.raises(ArgumentError, match="masked array; fill the gaps first"):
            transform(np.ma.array([1, 2]))
        with pytest.raises(ArgumentError, match="expected numbers or text, got object"):
            transform(object())


def test_large_integers_are_normalized_in_float64() -> None:
    assert Normalize(-60000, 60000)(np.array([60000], "e")) == 2
    assert Normalize(2**40, 1)(np.array([2**40 + 1])) == 1


def test_values_that_a_dtype_cannot_hold() -> None:
    for dtype, x in [("u1", [256]), ("u1", [-1.0]), ("i8", [np.nan]), ("i8", [2.0**63])]:
        with pytest.raises(ArgumentError, match="AsType: numbers from .* do not fit in u?int"):
            AsType(dtype)(np.array(x))
    assert AsType("u1")(np.array([-0.5, 255.9])).tolist() == [0, 255]
    assert AsType("u1")(np.array([200], "e")).tolist() == [200]
    assert AsType(">f4")(np.ones(1)).dtype.isnative
    with pytest.raises(ArgumentError, match="complex numbers do not fit in float32"):
        ToFloat()(np.ones(1, "D"))


@pytest.mark.parametrize("name", ALL)
def test_no_examples(name: str) -> None:
    some, none = np.ones((3, 2, 4), "u1"), np.ones((0, 2, 4), "u1")
    got = ALL[name].batch(none)
    assert got.shape == (0, *ALL[name].batch(some).shape[1:])


def test_mean_and_std_per_channel_or_element() -> None:
    xs = np.arange(24.0).reshape(2, 3, 2, 2)
    each = Normalize(xs.mean((0, 2, 3)), xs.std((0, 2, 3)))
    assert abs(each.batch(xs).mean((0, 2, 3))).max() < 1e-12
    axes = Normalize(xs.mean((0, 2, 3))[:, None, None], xs.std((0, 2, 3))[:, None, None])
    assert np.array_equal(axes.batch(xs), each.batch(xs))
    assert not Normalize(xs.mean(0)).batch(xs).sum()
    assert Normalize(xs.mean(), xs.std())(xs[0]).dtype == np.float64
    table = xs.reshape(8, 3).astype("f")
    assert Normalize(table.mean(0), table.std(0)).batch(table).dtype == np.float32


def test_invalid_mean_and_std_are_refused() -> None:
    for mean in (np.nan, [0, np.inf], "a", None, 1j):
        with pytest.raises(ArgumentError, match="Normalize: .*expected (finite )?numbers"):
            Normalize(mean)
    with pytest.raises(ArgumentError, match="would divide by 0"):
        Normalize(0, np.float32(0))
    with pytest.raises(ShapeError, match=r"shape \(3, 2\) for examples of shape \(3, 2, 2\)"):
        Normalize(np.ones((3, 2)))(np.ones((3, 2, 2)))
    with pytest.raises(ArgumentError, match="complex128; expected real numbers"):
        Normalize()(np.ones(2, "D"))
    with pytest.raises(ArgumentError, match="std 0 would divide by 0"):
        Normalize(0, 0)
    with pytest.raises(ArgumentError, match="Normalize: mean '0'; expected finite numbers"):
        Normalize("0", 1.0)
    with pytest.raises(ArgumentError, match="would divide"):
        Normalize(0, [1.0, 0.0])
    with pytest.raises(ShapeError, match=r"3 values for examples of shape \(2, 4\)"):
        Normalize([1.0, 2.0, 3.0])(np.ones((2, 4)))


class Numbers(Dataset):
    def prepare(self) -> None:
        self.data, self.label = np.arange(12.0).reshape(6, 2), np.arange(6)


def test_loaders_transform_batches() -> None:
    data = Numbers(transform=Normalize(0, 2), target_transform=lambda t: t * 10)
    x, t = next(iter(DataLoader(data, 3, shuffle=False)))
    assert x.tolist() == [[0, 0.5], [1, 1.5], [2, 2.5]]
    assert t.tolist() == [0, 10, 20]


def test_a_dataset_with_its_own_getitem_is_indexed() -> None:
    class Files(Dataset):
        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            return np.full(2, index), index

        def __len__(self) -> int:
            return 4

    x, t = next(iter(DataLoader(Files(), 4, shuffle=False)))
    assert x.tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert t.tolist() == [0, 1, 2, 3]


def test_data_may_be_lists() -> None:
    class Lists(Dataset):
        def prepare(self) -> None:
            self.data, self.label = [[1.0], [2.0]], [0, 1]

    x, t = next(iter(DataLoader(Lists(), 2, shuffle=False)))
    assert (x.tolist(), t.tolist()) == ([[1.0], [2.0]], [0, 1])
