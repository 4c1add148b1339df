"""Check that common mistakes raise messages that help.

A message names the op, what it was given and what it expects; through a model also the layer.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import DataLoader, Model, Variable, optimizers
from dezero.datasets import ConcatDataset, Subset, random_split
from dezero.models import MLP, Sequential
from dezero.transforms import Compose, RandomCrop
from dezero_core.errors import DezeroError

attention = F.scaled_dot_product_attention
X, T = np.ones((4, 3), "float32"), np.array([0, 1, 2, 0])
IMAGES = np.ones((2, 3, 8, 8), "float32")


def on_cuda(x: Any) -> Any:
    return dezero.cuda.as_cupy(x)


class Net(Model):
    """Hold layers in a list, in a dictionary and as attributes."""

    def __init__(self) -> None:
        self.blocks = [{"conv": L.Conv2d(4, 3, in_channels=3)}]
        self.embed, self.rnn, self.norm = L.EmbedID(5, 2), L.RNN(3), L.BatchNorm()
        self.head = Sequential(L.Linear(10, in_size=3), F.relu, L.Linear(2, in_size=7))

    def forward(self, x: Any) -> Any:
        return self.blocks[0]["conv"](x)


class Bare(Model):
    """Hold a layer in the class body, and return nothing."""

    layer = L.Linear(2)

    def forward(self, x: Any) -> Any:
        self.layer(x)


class Through(Model):
    """Call one layer of a `Net` through a model."""

    def __init__(self, name: str) -> None:
        self.net, self.name = Net(), name

    def forward(self, x: Any) -> Any:
        return getattr(self.net, self.name)(x)


def holding(data: Any) -> Variable:
    x = Variable(X)
    x.data = data
    return x


def backward_twice() -> None:
    y = F.sum(Variable(X) ** 2)
    y.backward()
    y.backward()


def without_a_graph() -> None:
    with dezero.no_grad():
        y = F.sum(Variable(X))
    y.backward()


def another_batch() -> None:
    rnn = L.LSTM(2)
    rnn(X)
    rnn(X[:2])


def half_on_the_device() -> None:
    model = MLP((2,), in_size=3).to_gpu()
    model(X)


def load_into_another(tmp: Path) -> None:
    L.Linear(2, in_size=3).save_weights(tmp / "w.npz")
    L.Linear(2, in_size=4).load_weights(tmp / "w.npz")


def load_a_name_nearly_right(tmp: Path) -> None:
    L.Linear(2, in_size=3).save_weights(tmp / "weights.npz")
    L.Linear(2, in_size=3).load_weights(tmp / "weigths.npz")


NO_MODELS: dict[str, Any] = {
    "a generator": Net().params(), "a number": 5, "a function": F.relu, "a class": MLP,
    "a parameter": L.Linear(2, in_size=3).W, "values": Net().named_params().values(),
    "Variables": [Variable(X)], "arrays": [X], "an optimizer": optimizers.SGD(), "nothing": None,
}  # fmt: skip
TARGETS: dict[str, Any] = {
    "layers": Sequential(F.relu).layers, "a generator": Net().params(), "a tuple": (Net(),),
    "values": Net().named_params().values(), "a dictionary": {"net": Net()},
    "a parameter": L.Linear(2, in_size=3).W,
}  # fmt: skip
Mistake = tuple[str, Callable[..., Any], type[Exception], str]
REDUCTIONS: dict[str, Any] = {
    name: getattr(F, name) for name in "sum mean max min prod argmax argmin logsumexp".split()
}

MISTAKES: list[Mistake] = [
    ("a dictionary of layers", lambda: Sequential({"l": L.Linear(2)}), ValueError,
     r"argument 0 is of type dict; .*Sequential\(\*layers\.values\(\)\); the layers are called l0"),
    ("a list instead of an array", lambda: Variable([1, 2]), TypeError, "list is not supported"),
    ("a number instead of an array", lambda: Variable(1.0), TypeError, "float is not supported"),
    ("a number as data", lambda: holding(3.0) * 2, TypeError,
     "Mul: the data of input 0: float is not supported: expected an array"),
    ("a Variable as data", lambda: F.exp(holding(Variable(X))), TypeError,
     "Exp: the data of input 0: Variable is not supported"),
    ("the shape of a number", lambda: holding(3.0).shape, AttributeError,
     "shape: this Variable has a float as data; write x.data = array"),
    ("gradients toward a dictionary",
     lambda: dezero.grad(F.sum(Variable(X)), {"W": Variable(X)}), TypeError,
     r"grad: xs is of type str; expected Variables; .*grad\(y, list\(parameters\.values\(\)\)\)"),
    ("a list into a layer", lambda: MLP((2,))([[1.0, 2.0]]), TypeError,
     r"Linear\.forward: x is of type list; expected an array.*\(in model\.l0\)"),
    ("images of wrong rank", lambda: L.Conv2d(4, 3)(IMAGES[0]), ValueError,
     r"Conv2d: x \(3, 8, 8\): images have the shape \(N, C, H, W\)"),
    ("wrong channels", lambda: Net()(IMAGES[:, :2]), ValueError,
     r"x \(2, 2, 8, 8\), W \(4, 3, 3, 3\).*same C.*\(in model\.blocks/0/conv\)"),
    ("rows into a convolution", lambda: Net()(X), ValueError, r"x \(4, 3\).*blocks/0/conv"),
    ("groups that do not divide", lambda: L.Conv2d(4, 3, groups=2)(IMAGES), ValueError,
     "groups 2 does not divide the channels, 3 in and 4 out"),
    ("a kernel larger than the image", lambda: F.pooling(IMAGES, 9), ValueError,
     r"a kernel of \(9, 9\) does not fit into an image of \(8, 8\)"),
    ("padding larger than the window", lambda: F.pooling(IMAGES, 2, 2, 2), ValueError,
     r"pad \(2, 2\) is not smaller than kernel_size \(2, 2\)"),
    ("a kernel size of 1.5", lambda: L.Conv2d(4, 1.5), ValueError,
     r"1\.5 is neither an integer nor a pair"),
    ("a size that does not fit the next layer", lambda: Through("head")(X), ValueError,
     r"x \(4, 10\), W \(7, 2\).*x is \(\.\.\., in\).*\(in model\.net/head/l2\)"),
    ("images into a fully connected layer", lambda: L.Linear(2, in_size=192)(IMAGES), ValueError,
     r"Linear: x \(2, 3, 8, 8\), W \(192, 2\)"),
    ("an id beyond the table", lambda: Through("embed")(np.array([1, 5])), ValueError,
     r"embedding: id 5 with 5 rows in the table; ids start at 0"),
    ("ids that are floats", lambda: L.EmbedID(5, 2)(X), ValueError,
     "ids are integers, got float32"),
    ("one sequence without a batch", lambda: L.RNN(3)(np.ones(3)), ValueError,
     r"RNN: x \(3,\): expected \(N, in\), one step of N sequences, or \(T, N, in\), T steps"),
    ("another batch size in the middle", another_batch, ValueError,
     r"the state is of 4 rows; reset_state\(\) drops it"),
    ("batch norm without channels", lambda: L.BatchNorm()(np.ones(3)), ValueError,
     r"x \(3,\); expected \(N, C\)"),
    ("float labels", lambda: F.softmax_cross_entropy(X, T / 2), ValueError,
     "labels are integers, got float64"),
    ("labels from 1", lambda: F.softmax_cross_entropy(X, T + 1), ValueError,
     "label 3 with 3 classes; labels start at 0"),
    ("one-hot labels", lambda: F.softmax_cross_entropy(X, np.eye(4, 3, dtype=int)), ValueError,
     "convert one-hot rows by argmax"),
    ("labels in a list", lambda: F.softmax_cross_entropy(X, [0, 1, 2, 0]), TypeError,
     "t is of type list; expected an array; make an array of it"),
    ("fewer labels than rows", lambda: F.accuracy(X, T[:3]), ValueError,
     r"scores \(4, 3\) and labels \(3,\)"),
    ("an empty batch", lambda: F.softmax_cross_entropy(X[:0], T[:0]), ValueError,
     r"scores \(0, 3\): the batch is empty"),
    ("a column and a row in a loss", lambda: F.mean_squared_error(X[:, :1], X[:, :1].T), ValueError,
     r"shapes \(4, 1\) and \(1, 4\): both are \(N, \.\.\.\), and equal; reshape one"),
    ("scores of one axis", lambda: F.softmax(X[0]), ValueError, "give axis=-1 for the last"),
    ("targets of another size", lambda: F.sigmoid_cross_entropy(X, T), ValueError,
     r"\(4, 3\) and targets \(4,\)"),
    ("shapes that do not broadcast", lambda: Variable(X) + np.ones(4), ValueError,
     r"Add: shapes \(4, 3\) and \(4,\) do not broadcast"),
    ("a product of misfits", lambda: F.matmul(Variable(X), X), ValueError, r"MatMul: .*\(4, 3\)"),
    ("a reshape to another size", lambda: F.reshape(X, (5, 2)), ValueError,
     r"12 elements of shape \(4, 3\) to \(5, 2\)"),
    ("an index out of range", lambda: Variable(X)[7], IndexError, r"index 7 for shape \(4, 3\)"),
    ("arrays of several shapes joined", lambda: F.concat([X, X[:, :2]]), ValueError,
     r"shapes \(4, 3\), \(4, 2\) along axis 0: all other axes must be equal"),
    ("dropping everything", lambda: F.dropout(X, 1.0), ValueError, r"1\.0 is not in \[0, 1\)"),
    ("a batch on the device, the model not", lambda: MLP((2,), in_size=3)(on_cuda(X)), TypeError,
     r"cupy.* on .*numpy.* on cpu.*to_gpu\(\).*\(in model\.l0\)"),
    ("the model on the device, the batch not", half_on_the_device, TypeError, r"Linear got numpy"),
    ("backward twice", backward_twice, RuntimeError, "pass retain_graph=True"),
    ("backward of a constant", lambda: Variable(X).detach().backward(), RuntimeError,
     "it was not computed"),
    ("backward under no_grad", without_a_graph, RuntimeError, r"under no_grad\(\)"),
    ("an optimizer without a model", lambda: optimizers.SGD().update(), RuntimeError,
     r"call setup\(model\) first"),
    *[(f"an optimizer of {name}", lambda x=x: optimizers.SGD(0.1).setup(x), TypeError,
       r"SGD\.setup: .*; (write setup\(model\)|Parameter\(array\) makes one of an array, .*)$")
      for name, x in NO_MODELS.items()],
    *[(f"PyTorch's optimizer of {name}", lambda x=x: optimizers.SGD(x, 0.1), TypeError,
       r"SGD: the first argument is a number, got .*; write SGD\(...\).setup\(model\)$")
      for name, x in TARGETS.items()],
    ("a checkpoint of a number", lambda: dezero.save_checkpoint("c.npz", epoch=3), TypeError,
     r"part 'epoch' is 3; expected a model, .*metadata=\{'epoch': '3'\} stores a note"),
    ("a checkpoint of a class", lambda: dezero.save_checkpoint("c.npz", model=MLP), TypeError,
     "got the class MLP .*; pass the model"),
    ("a checkpoint of a generator", lambda: dezero.save_checkpoint("c.npz", model=Net().params()),
     TypeError, r"got .*\(generator\); expected a model or layer.*; pass the model"),
    ("layers in a set", lambda: optimizers.SGD().setup([{L.Linear(2)}]), ValueError,
     "of type set, in which parameters have no keys; use a list"),
    ("saving before the first batch", lambda tmp: MLP((2,)).save_weights(tmp / "w"), ValueError,
     "l0/W: no data yet; run one forward pass"),
    ("weights of another model", load_into_another, ValueError,
     r"nothing was loaded: 'W': model \(4, 2\), file \(3, 2\)"),
    ("a file name nearly right", load_a_name_nearly_right, FileNotFoundError,
     r"weigths\.npz not found; there is weights\.npz"),
    ("a batch size of 0", lambda: DataLoader(dezero.datasets.Spiral(), 0), ValueError,
     "batch_size 0 is below 1"),
    ("a truth value of many", lambda: bool(Variable(X) * 1), ValueError,
     r"expected a Variable of one element, got shape \(4, 3\)"),
    ("sizes in PyTorch's order", lambda: L.Linear(784, 100), TypeError,
     r"Linear: too many positional arguments; .*; write Linear\(100, in_size=784\)$"),
    ("a convolution in PyTorch's order", lambda: L.Conv2d(3, 64, 3, 1, 1), TypeError,
     r"Conv2d: .*; write Conv2d\(64, 3, stride=1, pad=1, in_channels=3\)$"),
    ("a short convolution in PyTorch's order", lambda: L.Conv2d(3, 16, 5), TypeError,
     r"write Conv2d\(3, 16, stride=5\), or Conv2d\(16, 5, in_channels=3\)$"),
    ("PyTorch's order with an open size", lambda: L.Conv2d(None, 16, 3), TypeError,
     r"; write Conv2d\(16, 3, in_channels=None\)$"),
    ("sizes that are no integers", lambda: L.Linear(784.0, 100), TypeError, "initializer=None\\)$"),
    ("three sizes of an MLP", lambda: MLP(784, 100, 10), TypeError,
     r"in_size=None\); pass the output sizes .* keyword: MLP\(\(100, 10\), in_size=784\)$"),
    ("sizes and an activation", lambda: MLP(784, 100, 10, activation=F.relu), TypeError,
     r"in_size=None\); pass the output sizes as one argument"),
    ("a stride and a padding by position", lambda: L.Deconv2d(64, 4, 2, 1), TypeError,
     r"write Deconv2d\(64, 4, stride=2, pad=1\), or "),
    ("a recurrent layer in PyTorch's order", lambda: L.LSTM(10, 20), TypeError,
     r"write LSTM\(10, in_size=20\), or LSTM\(20, in_size=10\)$"),
    ("layers by position", lambda: L.GRU(10, 20, 2), TypeError,
     r"write GRU\(10, in_size=20, num_layers=2\), or GRU\(20, in_size=10, num_layers=2\)$"),
    ("a bias by position", lambda: L.Linear(10, True), TypeError,
     r"write Linear\(10, nobias=True\)$"),
    ("an activation by position", lambda: L.Linear(10, "relu"), TypeError,
     r"Linear: too many positional arguments; the call is Linear\(out_size, \*, .*None\)$"),
    ("no kernel size", lambda: L.Conv2d(3), TypeError, "missing .*'kernel_size'; the call is"),
    ("a rate for AdaDelta", lambda: optimizers.AdaDelta(0.01), TypeError, "no learning rate"),
    ("PyTorch's arguments of batch norm", lambda: L.BatchNorm(64, 1e-5), TypeError,
     r"BatchNorm: too many positional arguments; .*write BatchNorm\(64, eps=1e-05\)$"),
    ("axes of layer norm one by one", lambda: L.LayerNorm(3, 4), TypeError,
     r"LayerNorm: too many .*LayerNorm\(\(3, 4\)\)$"),
    ("a number of elements to drop", lambda: L.Dropout(5), ValueError,
     r"Dropout: dropout_ratio 5 is not in \[0, 1\)"),
    ("sizes of an MLP one by one", lambda: MLP(784, 100), ValueError,
     r"MLP: output sizes must be one argument.*got MLP\(784, 100\)"),
    ("an input size for an activation", lambda: MLP((100, 10), 784), ValueError,
     "the activation a function"),
    ("a list of layers", lambda: Sequential([L.Linear(3), F.relu]), ValueError,
     r"argument 0 is of type list; expected layers .*Sequential\(\*layers\)"),
    ("classes for a published model", lambda: dezero.models.ResNet50(10), ValueError,
     "pretrained 10 .*: expected True or False"),
    ("channels of a CNN that are a number", lambda: dezero.models.CNN(10, 32), ValueError,
     "channels must be a pair .*got 32"),
    ("PyTorch's names of sizes", lambda: L.Linear(in_features=784, out_features=100), TypeError,
     r"'in_features' \(write in_size\), 'out_features' \(write out_size\); the call is Linear\("),
    ("PyTorch's padding and bias", lambda: L.Conv2d(3, 3, padding=1, bias=False), TypeError,
     r"'padding' \(write pad\), 'bias' \(nobias=True leaves the bias out\)"),
    ("Keras' units and activation", lambda: L.Linear(units=3, activation="relu"), TypeError,
     r"'units' \(write out_size\), 'activation' \(call the activation"),
    ("Chainer's ksize", lambda: L.Conv2d(3, ksize=3), TypeError, r"'ksize' \(write kernel_size\)"),
    ("an index of padding", lambda: L.EmbedID(3, 2, padding_idx=3), ValueError, "with 3 rows in"),
    ("classes of a CNN", lambda: dezero.models.CNN(num_classes=3), TypeError, "write out_size"),
    ("classes of a ResNet", lambda: dezero.models.ResNet50(num_classes=3), TypeError, r"fc6 = Lin"),
    ("insert of a model", lambda: MLP((2,)).insert(0, F.relu), AttributeError, "layers.insert"),
    ("PyTorch's p of a layer", lambda: L.Dropout(p=0.1), TypeError, "write dropout_ratio"),
    ("PyTorch's p of a function", lambda: F.dropout(X, p=0.1), TypeError, "write dropout_ratio"),
    ("dim of a function", lambda: F.softmax(X, dim=1), TypeError,
     r"softmax: unknown keyword 'dim' \(write axis\); the call is softmax\(x, axis=1\)"),
    ("dim and keepdim of a method", lambda: Variable(X).sum(dim=1, keepdim=True), TypeError,
     r"'dim' \(write axis\), 'keepdim' \(write keepdims\)"),
    ("reduction of a loss", lambda: F.softmax_cross_entropy(X, T, reduction="sum"), TypeError,
     "this loss is the mean over the batch"),
    ("a keyword nobody has", lambda: L.Linear(3, foo=1), TypeError,
     "unknown keyword 'foo'; the call is"),
    ("arguments for a class without __init__", lambda: Net.__base__(3), TypeError,
     r"Model: got arguments, but has no __init__ .*; Model\(\)\(x\) calls it"),
    ("PyTorch's inplace", lambda: L.ReLU(inplace=True), TypeError,
     r"ReLU: got arguments, .*; inplace: no function works in place"),
    ("PyTorch's start_dim", lambda: L.Flatten(start_dim=2), TypeError,
     r"; F\.flatten\(x, start_axis, end_axis\) joins"),
    ("queries, keys and values", lambda: L.MultiHeadAttention(1, 3)(X, X, X), ValueError,
     r"MultiHeadAttention: mask is the array that is also x or context; the call is attention\("),
    ("the class of a layer as a layer", lambda: Sequential(L.Linear(2), L.ReLU), ValueError,
     r"Sequential: layer 1 is the class ReLU; expected a layer, such as ReLU\(\)"),
    ("the class of a layer as an activation", lambda: MLP((3, 2), L.ReLU)(X), TypeError,
     r"ReLU\(\)\(x\) calls it"),
    ("an array as a number", lambda: L.Dropout(X), TypeError, "Dropout: dropout_ratio array"),
    ("a number that is None", lambda: L.LayerNorm(eps=None), TypeError, "eps None .*a number"),
    ("the name of an initializer", lambda: L.Linear(3, initializer="he"), TypeError,
     r"Linear: initializer 'he': expected an Initializer, such as He\(\)"),
    ("a function as an initializer", lambda: L.Linear(3, initializer=np.zeros), TypeError,
     "or a function of shape, fan_in, fan_out and dtype"),
    ("an initializer without a result", lambda: L.Linear(3, in_size=2, initializer=lambda *x: None),
     ValueError, r"Linear: the initializer returned None; expected an array of shape \(2, 3\)"),
    ("the class of an initializer", lambda: L.Conv2d(3, 3, initializer=dezero.initializers.He),
     TypeError, r"Conv2d: initializer He: expected an Initializer, such as He\(\)"),
    ("a seed as a generator", lambda: L.Embedding(3, 2, generator=42), TypeError,
     r"generator 42 \(int\): expected a random generator, such"),
    ("a seed of -1", lambda: dezero.seed(-1), ValueError, "seed: n -1 is below 0"),
    ("a seed that is None", lambda: dezero.seed(None), TypeError, "seed: n None"),
    ("a transform that is no function", lambda: Compose([len, "crop"]), TypeError,
     r"Compose: got \[.*'crop'\]; expected a list of transforms"),
    ("one transform without a list", lambda: Compose(len), TypeError, "a list of transforms"),
    ("weights into a buffer", lambda: MLP((2,), in_size=3).save_weights(BytesIO()), TypeError,
     "path: got BytesIO; expected the name of a file"),
    ("a null character in a path", lambda: MLP((2,), in_size=3).save_weights("a\0b"), ValueError,
     r"path: 'a\\x00b': expected a name without null"),
    ("two arrays as a dataset", lambda: list(DataLoader((X, T), 2)), ValueError,
     r"TensorDataset\(x, t\) makes pairs"),
    ("a model without parameters", lambda: optimizers.SGD().setup(Bare()).step(), ValueError,
     "SGD: the model has no Parameters; set layers and Parameters as attributes in __init__"),
    ("a forward without return", lambda: F.mse_loss(Bare()(X), X), TypeError,
     "mse_loss: x: None is not an array; a function without return gives None"),
    ("a gradient that is None", lambda: Variable(X) - Variable(X).grad, TypeError,
     r"Sub: input 1: None is not an array; .*x\.grad before backward\(\)"),
    ("None for elements", lambda: F.where(X > 0, X, None), TypeError, "Where: input 2: None"),
    ("a shape before the first batch", lambda: L.Linear(3).W.shape, AttributeError,
     "shape of 'W': this Parameter has no data yet; pass the input size"),
    ("nothing to join", lambda: F.concat(None), TypeError, "concat: xs: None is not an array"),
    ("a stride in place of the bias", lambda: F.conv2d(IMAGES, IMAGES, 1), TypeError,
     "conv2d: b is of type int; expected an array"),
    ("a number as a bias", lambda: F.linear(X, X.T, 1.0), TypeError, "linear: b is of type float"),
    ("a mask of 0.0 and 1.0", lambda: attention(*[X] * 3, np.tril(np.ones((4, 4)))), TypeError,
     r"mask holds only 0\.0 and 1\.0, .*; mask != 0 converts it to bools"),
    ("causal in place of the mask", lambda: attention(X, X, X, True), TypeError,
     "mask is True; expected an array; write causal=True"),
    ("a seed for a split", lambda: random_split([1, 2], [0.5, 0.5], 42), TypeError,
     "random_split: generator is of type int"),
    ("lengths that are NaN", lambda: random_split([1, 2], [float("nan"), 1]), ValueError,
     "expected finite numbers"),
    ("one fraction of a split", lambda: random_split([1, 2], 0.5), TypeError, r"\[0\.8, 0\.2\]"),
    ("a subset of a generator", lambda: Subset(iter([1]), [0]), ValueError, "Subset: the dataset"),
    ("one dataset to concatenate", lambda: ConcatDataset(3), TypeError, "a list of datasets"),
    ("a number as collate_fn", lambda: DataLoader([1], 1, collate_fn=5), TypeError,
     "DataLoader: collate_fn is of type int; expected a function"),
    ("padding of two numbers", lambda: RandomCrop(4, padding=(1, 1)), TypeError, "padding .*int"),
    ("gradients of nothing", lambda: optimizers.clip_grad_norm(None, 1.0), TypeError,
     r"params is of type NoneType; pass the model or model\.params\(\)"),
    ("a transform that is a number", lambda: dezero.datasets.Spiral(transform=5), TypeError,
     "Spiral: transform is of type int; expected a function"),
    ("no indices", lambda: F.take(X, None), TypeError, "take: indices: None is not an array"),
    *[(f"two axes of {name} one by one", lambda reduce=reduce: reduce(Variable(X), 0, 1), TypeError,
       rf"{name}: keepdims 1 \(int\): expected True or False; .* axis=\(0, 1\)$")
      for name, reduce in REDUCTIONS.items()],
    ("a table of pandas", lambda: F.softmax(type("DataFrame", (), {})()), TypeError,
     "softmax: x is of type DataFrame; expected an array"),
    ("a function without a Variable", lambda: dezero.jacobian(lambda x: x.data, X), TypeError,
     "the result of <lambda> is of type ndarray; expected a Variable"),
    *[(f"a number as the argument of {draw.__name__}", lambda draw=draw: draw(3.0), TypeError,
       "output is of type float; expected a Variable")
      for draw in (dezero.utils.get_dot_graph, dezero.utils.plot_dot_graph)],
    ("PyTorch's arguments of grad", lambda: dezero.grad(X, X, grad_outputs=X), TypeError,
     r"grad: unknown keyword 'grad_outputs' \(write gy\)"),
    ("PyTorch's apply of a Function", lambda: dezero.Function.apply(X), AttributeError,
     r"'apply'; in DeZero: Name\(\)\(x\)"),
    ("another framework's layer", lambda: L.Dense(3), AttributeError, r"L\.Linear\(out_size\)"),
    ("another framework's function", lambda: F.reduce_sum(X, 1), AttributeError,
     r"'reduce_sum'; in DeZero: F\.sum"),
    ("another framework's namespace", lambda: dezero.nn, AttributeError, "dezero.layers"),
    ("model.zero_grad()", lambda: Net().zero_grad(), AttributeError, r"model\.cleargrads\(\)"),
    ("model.train(x)", lambda: Net().train(X), ValueError, r"loss\.backward\(\)"),
    ("inherit(f(x))", lambda: dezero.inherit(X), TypeError, r"executor\.submit\(inherit\(f\), x\)"),
    ("optimizer.zero_grad()", lambda: optimizers.SGD().zero_grad(), AttributeError,
     r"model\.cleargrads\(\)"),
    ("optimizer.step() before setup", lambda: optimizers.Adam().step(), RuntimeError,
     r"Adam: call setup\(model\) first"),
    ("x.view(...)", lambda: Variable(X).view(3, 4), AttributeError, r"x\.reshape\(shape\)"),
    ("x.unsqueeze(0)", lambda: Variable(X).unsqueeze(0), AttributeError, r"x\.expand_dims\(axis\)"),
    ('x.to("cpu")', lambda: Variable(X).to("cpu"), ValueError, r"to_cpu\(\)"),
    ("x.to(device)", lambda: Variable(X).to("cuda:0"), ValueError, r"to_gpu\(\)"),
    ("x.to(dtype)", lambda: Variable(X).to(np.float64), ValueError, "astype"),
    ("a setting misspelt", lambda: dezero.using_config("trian", False), ValueError,
     "no setting 'trian'; there are enable_backprop, exact, float32_precision, train, "
     "update_buffers"),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake[0])
def test_mistake(mistake: Mistake, tmp_path: Path) -> None:
    _, make, kind, message = mistake
    arguments = (tmp_path,) if make.__code__.co_varnames[:1] == ("tmp",) else ()
    with pytest.raises(DezeroError, match=message) as caught:
        make(*arguments)
    assert isinstance(caught.value, kind), "also what one would catch without knowing DeZero"


def test_forgetting_cleargrads_adds_up_and_is_documented() -> None:
    model = L.Linear(1, in_size=3)
    model(X).sum().backward()
    once = model.W.grad.data.copy()
    model(X).sum().backward()
    assert np.array_equal(model.W.grad.data, 2 * once)
    assert "Add to ``x.grad``" in Variable.backward.__doc__
    assert "would add to old gradients" in model.cleargrads.__doc__


def test_there_are_at_least_thirty_mistakes() -> None:
    assert len(MISTAKES) >= 30
