"""Test the command ``dezero weights``, and loading PyTorch weights by name."""

import json
import os
import re
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dezero import Model, Parameter, test_mode
from dezero import layers as L
from dezero.cli import main
from dezero.models import MLP, VGG16, ResNet50, Sequential
from dezero_core.errors import DtypeMismatch, KeyMismatch, ShapeMismatch
from dezero_core.state import named_params
from dezero_io import load_pytorch_weights, resnet_names, vgg16_names

package = pytest.importorskip("safetensors.numpy", reason="the extra dezero-io[safetensors]")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["weights", *arguments])


def test_show_verify_convert(tmp_path: Path) -> None:
    model = MLP((4, 2))
    model(np.ones((1, 3), "float32"))
    first = str(tmp_path / "m.npz")
    model.save_weights(first, metadata={"note": "first"})
    shown = run("show", first)
    assert shown.exit_code == 0, shown.output
    lines = [line.split() for line in shown.output.splitlines()]
    assert lines[0] == ["l0/W", "param", "float32", "3", "x", "4"]
    assert lines[-2:] == [["4", "arrays,", "0.0", "MB"], ["note:", "first"]]
    assert "complete, 4 arrays" in run("verify", first).output
    second, third = str(tmp_path / "m.safetensors"), str(tmp_path / "n.npz")
    assert run("convert", first, second).exit_code == 0
    assert run("convert", second, third, "--compress").exit_code == 0
    other = MLP((4, 2))
    assert other.load_weights(third).metadata == {"note": "first"}
    x = np.ones((2, 3), "float32")
    assert np.array_equal(other(x).data, model(x).data)


def test_errors_of_dezero_weights(tmp_path: Path) -> None:
    file = tmp_path / "m.npz"
    L.Linear(2, in_size=3).save_weights(file)
    before = file.read_bytes()
    there = run("convert", str(file), str(file))
    assert there.exit_code == 2 and "add --force" in there.output
    damaged = bytearray(before)
    damaged[200] ^= 1
    (tmp_path / "d.npz").write_bytes(damaged)
    for command in ("show", "verify"):
        answer = run(command, str(tmp_path / "d.npz"))
        assert answer.exit_code == 1 and "is damaged" in answer.output
        assert "Traceback" not in answer.output
    assert "limit is 4" in run("show", str(file), "--max-bytes", "4").output
    assert "not found; there is m.npz" in run("show", str(tmp_path / "mm.npz")).output
    assert "no format for '.odd'" in run("convert", str(file), str(tmp_path / "x.odd")).output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.npz", "m.npz"]
    assert file.read_bytes() == before


def test_a_state_dict_of_pytorch(tmp_path: Path) -> None:
    """PyTorch computes ``x @ weight.T + bias``, and DeZero ``x @ W + b``."""
    draw = np.random.default_rng(0)
    state = {
        "0.weight": draw.normal(size=(4, 3)).astype("float32"),
        "0.bias": draw.normal(size=4).astype("float32"),
        "1.weight": draw.normal(size=4).astype("float32"),
        "1.bias": draw.normal(size=4).astype("float32"),
        "1.running_mean": draw.normal(size=4).astype("float32"),
        "1.running_var": draw.uniform(1, 2, 4).astype("float32"),
        "1.num_batches_tracked": np.array(7),
    }
    package.save_file(state, tmp_path / "m.safetensors")
    model = Sequential(L.Linear(4), L.BatchNorm())
    names = {"l0/W": "0.weight", "l0/b": "0.bias", "l1/gamma": "1.weight", "l1/beta": "1.bias"}
    names |= {"l1/avg_mean": "1.running_mean", "l1/avg_var": "1.running_var"}
    keys = list(model.named_params())
    report = load_pytorch_weights(model, tmp_path / "m.safetensors", names)
    assert set(report.loaded) == set(keys)
    x = draw.normal(size=(5, 3)).astype("float32")
    h = x @ state["0.weight"].T + state["0.bias"]
    scale = state["1.weight"] / np.sqrt(state["1.running_var"])
    with test_mode():
        y = model(x)
    expected = (h - state["1.running_mean"]) * scale + state["1.bias"]
    np.testing.assert_allclose(y.data, expected, rtol=1e-4, atol=1e-4)  # eps is small


@pytest.mark.parametrize(
    ("model", "names"),
    [(VGG16, vgg16_names()), (ResNet50, resnet_names(50))],
    ids=["vgg", "resnet"],
)
def test_published_models_have_every_name(model: Any, names: dict[str, str]) -> None:
    keys = set(model().named_params())
    assert keys - set(names) <= {"conv1/b"} and set(names) <= keys
    assert len(set(names.values())) == len(names)


def test_names_that_do_not_fit(tmp_path: Path) -> None:
    package.save_file(
        {"w": np.ones((2, 3), "float32"), "v": np.ones(1)}, tmp_path / "m.safetensors"
    )
    layer = L.Linear(2, in_size=3)
    before = layer.W.data.copy()
    for names, error, message in [
        ({"W": "w", "c": "v"}, KeyMismatch, "the model has no c"),
        ({"W": "w"}, KeyMismatch, "unexpected 'v'"),
        ({"W": "w", "b": "u"}, KeyMismatch, "missing 'u'"),
        ({"W": "w", "b": "v"}, ShapeMismatch, r"'b': model \(2,\), file \(1,\)"),
    ]:
        with pytest.raises(error, match=message):
            load_pytorch_weights(layer, tmp_path / "m.safetensors", names)
        assert np.array_equal(layer.W.data, before)


def linear(out_size: int, in_size: int) -> dict[str, Any]:
    """Return arrays of PyTorch's Linear; no two elements of two layers are equal."""
    draw = np.random.default_rng(next(SEEDS))
    return {
        "weight": draw.normal(size=(out_size, in_size)).astype("float32"),
        "bias": draw.normal(size=out_size).astype("float32"),
    }


SEEDS = iter(range(1000))


def state_of(**modules: dict[str, Any]) -> dict[str, Any]:
    """Return a state_dict; ``__`` stands for a dot in the path."""
    return {
        f"{path.replace('__', '.')}.{name}".lstrip("."): x
        for path, arrays in modules.items()
        for name, x in arrays.items()
    }


class Attention(Model):
    def __init__(self, *names: str) -> None:
        for name in names:
            setattr(self, name, L.Linear(3, in_size=3))


def three(*paths: str) -> dict[str, Any]:
    return state_of(**{path: linear(3, 3) for path in paths})


def test_layers_are_matched_if_there_is_one_match(tmp_path: Path) -> None:
    """Layers match by equal paths, numbers, the order of npz files, and known shapes."""
    lazy = lambda: MLP((5, 5, 2))  # noqa: E731
    mlp = state_of(a__0=linear(5, 3), a__2=linear(5, 5), a__10=linear(2, 5))
    for make, state, suffixes, expected in [
        (lazy, mlp, (".safetensors", ".npz"), {"l0": "a.0", "l1": "a.2", "l2": "a.10"}),
        (
            lambda: Attention("q", "k"),
            three("k", "q"),
            (".safetensors", ".npz"),
            {"q": "q", "k": "k"},
        ),
        (lambda: Attention("q", "k"), three("query", "key"), (".npz",), {"q": "query", "k": "key"}),
        (
            lambda: Sequential(L.Linear(4, in_size=3), L.Linear(4)),
            state_of(zz=linear(4, 3), aa=linear(4, 4)),
            (".safetensors", ".npz"),
            {"l0": "zz", "l1": "aa"},
        ),
        (
            lambda: {"blocks": [L.Linear(3, in_size=3) for _ in range(11)]},
            three(*(f"h{n}" for n in range(11))),
            (".safetensors", ".npz"),
            {f"blocks/{n}": f"h{n}" for n in range(11)},
        ),
        (
            lambda: {"table": L.EmbedID(4, 3), "out": L.Linear(4, in_size=3, nobias=True)},
            {"out.weight": np.ones((4, 3), "f"), "table.weight": np.zeros((4, 3), "f")},
            (".safetensors", ".npz"),
            {"table": "table", "out": "out"},
        ),
        (
            lambda: {"position": Parameter(np.zeros((1, 5, 2), "f")), "l": L.Linear(2)},
            {"pos": np.ones((1, 5, 2), "f"), **state_of(head=linear(2, 2))},
            (".safetensors", ".npz"),
            {"l": "head"},
        ),
    ]:
        for suffix, wrapper in zip(suffixes, ("", "module._orig_mod."), strict=False):
            path = tmp_path / f"m{suffix}"
            save({f"{wrapper}{name}": x for name, x in state.items()}, path)
            model = make()
            report = load_pytorch_weights(model, path)
            named = named_params(model)
            assert set(report.loaded) == set(named) and not report.missing
            for ours, theirs in expected.items():
                weight = state[f"{theirs}.weight"]
                kept = weight if ours == "table" else weight.T
                assert np.array_equal(named[f"{ours}/W"].data, kept), (ours, theirs)
                assert named[f"{ours}/W"].data.flags.c_contiguous


def save(state: dict[str, Any], path: Path) -> None:
    if path.suffix == ".npz":
        np.savez(path, **state)
    else:
        package.save_file(state, path)


RNN = {
    f"{name}_l0{tail}": np.ones((3, 3) if "weight" in name else 3, "f")
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for tail in ("", "_reverse")
}


@pytest.mark.parametrize("make", [lambda ls: MLP((3,) * len(ls)), lambda ls: Sequential(*ls)])
def test_a_replaced_layer_is_matched_by_its_path(make: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    state = {f"{i}.weight": draw.normal(size=(3, 3)).astype("float32") for i in range(3)}
    state |= {f"{i}.bias": draw.normal(size=3).astype("float32") for i in range(3)}
    save(state, tmp_path / "m.safetensors")
    model = make([L.Linear(3, in_size=3) for _ in range(3)])
    del model.l0
    model.l0 = L.Linear(3, in_size=3)
    load_pytorch_weights(model, tmp_path / "m.safetensors")
    for i, layer in enumerate(model.layers):
        assert np.array_equal(layer.W.data, state[f"{i}.weight"].T)


@pytest.mark.parametrize(
    ("make", "state", "message"),
    [
        (lambda: Attention("q", "k"), three("query", "key"), "q, k could be any of key, query"),
        (lambda: Attention("q"), three("query", "key"), "no layer is left for query"),
        (lambda: MLP((3,), in_size=4), three("fc"), "l0 could be any of none in the file"),
        (
            lambda: MLP((3,), in_size=3),
            {**three("fc"), "scale": np.ones(1)},
            "no layer is left for scale",
        ),
        (lambda: L.RNN(3), RNN, "with _reverse, create layers with bidirectional=True"),
        (
            lambda: {"w": Parameter(np.zeros((3, 3), "f"))},
            {"w": np.ones((3, 3), "f")},
            "w could be any of none in the file",
        ),
        (lambda: MLP((3,)), {"l0/W": np.ones((3, 3), "f")}, "with load_weights"),
    ],
)
def test_ambiguous_matches_are_refused(make: Any, state: Any, message: str, tmp_path: Path) -> None:
    save(state, tmp_path / "m.safetensors")
    model = make()
    before = {
        key: None if x.data is None else x.data.copy() for key, x in named_params(model).items()
    }
    with pytest.raises(KeyMismatch, match=f"nothing was loaded: .*{message}") as caught:
        load_pytorch_weights(model, tmp_path / "m.safetensors")
    if "load_weights" not in message:
        assert "names={" in str(caught.value)
    for key, x in named_params(model).items():
        assert x.data is None or np.array_equal(x.data, before[key])


def test_names_of_layers_sums_and_bare_parameters(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    state = {
        f"lstm.{name}_l0": draw.normal(size=(8, n) if n else 8).astype("f")
        for name, n in (("weight_ih", 3), ("weight_hh", 2), ("bias_ih", 0), ("bias_hh", 0))
    }
    path = tmp_path / "m.safetensors"
    save(state, path)
    model, by_key = {"rnn": L.LSTM(2)}, {"rnn": L.LSTM(2)}
    load_pytorch_weights(model, path, {"rnn": "lstm"})
    names: dict[str, Any] = {
        f"rnn/{side}2{gate}/W": f"lstm.weight_{'ih' if side == 'x' else 'hh'}_l0"
        for side in "xh"
        for gate in "ifuo"
    }
    biases = ("lstm.bias_ih_l0", "lstm.bias_hh_l0")
    names |= {f"rnn/x2{gate}/b": biases for gate in "ifuo"}
    load_pytorch_weights(by_key, path, names)
    assert np.array_equal(model["rnn"].x2u.W.data, state["lstm.weight_ih_l0"][4:6].T)
    for key, x in named_params(model).items():
        assert np.array_equal(named_params(by_key)[key].data, x.data), key
    with pytest.raises(
        KeyMismatch, match=r"computed from bias_ih_l0 \+ bias_hh_l0: expected 2 names"
    ):
        load_pytorch_weights(by_key, path, {**names, "rnn/x2i/b": biases[0]})
    with pytest.raises(KeyMismatch, match="missing module 'gru'"):
        load_pytorch_weights(model, path, {"rnn": "gru"})


@pytest.mark.parametrize("names", [None, {"encoder": "encoder", "decoder": "decoder"}])
def test_layers_and_directions_are_matched_by_their_paths(names: Any, tmp_path: Path) -> None:
    """Load two GRUs whose arrays have equal shapes."""
    draw = np.random.default_rng(0)
    state = {
        f"{module}.{name}_l{layer}{way}": draw.normal(size=(6, n) if n else 6).astype("f")
        for module in ("encoder", "decoder")
        for layer in (0, 1)
        for way in ("", "_reverse")
        for name, n in (("weight_ih", 4), ("weight_hh", 2), ("bias_ih", 0), ("bias_hh", 0))
    }
    path = tmp_path / "m.safetensors"
    save(state, path)
    model = {
        name: L.GRU(2, in_size=4, num_layers=2, bidirectional=True)
        for name in ("decoder", "encoder")
    }
    load_pytorch_weights(model, path, names)
    for module, layer in model.items():
        for name, cell in {"l0": layer, **layer.cells}.items():
            weight = state[f"{module}.weight_ih_{name}"]
            assert np.array_equal(cell.x2z.W.data, weight[2:4].T), name
    alone = L.GRU(2, num_layers=2, bidirectional=True)
    own = {key.partition(".")[2]: x for key, x in state.items() if key.startswith("encoder")}
    save(own, path)
    load_pytorch_weights(alone, path)
    weight = state["encoder.weight_hh_l1_reverse"]
    assert np.array_equal(alone.cells["l1_reverse"].h2n.W.data, weight[4:].T)


def test_arrays_that_no_layer_describes(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save({"w": np.arange(6, dtype="f").reshape(2, 3)}, path)
    for shape in ((2, 3), (3, 2)):
        bare = {"w": Parameter(np.zeros(shape, "f"))}
        load_pytorch_weights(bare, path, {"w": "w"})
        assert bare["w"].data[1, 0] == (3 if shape == (2, 3) else 1)
    save({"w": np.ones((3, 3), "f")}, path)
    with pytest.raises(KeyMismatch, match=r"no layer declares whether \(3, 3\) must be transposed"):
        load_pytorch_weights({"w": Parameter(np.zeros((3, 3), "f"))}, path, {"w": "w"})


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (L.Conv2d(4, 3), (4, 3, 3), "(4, any, 3, 3)"),
        (L.Conv2d(4, 3), (4, 2, 5, 5), "(4, any, 3, 3)"),
        (L.Conv2d(4, 3, groups=2, in_channels=6), (4, 6, 3, 3), "(4, 3, 3, 3)"),
        (L.Deconv2d(4, 3, groups=2), (6, 4, 3, 3), "(any, 2, 3, 3)"),
        (L.Linear(4), (3, 4), "(4, any)"),
        (L.EmbedID(4, 3), (3, 4), "(4, 3)"),
        (L.LayerNorm((2, 3)), (3, 2), "(2, 3)"),
        (L.BatchNorm(), (3, 1), "(any)"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, L.Layer) else None,
)
def test_axes_are_checked(layer: Any, shape: Any, expected: str, tmp_path: Path) -> None:
    """Layers without parameters also refuse arrays of a wrong shape."""
    save({"w": np.ones(shape, "f")}, tmp_path / "m.safetensors")
    key = next(key for key, a in layer.pytorch_arrays().items() if a.names == ("weight",))
    with pytest.raises(ShapeMismatch, match=re.escape(f"for it has the shape {expected}")):
        load_pytorch_weights(layer, tmp_path / "m.safetensors", {key: "w"})


def test_half_precision_is_converted_on_request(tmp_path: Path) -> None:
    save({"w": np.ones((2, 3), "float16"), "b": np.ones(2, "float16")}, tmp_path / "m.npz")
    layer, names = L.Linear(2, in_size=3), {"W": "w", "b": "b"}
    with pytest.raises(DtypeMismatch, match='pass cast="same_kind" to convert'):
        load_pytorch_weights(layer, tmp_path / "m.npz", names)
    load_pytorch_weights(layer, tmp_path / "m.npz", names, cast="same_kind")
    assert layer.W.dtype == np.float32 and layer.W.data.sum() == 6


def test_a_pytorch_file_is_refused_before_its_arrays_are_read(tmp_path: Path) -> None:
    header = json.dumps(
        {"fc.weight": {"dtype": "F32", "shape": [1 << 27, 1], "data_offsets": [0, 4 << 27]}}
    ).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + (4 << 27))
    tracemalloc.start()
    try:
        for names, error in ((None, KeyMismatch), ({"W": "fc.weight"}, ShapeMismatch)):
            with pytest.raises(error):
                load_pytorch_weights(L.Linear(2, nobias=True), path, names)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_pytorch_attention_loads_into_the_layers_of_transformers(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    state = {
        "self_attn.in_proj_weight": draw.normal(size=(12, 4)).astype("float32"),
        "self_attn.in_proj_bias": draw.normal(size=12).astype("float32"),
        **{f"self_attn.out_proj.{key}": x for key, x in linear(4, 4).items()},
        **{f"linear1.{key}": x for key, x in linear(16, 4).items()},
        **{f"linear2.{key}": x for key, x in linear(4, 16).items()},
        **{f"norm{i}.{key}": linear(4, 1)["bias"] for i in (1, 2) for key in ("weight", "bias")},
    }
    np.savez(tmp_path / "encoder.npz", **state)
    block = L.TransformerBlock(2)
    report = load_pytorch_weights(block, tmp_path / "encoder.npz")
    assert set(report.loaded) == set(block.named_params())
    assert report.sources["attention/qkv/W"] == "self_attn.in_proj_weight (transposed)"
    np.testing.assert_array_equal(block.attention.qkv.W.data, state["self_attn.in_proj_weight"].T)
    np.testing.assert_array_equal(block.norm2.beta.data, state["norm2.bias"])
    assert block(np.ones((1, 3, 4), "float32")).shape == (1, 3, 4)
