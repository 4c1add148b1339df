"""Transforms: one example at a time and in batches, with the same result."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dezero_core.errors import ArgumentError, ShapeError
from dezero_io import DataLoader, Dataset
from dezero_io.transforms import AsType, Compose, Flatten, Normalize, ToFloat, ToInt

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
@given(
    xs=hnp.arrays(
        st.sampled_from(["uint8", "float32", "float64"]),
        st.tuples(st.integers(1, 3), st.just(2), st.integers(1, 3)),
        elements=st.integers(0, 100),
    )
)
def test_a_batch_is_its_examples(name: str, xs: np.ndarray) -> None:
    transform = ALL[name]
    before = xs.copy()
    got, expected = transform.batch(xs), np.stack([transform(x) for x in xs])
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    assert np.array_equal(xs, before)


def test_values() -> None:
    x = np.array([[[0, 255]], [[51, 102]]], np.uint8)
    got = Compose([ToFloat(), Normalize(0.0, 255.0)])(x)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [[[0, 1]], [[0.2, 0.4]]], rtol=1e-6)
    np.testing.assert_allclose(
        Normalize([1.0, 2.0], [2.0, 5.0])(x.astype("float64")), [[[-0.5, 127]], [[9.8, 20]]]
    )
    assert ToInt()(np.array([1.9])).tolist() == [1]
    assert Flatten()(x).shape == (4,)


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ArgumentError, match="std 0 would divide by 0"):
        Normalize(0, 0)
    with pytest.raises(ArgumentError, match="would divide"):
        Normalize(0, [1.0, 0.0])
    with pytest.raises(ShapeError, match=r"3 channels for examples of \(2, 4\)"):
        Normalize([1.0, 2.0, 3.0])(np.ones((2, 4)))


class Numbers(Dataset):
    def prepare(self) -> None:
        self.data, self.label = np.arange(12.0).reshape(6, 2), np.arange(6)


def test_loaders_transform_batches() -> None:
    data = Numbers(transform=Normalize(0, 2), target_transform=lambda t: t * 10)
    x, t = next(iter(DataLoader(data, 3, shuffle=False)))
    assert x.tolist() == [[0, 0.5], [1, 1.5], [2, 2.5]]
    assert t.tolist() == [0, 10, 20]


def test_a_dataset_that_reads_examples_itself_is_asked_for_each() -> None:
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
