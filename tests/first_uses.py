"""Fill each table of the packages for the first time in eight threads at once, in new processes.

``python tests/first_uses.py REPEATS`` runs every `Case` REPEATS times and prints the failures as
JSON: ``{case: [message, ...]}``. Each run is a fork of this process, which has imported the
packages and looked nothing up.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, NamedTuple

import numpy as np

THREADS = 8
Job = Callable[[int], Any]


class Case(NamedTuple):
    """Describe a first use.

    Attributes:
        run: prepares a job, calls `race` with it, and checks the results.
        tables: what the jobs fill, as ``module.name``.
        needs: an import package without which the case is skipped.
    """

    run: Callable[[], None]
    tables: tuple[str, ...]
    needs: str


CASES: dict[str, Case] = {}


def case(*tables: str, needs: str = "dezero_core") -> Callable[[Any], Any]:
    """Decorator: add a case that fills these tables."""

    def add(run: Any) -> Any:
        CASES[run.__name__] = Case(run, tables, needs)
        return run

    return add


def race(job: Job) -> list[Any]:
    """Run a job in eight threads that start together; return the results.

    Raises:
        RuntimeError: a thread raised; the message has its traceback.
    """
    barrier, results, errors = Barrier(THREADS), [None] * THREADS, list[str]()

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = job(number)
        except BaseException:
            errors.append(traceback.format_exc(limit=-4))

    threads = [Thread(target=run, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        if thread.is_alive():
            raise RuntimeError("threads wait for each other")
    if errors:
        raise RuntimeError(f"{len(errors)} threads raised; {errors[0]}")
    return results


def is_one(results: list[Any]) -> bool:
    return all(result is results[0] for result in results)


def are_equal(results: list[Any]) -> bool:
    return all(np.array_equal(result, results[0], equal_nan=True) for result in results)


@case("dezero_core.formats._formats")
def weight_formats() -> None:
    from dezero_core.state import format_for

    assert is_one(race(lambda n: format_for("t.npz")[1]))


@case("dezero_core.backends.registry.catalog", "dezero_core.backends.registry._made")
def backends_by_name() -> None:
    from dezero_core.extend import get_backend

    results = race(lambda n: get_backend(("numpy", "cuda")[n % 2]))
    assert is_one(results[::2]) and is_one(results[1::2])


@case("dezero_core.backends.registry.by_type", "dezero_core.backends.registry.current_device")
def array_types() -> None:
    import cupy

    from dezero_core.extend import backend_of
    from dezero_core.state import on_device_of

    cupy.cuda.runtime.getDeviceCount = lambda: 2
    x = cupy.asarray([1.0])
    results = race(lambda n: (backend_of(x), type(on_device_of(x))))
    assert is_one([backend for backend, _ in results])
    assert {place for _, place in results} == {type(x.device)}, "computed on another device"


@case("dezero_core.backends.registry._subclasses")
def subclasses_of_arrays() -> None:
    from dezero_core.extend import backend_of

    x = np.ma.array([1.0])
    assert is_one(race(lambda n: backend_of(x)))


@case("dezero_core.backward_modes.looks_for_variables")
def backwards_of_users() -> None:
    import warnings

    from dezero_core import Function, Variable

    class Square(Function):
        def forward(self, x: Any) -> Any:
            return x**2

        def backward(self, gy: Any) -> Any:
            return 2 * self.inputs[0].data * gy

    def job(number: int) -> Any:
        x = Variable(np.array([3.0]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Square()(x).backward()
        assert x.grad is not None
        return x.grad.data

    assert race(job)[0] == [6.0]


@case("dezero_core.functions.einsum.parse", "dezero_core.functions.contraction.plan_product")
def einsum_plans() -> None:
    from dezero_core.functions import einsum

    x = np.arange(6.0).reshape(2, 3)
    for y in race(lambda n: einsum("ij,kj->ki", x, x + n % 2)):
        assert y.shape == (2, 2)
        assert y.data[0, 0] in (5.0, 8.0)


@case("dezero_core.backends.kernels._catalog", "KernelOp._candidates")
def kernels() -> None:
    from dezero_core import no_grad
    from dezero_core.extend import kernel_log
    from dezero_nn import sigmoid

    def job(number: int) -> Any:
        with no_grad(), kernel_log() as ran:
            sigmoid(np.ones((2, 2), "f"))
        return ran

    results = race(job)
    assert results[0][0][1].startswith("numpy:"), results[0]
    assert all(ran == results[0] for ran in results), results


@case("dezero_core.grad_ready._added")
def callbacks_of_leaves() -> None:
    from dezero_core import Variable
    from dezero_core.extend import add_grad_ready

    def job(number: int) -> Any:
        x, told = Variable(np.array([1.0])), list[Any]()
        handle = add_grad_ready(told.append, [x])
        (x * 2).backward()
        handle.remove()
        return [each is x for each in told]

    assert race(job) == [[True]] * THREADS


@case("dezero_core.communicators._catalog")
def engines() -> None:
    from dezero_core.extend import get_communicator

    assert race(lambda n: get_communicator()) == [None] * THREADS


@case("Catalog, by several hooks at once")
def a_save_beside_training() -> None:
    from dezero_core.functions import mean
    from dezero_nn import Linear, relu

    layer, x = Linear(3, in_size=3), np.ones((2, 3), "f")

    def job(number: int) -> Any:
        if number == 0:
            with tempfile.TemporaryDirectory() as folder:
                layer.save_weights(Path(folder) / "t.npz")
                layer.load_weights(Path(folder) / "t.npz")
        return mean(relu(Linear(4, in_size=3)(x))).backward()

    race(job)


@case("Plugins._scanned")
def scans() -> None:
    from dezero_core.extend import plugins

    results = race(lambda n: (plugins.scan(), {s.name for s in plugins.statuses()}))
    assert sum(did for did, _ in results) == 1
    assert all(names >= {"io", "nn"} for _, names in results), results


@case("Plugins, by dezero_fetch")
def published_files() -> None:
    from dezero_core.errors import PluginError
    from dezero_core.extend import plugins

    def job(number: int) -> Any:
        try:
            plugins.fetch("nobody's.npz")
        except PluginError as error:
            return str(error)

    results = race(job)
    assert len({*results}) == 1 and "pip install" not in results[0], results


@case("Plugins, by dezero_op_cases")
def op_cases() -> None:
    from dezero_testing import load_rows

    assert len({len(found) for found in race(lambda n: load_rows("core"))}) == 1


@case("dezero_core.backends.precision._wide")
def dtypes() -> None:
    from dezero_core import functions

    xs = [np.array([1, 2, 3], dtype) for dtype in ("f2", "f4", "f8", "i4", "?", "g", "u1", "i8")]
    results = race(lambda n: [functions.mean(functions.exp(x)).data for x in xs])
    assert all([y.dtype for y in ys] == [y.dtype for y in results[0]] for ys in results)


@case("Streams.seeded")
def random_numbers() -> None:
    from dezero_core.extend import generator
    from dezero_core.state import streams

    own = np.random.default_rng(0)

    def job(number: int) -> Any:
        for _ in range(100):
            streams().seeded = own if number % 2 else None
            assert generator() is not None
            generator().random()

    race(job)


@case(
    "dezero_core.hints.signature_of",
    "dezero_core.tree.slots_of",
    "dezero_core.tree._kind_of_type",
)
def trees_and_signatures() -> None:
    from dezero_nn import MLP

    results = race(lambda n: repr([*MLP((4, 3)).named_params()]))
    assert len({*results}) == 1


@case("dezero_cuda.probe.why_unavailable", needs="dezero_cuda")
def device_probe() -> None:
    import cupy

    from dezero_cuda import why_unavailable

    asked = Counter[str]()
    cupy.cuda.is_available = lambda: not asked.update(["device"])  # type: ignore[func-returns-value]
    assert {*race(lambda n: why_unavailable())} == {""}
    assert asked["device"] == 1, f"asked {asked['device']} times"


@case(
    "dezero_cuda.kernels.module.grid_of_rows",
    "dezero_cuda.kernels.module.compiled",
    "dezero_cuda.kernels.module.grid_of_elements",
    "dezero_cuda.kernels.module.function",
    "dezero_cuda.kernels.sources.families",
    "dezero_cuda.kernels.windows.window_arguments",
    needs="dezero_cuda",
)
def compiled_kernels() -> None:
    from dezero_cuda.kernels import module, sources, windows

    assert is_one(race(lambda n: module.compiled("softmax", "f")))
    assert is_one(race(lambda n: module.function("softmax", "f")))
    assert is_one(race(lambda n: sources.families()))
    assert (
        len(
            {
                str(x)
                for x in race(lambda n: (module.grid_of_elements(9), module.grid_of_rows(2, 3)))
            }
        )
        == 1
    )
    shape, pair = (1, 1, 4, 4), (2, 2)
    assert len(set(race(lambda n: windows.window_arguments(shape, pair, pair, pair, (0, 0))))) == 1


@case(
    "dezero_cuda.convolutions.description",
    "dezero_cuda.libraries.load",
    "dezero_cuda.plans.build_plan",
    "dezero_cuda.products.workspace",
    needs="dezero_cuda",
)
def libraries_of_the_device() -> None:
    from dezero_core.extend import get_backend, ops
    from dezero_cuda.convolutions import conv2d
    from dezero_cuda.products import workspace

    x = get_backend("cuda").from_numpy(np.eye(2, dtype="f"))
    results = race(lambda n: ops["matmul"](x, x).get().tolist())
    assert results == [[[1, 0], [0, 1]]] * THREADS
    assert is_one(race(lambda n: workspace(0, 0)))
    images, params = x.reshape(1, 1, 2, 2), ((1, 1), (0, 0), (1, 1), 1)
    results = race(lambda n: conv2d(images, images, None, params).get().tolist())
    assert results == [[[[[2.0]]]]] * THREADS


@case(
    "dezero_nn.kernels.filters._cache",
    "dezero_nn.kernels.im2col.copies_less_transposed",
    "dezero_nn.kernels.im2col.cost",
    "dezero_nn.kernels.tiling.transforms",
    "dezero_nn.kernels.winograd.cost",
    "dezero_nn.kernels.winograd.tile_size",
    "dezero_nn.parallel._chosen",
    "dezero_nn.parallel._workers",
    "dezero_nn.blas.thread_functions",
    "dezero_nn.blas.blas_library",
    "dezero_nn.windows.window_counts",
    "dezero_onednn.blocked.cost",
    "dezero_onednn.channels_last.cost",
)
def convolutions() -> None:
    from dezero_core import no_grad
    from dezero_nn import conv2d, parallel, set_num_threads

    parallel.MIN_PARALLEL_WORK, parallel.MIN_PART_WORK = 0, 1
    draw = np.random.default_rng(0)
    x = draw.standard_normal((2, 8, 12, 12), np.float32)
    W = draw.standard_normal((8, 8, 3, 3), np.float32)

    def job(number: int) -> Any:
        set_num_threads(2)
        with no_grad():
            return conv2d(x, W, pad=1).data

    results = race(job)
    assert all(np.allclose(y, results[0], atol=1e-4) for y in results)


@case("dezero_parallel.worlds._found", needs="dezero_parallel")
def worlds() -> None:
    from dezero_parallel import world

    found = race(lambda number: world())
    assert all(ranks is found[0] for ranks in found), "two threads connected this process"


@case("dezero_nn.kernels.filters._cache, while the filters change")
def filters_that_change() -> None:
    from dezero_nn.kernels.filters import cached_transform

    first, second = np.zeros(1 << 16, "f"), np.ones(1 << 16, "f")
    W = first.copy()

    def job(number: int) -> Any:
        for turn in range(20):
            if number == 0:
                W[...] = (first, second)[turn % 2]
            else:
                cached_transform(W, 4, lambda W, m: W.copy())

    race(job)
    for bits in first, second:
        W[...] = bits
        assert np.array_equal(cached_transform(W, 4, lambda W, m: W.copy()), bits), (
            "of other filters"
        )


LAYERS = {
    "Linear(50)": (4, 64),
    "Conv2d(8, 3)": (2, 4, 6, 6),
    "Deconv2d(8, 3)": (2, 4, 6, 6),
    "BatchNorm()": (8, 5),
    "LayerNorm()": (8, 5),
    "RNN(6)": (2, 3),
    "LSTM(6)": (2, 3),
    "GRU(6)": (2, 3),
    "GRU(6, num_layers=2, bidirectional=True)": (2, 2, 3),
    "GroupNorm(2)": (2, 4, 3),
    "RMSNorm()": (8, 5),
    "SwiGLU(6)": (2, 3),
    "MultiHeadAttention(2)": (2, 3, 4),
    "utils.weight_norm(Linear(5))": (2, 3),
    "utils.spectral_norm(Linear(5)).eval()": (2, 3),
    "MLP((6, 5, 4))": (2, 3),
    "Sequential(Linear(5), BatchNorm(), Linear(4))": (3, 3),
}
"""Layers whose parameters are created at the first input, and the shape of an input."""


@case(
    "dezero_nn.layers.conv.Convolution",
    "dezero_nn.layers.linear.Linear",
    "dezero_nn.layers.normalization.BatchNorm",
    "dezero_nn.layers.normalization.LayerNorm",
    "dezero_nn.layers.group_norm.ChannelAffine",
    "dezero_nn.layers.rms_norm.RMSNorm",
    "dezero_nn.layers.projection.Projecting",
    "dezero_nn.layers.weight_norms.WeightNorm",
    "dezero_nn.layers.weight_norms.SpectralNorm",
    needs="dezero_nn",
)
def first_calls_of_layers() -> None:
    """Check that threads draw the weights that one thread draws with the same seed."""
    import dezero_core
    import dezero_nn.utils

    for source, shape in LAYERS.items():
        x = np.random.default_rng(0).standard_normal(shape, np.float32)
        for seed in range(3):
            dezero_core.seed(seed)
            layer = eval(source, vars(dezero_nn))
            results = race(lambda n, layer=layer, x=x: call(layer, x))
            dezero_core.seed(seed)
            alone = eval(source, vars(dezero_nn))
            call(alone, x)
            for key, param in alone.named_params().items():
                drawn = layer.named_params()[key].data
                if "avg" not in key:  # running statistics have followed eight batches
                    assert np.array_equal(drawn, param.data), f"{source}: {key} is drawn again"
            assert are_equal([y for y in results if y is not None]), f"{source}: other weights"


def call(layer: Any, x: Any) -> Any:
    """Call a layer; return its output, or None if that depends on calls of other threads."""
    from dezero_core import no_grad
    from dezero_nn.layers.recurrent import Recurrent

    with no_grad():
        y = layer(x)
    return None if isinstance(layer, Recurrent) else y.data


@case(
    "dezero_onednn.choice.chosen",
    "dezero_onednn.library.path",
    "dezero_onednn.library.library",
    "dezero_onednn.library.execute",
    "dezero_onednn.library.engine",
    needs="dezero_onednn",
)
def onednn() -> None:
    from dezero_core.extend import Kernel, plugins  # noqa: F401 (the plugin needs them)
    from dezero_nn.windows import ConvParams
    from dezero_onednn import blocked, library

    draw = np.random.default_rng(0)
    x = draw.standard_normal((2, 16, 12, 12), np.float32)
    W = draw.standard_normal((16, 16, 3, 3), np.float32)
    params = ConvParams(pad=(1, 1))

    def job(number: int) -> Any:
        return library.engine(), blocked.KERNELS[0].function(x, W, None, params)

    results = race(job)
    assert is_one([engine for engine, _ in results]) and are_equal([y for _, y in results])


def in_child(run: Callable[[], None]) -> str:
    """Run a case in a fork of this process; return why it failed, or an empty string."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run()
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        message = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return message or (f"the process ended with status {status}" if status else "")


def main(repeats: int) -> None:
    """Print the failures of all cases."""
    sys.path.insert(0, str(Path(__file__).parent / "fakes"))
    sys.setswitchinterval(1e-6)
    import importlib.metadata  # noqa: F401 (imported once here, not in each fork)

    import cupy  # noqa: F401

    import dezero_io  # noqa: F401
    import dezero_nn.optimizers  # noqa: F401

    failures = {
        name: [message for _ in range(repeats) if (message := in_child(each.run))]
        for name, each in CASES.items()
        if find_spec(each.needs) is not None
    }
    print(json.dumps(failures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
