"""Test step 53, saving and loading."""

import os
from pathlib import Path

import numpy as np
import pytest

import dezero
import dezero.functions as F
from dezero import DataLoader, Layer, Parameter, optimizers
from dezero.models import MLP


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_files_of_numpy() -> None:
    x = np.array([1, 2, 3])
    np.save("test.npy", x)
    assert str(np.load("test.npy")) == "[1 2 3]"

    data = {"x1": np.array([1, 2, 3]), "x2": np.array([4, 5, 6])}
    np.savez("test.npz", **data)
    with np.load("test.npz") as arrays:
        assert str(arrays["x1"]) == "[1 2 3]"
        assert str(arrays["x2"]) == "[4 5 6]"


def test_flatten_params() -> None:
    layer = Layer()

    l1 = Layer()
    l1.p1 = Parameter(np.array(1))

    layer.l1 = l1
    layer.p2 = Parameter(np.array(2))
    layer.p3 = Parameter(np.array(3))

    params_dict = {}
    layer._flatten_params(params_dict)
    assert {key: repr(p) for key, p in params_dict.items()} == {
        "p2": "variable(2)",
        "l1/p1": "variable(1)",
        "p3": "variable(3)",
    }


def test_save_and_load() -> None:
    model = MLP((5, 3))
    model(np.ones((1, 4), "float32"))
    model.save_weights("model.npz")
    with np.load("model.npz") as arrays:
        for key in ("l0/W", "l0/b", "l1/W", "l1/b"):
            assert np.array_equal(arrays[key], model.named_params()[key].data)

    other = MLP((5, 3), in_size=4)
    other.load_weights("model.npz")
    x = np.ones((2, 4), "float32")
    assert np.array_equal(other(x).data, model(x).data)


def test_save_from_the_device(copies) -> None:
    model = MLP((5, 3), in_size=4).to_gpu()
    assert copies.look() == (4, 0)
    model.save_weights("model.npz")
    assert copies.look() == (0, 4), "each parameter once"
    assert {type(p.data).__module__ for p in model.params()} == {"cupy"}, "it stays there"

    on_host = MLP((5, 3), in_size=4)
    on_host.load_weights("model.npz")
    assert copies.look() == (0, 0)
    on_device = MLP((5, 3), in_size=4).to_gpu()
    copies.look()
    on_device.load_weights("model.npz")
    assert copies.look() == (4, 0)
    for a, b in zip(on_host.params(), on_device.to_cpu().params(), strict=True):
        assert np.array_equal(a.data, b.data)


def test_the_program_resumes(few_digits, capsys) -> None:
    def program() -> None:
        max_epoch = 3
        batch_size = 100

        train_set = dezero.datasets.MNIST(train=True)
        train_loader = DataLoader(train_set, batch_size)
        model = MLP((1000, 10))
        optimizer = optimizers.SGD().setup(model)

        if os.path.exists("my_mlp.npz"):
            model.load_weights("my_mlp.npz")

        for epoch in range(max_epoch):
            sum_loss = 0

            for x, t in train_loader:
                y = model(x)
                loss = F.softmax_cross_entropy(y, t)
                model.cleargrads()
                loss.backward()
                optimizer.update()
                sum_loss += float(loss.data) * len(t)

            print(f"epoch: {epoch + 1}, loss: {sum_loss / len(train_set):.4f}")

        model.save_weights("my_mlp.npz")

    np.random.seed(0)
    program()
    program()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch: 1", "epoch: 2", "epoch: 3"] * 2
    losses = [float(line.split()[-1]) for line in lines]
    assert losses == sorted(losses, reverse=True), "the second run goes on where the first ended"
