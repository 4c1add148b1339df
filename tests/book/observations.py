"""Observe one behaviour of the framework in each function.

A function does one small thing through ``import dezero`` and returns a plain value. `defects.toml`
has the right value and that of the book's framework. `check.py` runs the same functions in an
environment with that framework, so they use only NumPy and names of the book.
"""

import gc
import inspect
import os
import pickle
import re
import subprocess
import sys
import tempfile
import warnings
import weakref
from pathlib import Path

import numpy as np

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Function, Parameter, Variable
from dezero.models import MLP
from dezero.optimizers import SGD, Adam, ClipGrad, FreezeParam, WeightDecay


def numbers(*shape):
    """Return the same distinct values every time."""
    return np.sin(1.0 + np.arange(float(np.prod(shape)))).reshape(shape)


def listed(x):
    """Return an array or Variable as lists of rounded numbers."""
    array = getattr(x, "data", x) if not isinstance(x, np.ndarray) else x
    return (np.round(np.asarray(array, float), 4) + 0.0).tolist()  # + 0.0 turns -0.0 into 0.0


def fresh(code, **environment):
    """Return the last line that a new interpreter prints, or the type of its error."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    if done.returncode == 0:
        return done.stdout.strip()
    return re.findall(r"^(\w+(?:Error|Interrupt))\b", done.stderr, re.M)[-1]


def differences(f, x, eps=1e-5):
    """Return the derivative of the sum of ``f(x)`` by central differences."""
    g = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += eps
        down[i] -= eps
        g[i] = (np.sum(f(up).data) - np.sum(f(down).data)) / (2 * eps)
    return g


def gradient_is_right(f, x):
    """Return whether backward and central differences agree."""
    v = Variable(x.copy())
    F.sum(f(v)).backward()
    return v.grad.shape == x.shape and bool(np.allclose(v.grad.data, differences(f, x), atol=1e-6))


def second_derivative_is_right(f, x):
    """Return whether the derivative of a squared gradient agrees with central differences."""

    def slope(array):
        v = Variable(array.copy())
        F.sum(f(v) ** 2).backward(create_graph=True)
        return v, F.sum(v.grad**2)

    v, y = slope(x)
    v.cleargrad()
    y.backward()
    return bool(np.allclose(v.grad.data, differences(lambda a: slope(a)[1], x), atol=1e-4))


# 0. Import


def import_with_what_is_declared():
    # neither distribution declares Pillow, the book's not even matplotlib
    return fresh(
        "import sys, numpy; vars(numpy)['int'] = int\n"
        "sys.modules['PIL'] = sys.modules['matplotlib'] = None\n"
        "import dezero; print('imported')"
    )


def import_on_numpy_2():
    return fresh("import dezero; print('imported')")


# 1. Core


def operators_are_there():
    x, missing = Variable(np.array([[2.0]])), []
    attempts = {
        "@": lambda: x @ x,
        "<": lambda: x < x,
        "2 ** x": lambda: 2**x,
        "abs": lambda: abs(x),
        "float": lambda: float(x),
        "mean": lambda: x.mean(),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except (TypeError, AttributeError):
            missing.append(name)
    return missing


def equality_is_elementwise():
    return np.asarray(Variable(np.array([0.0, 2.0])) == 0).tolist()


def hashing_is_by_identity():
    x = Variable(np.array([1.0, 2.0]))
    return {x: 1}[x] == 1 and Variable(x.data) not in {x: 1}


def setting_items_is_refused():
    try:
        Variable(np.zeros(2))[0] = 1.0
    except TypeError:
        return True
    return False


def array_op_variable():
    x = Variable(np.ones(2))
    return [type(y).__name__ for y in (np.ones(2) * x, np.float64(2) + x)]


def gradients_accumulate():
    x = Variable(np.array(3.0))
    (x * x).backward()
    (x * x).backward()
    return listed(x.grad)


def root_has_no_grad_after_backward():
    x = Variable(np.array(3.0))
    y = x * x
    y.backward()
    return y.grad is None


def graph_goes_without_the_collector():
    x = Variable(np.ones(2))
    y = F.sin(x)
    y.backward()
    creator = weakref.ref(y.creator)
    gc.disable()
    del y
    gone = creator() is None
    gc.enable()
    return gone


def create_graph_makes_a_cycle_until_cleargrad():
    x = Variable(np.ones(2))
    y = F.sin(x)
    y.backward(create_graph=True)
    gx = weakref.ref(x.grad)
    x.cleargrad()
    del y, x
    gc.collect()
    return gx() is None


def long_chain():
    x = y = Variable(np.array(1.0))
    for _ in range(20_000):
        y = y + 0.0
    y.backward()
    return listed(x.grad)


def add_of_two_numbers():
    return listed(F.add(1.0, 2.0))


def one_function_called_twice():
    class Square(Function):
        def forward(self, x):
            return x**2

        def backward(self, gy):
            (x,) = self.inputs
            return gy * 2 * x

    square, a, b = Square(), Variable(np.array(2.0)), Variable(np.array(5.0))
    y = square(a) + square(b)
    y.backward()
    return [None if v.grad is None else listed(v.grad) for v in (a, b)]


def one_of_two_outputs_is_dropped():
    class Both(Function):
        def forward(self, x):
            return x * 2, x * 3

        def backward(self, g0, g1):
            zero = 0.0
            return (zero if g0 is None else g0 * 2) + (zero if g1 is None else g1 * 3)

    x = Variable(np.array(1.0))
    first, _ = Both()(x)
    del _
    first.backward()
    return listed(x.grad)


def backward_of_a_leaf():
    x = Variable(np.array(3.0))
    x.backward()
    return listed(x.grad)


def the_seed_is_ones_or_what_was_set():
    x = Variable(np.array([2.0, 3.0]))
    (x * x).backward()
    ones = listed(x.grad)
    x.cleargrad()
    y = x * x
    y.grad = Variable(np.array([1.0, 0.5]))
    y.backward()
    return [ones, listed(x.grad)]


def truncated_backpropagation():
    w, h, total = Variable(np.array(2.0)), 1.0, 0.0
    found = []
    for step in range(1, 5):
        h = w * h
        total = total + h
        if step % 2 == 0:
            w.cleargrad()
            total.backward()
            total.unchain_backward()
            found.append(listed(w.grad))
    return found


def repr_is_aligned():
    return repr(Variable(np.array([[1, 2], [3, 4]])))


def views_share_memory():
    x = Variable(np.zeros((2, 2)))
    x.reshape(4).data[0] = 7.0
    return listed(x)[0][0]


# 2. Functions


def linear_of_three_axes():
    return gradient_is_right(lambda x: F.linear(x, numbers(4, 2)), numbers(2, 3, 4))


def matmul_of_stacks():
    W = numbers(2, 4, 3)
    return gradient_is_right(lambda x: F.matmul(x, Variable(W)), numbers(2, 3, 4))


def matmul_of_a_vector():
    x = numbers(3)
    return gradient_is_right(lambda W: F.matmul(Variable(x), W), numbers(3, 2))


def masks_are_indices():
    x = Variable(np.array([1.0, -2.0, 3.0]))
    F.sum(x[np.array([True, False, True])]).backward()
    return listed(x.grad)


def mean_squared_error_divides_by_rows():
    return listed(F.mean_squared_error(Variable(np.ones((2, 3))), np.zeros((2, 3))))


def slopes_at_the_edges():
    x, slopes = Variable(np.array([0.0, 1.0])), []
    for f in (F.relu, F.leaky_relu, lambda x: F.clip(x, 0.0, 1.0)):
        x.cleargrad()
        f(x).backward()
        slopes.append(listed(x.grad))
    return slopes


def batch_norm_defaults():
    defaults = inspect.signature(F.batch_nrom).parameters
    return [defaults["decay"].default, defaults["eps"].default]


def labels_in_a_column():
    x = Variable(numbers(3, 4))
    F.softmax_cross_entropy(x, np.array([[0], [1], [2]])).backward()
    return list(x.grad.shape)


def sigmoid_cross_entropy_of_a_large_score():
    return listed(F.sigmoid_cross_entropy(Variable(np.array([[100.0]])), np.array([[1]])))


def sigmoid_cross_entropy_of_a_large_wrong_score():
    return listed(F.sigmoid_cross_entropy(Variable(np.array([[100.0]])), np.array([[0]])))


def binary_cross_entropy_of_certainty():
    return listed(F.binary_cross_entropy(Variable(np.array([[1.0]])), np.array([[1]])))


def softmax_wants_axis_1():
    try:
        F.softmax(Variable(np.ones(3)))
    except ValueError:
        return True
    return False


def max_over_a_negative_axis():
    return gradient_is_right(lambda x: F.max(x, axis=-1), numbers(2, 3))


def min_over_a_negative_axis():
    return gradient_is_right(lambda x: F.min(x, axis=-1), numbers(2, 3))


def expand_dims_at_the_end():
    return list(F.expand_dims(Variable(np.ones((2, 3))), -1).shape)


def dropping_everything():
    return listed(F.dropout(Variable(np.ones(2)), 1.0))


def normalised(x):
    ones = np.ones(x.shape[1])
    mean, var = np.zeros(x.shape[1]), ones.copy()
    return F.batch_nrom(x, Variable(ones), Variable(ones * 0), mean, var)


def batch_norm_backward_in_test_mode():
    with dezero.test_mode():
        return gradient_is_right(normalised, numbers(3, 2))


def batch_norm_twice():
    return second_derivative_is_right(lambda x: normalised(x) * numbers(4, 2), numbers(4, 2))


# 3. Convolution


def pooling_steps_by_one():
    return list(F.pooling(Variable(numbers(1, 1, 4, 4)), 2).shape)


def padding_is_the_largest():
    return float(F.pooling(Variable(-np.ones((1, 1, 3, 3))), 3, 1, 1).data.max())


def average_counts_the_padding():
    return listed(F.average_pooling(Variable(np.ones((1, 1, 2, 2))), 2, 2, 1))[0][0]


def conv2d_twice():
    x = numbers(1, 1, 3, 3)
    return second_derivative_is_right(lambda W: F.conv2d(Variable(x), W), numbers(2, 1, 2, 2))


def deconv2d_twice():
    x = numbers(1, 1, 2, 2)
    return second_derivative_is_right(lambda W: F.deconv2d(Variable(x), W), numbers(1, 2, 2, 2))


def simple_convolution_and_pooling_twice():
    W, x = numbers(2, 1, 2, 2), numbers(1, 1, 4, 4)
    return [
        second_derivative_is_right(lambda x: F.conv2d_simple(x, Variable(W)), x[:, :, :3, :3]),
        second_derivative_is_right(lambda x: F.pooling(x, 2, 2), x),
        second_derivative_is_right(lambda x: F.average_pooling(x, 2, 2), x),
    ]


def average_pooling_of_oblong_windows():
    return gradient_is_right(lambda x: F.average_pooling(x, (2, 3)), numbers(1, 1, 4, 5))


# 4. Layers and their files


def weights_are_in_by_out():
    return [list(layer.W.shape) for layer in (
        L.Linear(2, in_size=3), L.Conv2d(4, 3, in_channels=2), L.Deconv2d(4, 3, in_channels=2),
    )]  # fmt: skip


def keys_are_paths():
    model, found = MLP((3, 2)), {}
    model(np.ones((1, 4)))
    model._flatten_params(found, "net")
    return sorted(found)


def outputs_are_kept_weakly():
    layer = L.Linear(2)
    y = layer(Variable(np.ones((1, 3))))
    same = layer.outputs[0]() is y
    del y
    return [same, layer.outputs[0]() is None]


def a_parameter_set_to_none():
    layer = L.Linear(2, in_size=3)
    layer.b = None
    layer.cleargrads()
    return len(list(layer.params()))


def a_deleted_parameter():
    layer = L.Linear(2, in_size=3)
    del layer.b
    return len(list(layer.params()))


def parameters_are_ordered():
    code = """
import numpy; vars(numpy)['int'] = int
import dezero.layers as L
print([len(p.data) for p in L.LSTM(2, in_size=3).params()])
"""
    return len({fresh(code, PYTHONHASHSEED=str(seed)) for seed in range(4)})


def pickling_a_used_layer():
    layer = L.Linear(2)
    layer(np.ones((1, 3)))
    return list(pickle.loads(pickle.dumps(layer)).W.shape)


def rnn_with_its_input_size():
    layer = L.RNN(4, in_size=3)
    layer(Variable(np.ones((1, 3))))
    return list(layer(Variable(np.ones((1, 3)))).shape)


def saving_a_layer_that_waits():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "w.npz")
        L.Linear(2).save_weights(path)
        L.Linear(2).load_weights(path)


def a_failing_save_keeps_the_old_file():
    with tempfile.TemporaryDirectory() as folder:
        path, layer = os.path.join(folder, "w.npz"), L.Linear(2, in_size=3)
        layer.save_weights(path)
        before = Path(path).read_bytes()

        class Interrupts:
            def __reduce__(self):
                raise KeyboardInterrupt

        layer.x = Parameter(np.zeros(1))
        layer.x.data = np.array([Interrupts()])
        try:
            layer.save_weights(path)
        except (KeyboardInterrupt, ValueError):
            pass
        return os.path.exists(path) and Path(path).read_bytes() == before


def loading_without_the_suffix():
    with tempfile.TemporaryDirectory() as folder:
        path, layer = os.path.join(folder, "weights"), L.Linear(2, in_size=3)
        layer.save_weights(path)
        layer.load_weights(path)
        return True


def loading_other_shapes():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "w.npz")
        small, large = L.Linear(4, in_size=3), L.Linear(7, in_size=3)
        small.save_weights(path)
        large.load_weights(path)
        return list(large.W.shape)


# 5. Models


def squeezenet_takes_parameters():
    model = dezero.models.SqueezeNet()
    model.extra = Parameter(np.ones(1))
    return True


# 6. Optimizers


def rate_of_adam_before_the_first_step():
    return round(Adam(alpha=0.1).lr, 4)


def freezing():
    model = MLP((3, 2))
    optimizer = SGD(0.1).setup(model)
    F.sum(model(np.ones((1, 4)))).backward()
    optimizer.add_hook(FreezeParam(model.l0))
    before = model.l0.W.data.copy()
    optimizer.update()
    return bool(np.array_equal(model.l0.W.data, before))


class Two(dezero.Model):
    """A model that adds two parameters, whose equal gradients may share one array."""

    def __init__(self):
        super().__init__()
        self.p, self.q = Parameter(np.array([1.0, 2.0])), Parameter(np.array([1.0, 2.0]))


def hooked(hook, gradient):
    model = Two()
    y = model.p + model.q
    y.grad = Variable(np.array(gradient))
    y.backward()
    SGD(0.1).setup(model)
    hook(list(model.params()))
    return listed(model.p.grad)


def weight_decay_of_a_shared_gradient():
    return hooked(WeightDecay(0.5), [2.0, 2.5])


def clipping_a_shared_gradient():
    return hooked(ClipGrad(1.0), [30.0, 40.0])


def weight_decay_of_a_broadcast_gradient():
    model = Two()
    F.sum(model.p).backward()
    WeightDecay(0.5)([model.p])
    return listed(model.p.grad)


# 7, 8. Datasets and loaders


def spiral_is_the_books():
    data = dezero.datasets.Spiral()
    return [listed(data.data[:2]), [int(t) for t in data.label[:6]]]


def spiral_leaves_the_generator_alone():
    np.random.seed(7)
    first = np.random.rand()
    np.random.seed(7)
    dezero.datasets.Spiral()
    return bool(np.random.rand() == first)


def loaders_have_a_length():
    return len(dezero.DataLoader(dezero.datasets.Spiral(), 100))


def a_loop_that_was_left():
    loader = dezero.DataLoader(dezero.datasets.Spiral(), 100, shuffle=False)
    for _ in loader:
        break
    return sum(1 for _ in loader)


def sequences_in_batches():
    batches = [x.shape for x, _ in dezero.dataloaders.SeqDataLoader(dezero.datasets.SinCurve(), 30)]
    return [len(batches), list(batches[0])]


# 10, 11. Utilities


def pair_of_a_list():
    return list(dezero.utils.pair([2, 3]))


def pair_of_a_numpy_integer():
    return [int(n) for n in dezero.utils.pair(np.int64(2))]


def as_numpy_of_a_list():
    code = """
import sys, numpy; vars(numpy)['int'] = int
sys.modules['cupy'] = None
from dezero import cuda
try:
    cuda.as_numpy([1.0])
except Exception as error:
    print(type(error).__name__)
"""
    return fresh(code)


# 12. Today's NumPy


def single_precision_stays():
    x = Variable(np.ones((2, 3), "float32"))
    t = np.array([0, 1])
    doubled = []
    ops = {
        "x + 1.0": lambda x: x + 1.0,
        "x * 2.0": lambda x: x * 2.0,
        "x / 2": lambda x: x / 2,
        "tanh": F.tanh,
        "sigmoid": F.sigmoid,
        "x ** 3": lambda x: x**3,
        "mean_squared_error": lambda x: F.mean_squared_error(x, x * 0),
        "softmax_cross_entropy": lambda x: F.softmax_cross_entropy(x, t),
    }
    for name, op in ops.items():
        x.cleargrad()
        y = op(x)
        y.backward()
        if {str(y.dtype), str(x.grad.dtype)} != {"float32"}:
            doubled.append(name)
    return doubled


def weights_are_single():
    kinds = L.Linear(2, in_size=3), L.Conv2d(2, 3, in_channels=1), L.Deconv2d(2, 3, in_channels=1)
    return sorted({str(layer.W.dtype) for layer in kinds})


def datasets_compile_without_warnings():
    source = Path(sys.modules["dezero.datasets"].__file__).read_text("utf-8")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compile(source, "datasets.py", "exec")
    return [w.category.__name__ for w in caught]
