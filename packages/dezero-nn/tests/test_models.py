"""Test the keys, weights and pictures of published models, and summaries of all models."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dezero_core import no_grad, test_mode
from dezero_core.errors import ArgumentError, MissingProgram, PluginError, ShapeError
from dezero_core.extend import plugins
from dezero_nn import (
    CNN,
    LSTM,
    MLP,
    VGG16,
    Conv2d,
    Linear,
    Model,
    ResNet,
    ResNet50,
    ResNet101,
    Sequential,
    SqueezeNet,
    relu,
)
from dezero_nn.models.resnet import Stage


def test_resnet_has_the_published_keys() -> None:
    keys = list(ResNet50().named_params())
    assert keys[:6] == [
        "conv1/W", "conv1/b", "bn1/avg_mean", "bn1/avg_var", "bn1/gamma", "bn1/beta",
    ]  # fmt: skip
    assert "res2/a/conv4/W" in keys and "res2/a/bn4/avg_var" in keys
    assert "res4/b5/conv3/W" in keys and "res4/b6/conv3/W" not in keys
    assert "res2/b1/conv4/W" not in keys and "res2/b1/conv1/b" not in keys
    assert keys[-2:] == ["fc6/W", "fc6/b"]
    assert len(ResNet101().named_params()) - len(keys) == 17 * 15
    with pytest.raises(ArgumentError, match="n_layers 18; there are 50, 101 and 152"):
        ResNet(18)


def run(model: Model, shape: tuple[int, ...]) -> Any:
    with no_grad(), test_mode():
        return model(np.random.default_rng(0).normal(size=shape).astype("float32"))


def test_resnet_and_squeezenet_run_on_small_images() -> None:
    model = ResNet50()
    y = run(model, (1, 3, 40, 40))
    assert y.shape == (1, 1000) and y.dtype == np.float32
    assert sum(p.size for p in model.params()) == 25_557_096, "the literature's 25.6 million"
    small = SqueezeNet()
    assert run(small, (2, 3, 64, 64)).shape == (2, 1000)
    assert sum(p.size for p in small.params()) == 1_248_424, "the paper's 1.25 million"
    with pytest.raises(ArgumentError, match="no weights are published"):
        SqueezeNet(pretrained=True)


def test_a_stage_trains() -> None:
    stage = Stage(2, 2, 8, 2)
    y = stage(np.random.default_rng(0).normal(size=(2, 4, 6, 6)).astype("float32"))
    assert y.shape == (2, 8, 3, 3)
    (y * y).sum().backward()
    assert all(np.abs(p.grad.data).max() > 0 for p in stage.params())


def published(tmp_path: Path, model: Model, name: str) -> Any:
    """Return a plugin that knows a file with the model's keys and shapes, and other values."""
    arrays = {
        key: np.full(x.shape, number * 1e-6, "float32")
        for number, (key, x) in enumerate(model.named_params().items())
    }
    np.savez(tmp_path / name, **arrays)

    class Plugin:
        DEZERO_API = 1

        @staticmethod
        def fetch(asked: str) -> Any:
            return tmp_path / name if asked == name else None

    return Plugin.fetch, arrays


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(fetch: Any) -> None:
        def known(name: str) -> Any:
            path = fetch(name)
            if path is None:
                raise PluginError(name)
            return path

        monkeypatch.setattr(plugins, "fetch", known)

    return use


def test_published_weights_load_before_the_first_image(tmp_path: Path, fetched: Any) -> None:
    pytest.importorskip("dezero_io", reason="reading npz is dezero-io's")
    model = ResNet50()
    run(model, (1, 3, 32, 32))
    fetch, arrays = published(tmp_path, model, "resnet50.npz")
    fetched(fetch)
    loaded = ResNet50(pretrained=True)
    for key, x in loaded.named_params().items():
        assert np.array_equal(x.data, arrays[key]), key
    assert run(loaded, (1, 3, 32, 32)).shape == (1, 1000)
    with pytest.raises(PluginError, match=r"resnet152.npz"):
        ResNet(152, pretrained=True)


class Thin(VGG16):
    """VGG16 with its keys and a sixteenth of its channels."""

    def __init__(self, pretrained: bool = False) -> None:
        super().__init__()
        for name, layer in vars(self).items():
            if name.startswith("conv"):
                layer.__init__(layer.out_channels // 16, 3, pad=1)
        self.fc6, self.fc7, self.fc8 = Linear(64), Linear(32), Linear(10)


def test_vgg16_has_the_published_keys_and_shapes() -> None:
    model = VGG16()
    convolutions = [f"conv{b}_{i}" for b, n in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3))
                    for i in range(1, n + 1)]  # fmt: skip
    names = [*convolutions, "fc6", "fc7", "fc8"]
    assert list(model.named_params()) == [f"{name}/{p}" for name in names for p in "Wb"]
    thin = Thin()
    assert run(thin, (1, 3, 32, 32)).shape == (1, 10)
    with pytest.raises(ShapeError, match=r"in model.conv1_1"):
        thin(np.ones((1, 4, 32, 32), "float32"))


@pytest.mark.slow
def test_published_weights_load_into_vgg16(tmp_path: Path, fetched: Any) -> None:
    pytest.importorskip("dezero_io", reason="reading npz is dezero-io's")
    model = VGG16()
    run(model, (1, 3, 224, 224))
    assert sum(p.size for p in model.params()) == 138_357_544, "the literature's 138 million"
    fetch, arrays = published(tmp_path, model, "vgg16.npz")
    fetched(fetch)
    loaded = VGG16(pretrained=True)
    for key, x in loaded.named_params().items():
        assert np.array_equal(x.data, arrays[key]), key


def test_preprocess() -> None:
    Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = 200, 100  # red 200, green 0, blue 100
    for model in (VGG16, ResNet, SqueezeNet):
        x = model.preprocess(Image.fromarray(pixels))
        assert x.shape == (3, 224, 224) and x.dtype == np.float32
        np.testing.assert_allclose(
            x[:, 5, 5], [100 - 103.939, 0 - 116.779, 200 - 123.68], rtol=1e-6
        )
    assert VGG16.preprocess(Image.fromarray(pixels), size=None).shape == (3, 20, 30)
    assert VGG16.preprocess(Image.fromarray(pixels[..., 0]), (8, 4), "float64").shape == (3, 4, 8)
    with pytest.raises(ArgumentError, match="expected a PIL image, got ndarray"):
        VGG16.preprocess(pixels)


def test_preprocess_of_other_modes() -> None:
    Image = pytest.importorskip("PIL.Image", reason="images need Pillow")
    mean = np.reshape([103.939, 116.779, 123.68], (3, 1, 1))
    grey = np.full((4, 5), 30000, "u2")
    pictures = {
        117: [Image.fromarray(grey), Image.fromarray(grey.astype("i4"))],
        255: [Image.new("1", (5, 4), 1), Image.new("LA", (5, 4), (255, 9)),
              Image.new("RGBA", (5, 4), (255, 255, 255, 9)), Image.new("CMYK", (5, 4))],
    }  # fmt: skip
    for number, images in pictures.items():
        for image in images:
            x = VGG16.preprocess(image, (2, 3))
            np.testing.assert_allclose(x + mean, np.full((3, 3, 2), number), rtol=1e-6)
    for numbers in (np.full((4, 5), 0.5, "f"), np.full((4, 5), 200, "i4")):
        with pytest.raises(ArgumentError, match="preprocess: a picture of mode '[FI]' with values"):
            VGG16.preprocess(Image.fromarray(numbers))
    with pytest.raises(ArgumentError, match="preprocess: dtype uint8; expected a floating dtype"):
        VGG16.preprocess(pictures[117][0], dtype="uint8")


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    model = MLP((3, 2))
    model.summary()
    assert "2 parameters that wait for the first input" in capsys.readouterr().out
    model.summary(np.ones((5, 4), "float32"))
    assert capsys.readouterr().out.splitlines() == [
        "layer    type    output shape  parameters        elements",
        "(model)  MLP     (5, 2)",
        "l0       Linear  (5, 3)        W (4, 3), b (3,)  15",
        "l1       Linear  (5, 2)        W (3, 2), b (2,)  8",
        "23 elements to train",
    ]
    model.summary()
    assert capsys.readouterr().out.splitlines()[:2] == [
        "layer  type    parameters        elements",
        "l0     Linear  W (4, 3), b (3,)  15",
    ]
    CNN(10).summary(np.ones((1, 1, 8, 8), "float32"))
    assert "conv1" in capsys.readouterr().out


def test_summary_leaves_the_state_of_recurrent_layers_alone() -> None:
    class Net(Model):
        def __init__(self) -> None:
            self.rnn, self.head = LSTM(3), Linear(2)

        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return self.head(self.rnn(x)) * scale

    net = Net()
    net.summary(np.ones((1, 4), "float32"), scale=2.0)
    assert net.rnn.h is None
    assert net.rnn.c is None
    assert net(np.ones((5, 4), "float32")).shape == (5, 2)
    h = net.rnn.h
    net.summary(np.ones((5, 4), "float32"))
    assert net.rnn.h is h


def test_a_model_shows_its_tree() -> None:
    assert repr(Sequential(Linear(3), relu, Conv2d(4, 3, pad=1, in_channels=2))) == (
        "Sequential(\n"
        "  (l0): Linear(out_size=3; W (waits), b (3,))\n"
        "  (l1): relu\n"
        "  (l2): Conv2d(out_channels=4, kernel_size=(3, 3), pad=(1, 1), in_channels=2; "
        "W (4, 2, 3, 3), b (4,))\n"
        ")"
    )
    assert repr(MLP((3,), activation=relu)).startswith("MLP(activation=relu\n  (l0): Linear(")
    nested = Model()
    nested.blocks, nested.itself = [Linear(1, in_size=1)], nested
    assert repr(nested) == (
        "Model(\n  (blocks/0): Linear(out_size=1, in_size=1; W (1, 1), b (1,))\n"
        "  (itself): Model(...)\n)"
    )


def test_a_model_draws_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "matplotlib.collections", None)
    with pytest.raises(MissingProgram):
        MLP((3, 2)).plot(np.ones((1, 4), "float32"), to_file=tmp_path / "model.png")
