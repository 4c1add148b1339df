"""List the names of PyTorch that tutorials call, each with an example and DeZero's equivalent.

An example is an expression over the arrays of `arrays`, in which ``F`` stands for PyTorch's
modules ``torch``, ``torch.nn.functional`` and ``torch.linalg``, and for ``dezero.functions``. The
expression says ``axis`` and ``keepdims`` where PyTorch says ``dim`` and ``keepdim``.
"""

# ruff: noqa: E501 (one line for each row)

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Name(NamedTuple):
    """A name of PyTorch.

    Attributes:
        name: the name, below ``torch``, ``torch.nn.functional`` (``F``) or ``torch.Tensor``.
        example: the call of PyTorch's documentation, on arrays of `arrays`.
        ours: DeZero's expression for the same values; empty if ``example`` gives these values.
        note: how DeZero's name differs, or, for an absent name, what to use instead.
    """

    name: str
    example: str
    ours: str = ""
    note: str = ""

    @property
    def status(self) -> str:
        """Return "same", "different", or "absent"."""
        return "different" if self.ours else "absent" if self.note else "same"


RANDOM = {"torch.rand", "torch.randn", "torch.randint", "torch.multinomial", "F.gumbel_softmax"}
"""The names whose examples give random values, so that only the shapes are compared."""


def arrays() -> dict[str, Any]:
    """Return the arrays that the examples use: a dictionary from names to NumPy arrays."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape)

    mixing = normal(4, 4)
    probabilities = np.exp(normal(3, 4))
    log_probabilities = normal(6, 2, 5)
    return {
        "x": normal(3, 4),
        "y": normal(3, 4),
        "p": rng.uniform(0.5, 2, (3, 4)),
        "v": normal(4),
        "w": normal(4),
        "one": np.array([[0.0, 0.0, 1.0, 0.0]]),
        "unit": rng.uniform(-0.9, 0.9, (3, 4)),
        "probabilities": probabilities / probabilities.sum(1, keepdims=True),
        "zeros_ones": rng.integers(0, 2, (3, 4)).astype("float64"),
        "signs": np.array([1.0, -1.0, 1.0]),
        "batch": normal(2, 3, 4),
        "stacked": normal(2, 4, 3),
        "square": mixing,
        "definite": mixing @ mixing.T + np.eye(4),
        "ids": rng.integers(0, 6, (2, 3)),
        "table": normal(6, 4),
        "positions": rng.integers(0, 4, (3, 2)),
        "few": np.array([0, 2]),
        "signals": normal(2, 4, 8),
        "images": normal(2, 4, 8, 8),
        "volumes": normal(2, 2, 4, 4, 4),
        "deep": normal(2, 8, 3, 3),
        "columns": normal(2, 36, 36),
        "weight": normal(5, 4),
        "filters1": normal(3, 4, 3),
        "filters2": normal(3, 4, 3, 3),
        "filters3": normal(3, 2, 2, 2, 2),
        "filters1t": normal(4, 3, 3),
        "filters2t": normal(4, 3, 3, 3),
        "slopes": normal(4),
        "mean": normal(4),
        "variance": rng.uniform(0.5, 2, 4),
        "heads": normal(2, 3, 5, 4),
        "scores": normal(5, 4),
        "labels": rng.integers(0, 4, 5),
        "log_probabilities": log_probabilities
        - np.log(np.exp(log_probabilities).sum(2, keepdims=True)),
        "targets": rng.integers(1, 5, (2, 3)),
        "lengths": np.array([6, 5]),
        "target_lengths": np.array([3, 2]),
        "host": np.arange(6.0).reshape(2, 3),
    }


SECTIONS = {
    "Creation": [
        Name(
            "torch.tensor",
            "F.tensor([[1.0, 2.0]])",
            "Variable(np.array([[1.0, 2.0]]))",
            "a Variable wraps an array; `Parameter` is one that a model trains",
        ),
        Name(
            "torch.from_numpy",
            "F.from_numpy(host)",
            "Variable(host)",
            "a Variable wraps the array without a copy",
        ),
        Name(
            "torch.zeros", "F.zeros(2, 3)", "Variable(np.zeros((2, 3)))", "NumPy creates the array"
        ),
        Name("torch.ones", "F.ones(2, 3)", "Variable(np.ones((2, 3)))", "NumPy creates the array"),
        Name(
            "torch.full",
            "F.full((2, 3), 1.5)",
            "Variable(np.full((2, 3), 1.5))",
            "NumPy creates the array",
        ),
        Name("torch.eye", "F.eye(3)", "Variable(np.eye(3))", "NumPy creates the array"),
        Name("torch.arange", "F.arange(5)", "Variable(np.arange(5))", "NumPy creates the array"),
        Name(
            "torch.linspace",
            "F.linspace(0, 1, 5)",
            "Variable(np.linspace(0, 1, 5))",
            "NumPy creates the array",
        ),
        Name(
            "torch.zeros_like",
            "F.zeros_like(x)",
            "Variable(np.zeros_like(x.data))",
            "NumPy creates the array",
        ),
        Name(
            "torch.ones_like",
            "F.ones_like(x)",
            "Variable(np.ones_like(x.data))",
            "NumPy creates the array",
        ),
        Name(
            "torch.rand",
            "F.rand(2, 3)",
            "Variable(np.random.rand(2, 3))",
            "NumPy creates the array; `dezero.seed` seeds DeZero's own generator",
        ),
        Name(
            "torch.randn",
            "F.randn(2, 3)",
            "Variable(np.random.randn(2, 3))",
            "NumPy creates the array",
        ),
        Name(
            "torch.randint",
            "F.randint(0, 5, (2, 3))",
            "Variable(np.random.randint(0, 5, (2, 3)))",
            "NumPy creates the array",
        ),
        Name("torch.multinomial", "F.multinomial(one, 1)"),
        Name(
            "torch.meshgrid",
            'F.meshgrid(v, v, indexing="ij")',
            'np.meshgrid(v.data, v.data, indexing="ij")',
            "NumPy creates the arrays",
        ),
    ],
    "Elementwise": [
        Name("torch.abs", "F.abs(x)"),
        Name(
            "torch.add",
            "F.add(x, y, alpha=10)",
            "F.add(x, 10 * y)",
            "`add` has no `alpha`; multiply",
        ),
        Name(
            "torch.sub", "F.sub(x, y, alpha=2)", "F.sub(x, 2 * y)", "`sub` has no `alpha`; multiply"
        ),
        Name("torch.mul", "F.mul(x, y)"),
        Name(
            "torch.div",
            'F.div(x, y, rounding_mode="floor")',
            "F.floor_divide(x, y)",
            "`div` has no `rounding_mode`; call `floor_divide`, or `trunc` of the quotient",
        ),
        Name("torch.neg", "F.neg(x)"),
        Name("torch.pow", "F.pow(p, 2)"),
        Name("torch.exp", "F.exp(x)"),
        Name("torch.exp2", "F.exp2(x)"),
        Name("torch.expm1", "F.expm1(x)"),
        Name("torch.log", "F.log(p)"),
        Name("torch.log1p", "F.log1p(p)"),
        Name("torch.log2", "F.log2(p)"),
        Name("torch.log10", "F.log10(p)"),
        Name("torch.sqrt", "F.sqrt(p)"),
        Name("torch.rsqrt", "F.rsqrt(p)"),
        Name("torch.square", "F.square(x)"),
        Name("torch.reciprocal", "F.reciprocal(p)"),
        Name("torch.sign", "F.sign(x)"),
        Name("torch.floor", "F.floor(x)"),
        Name("torch.ceil", "F.ceil(x)"),
        Name("torch.round", "F.round(x)"),
        Name("torch.trunc", "F.trunc(x)"),
        Name("torch.remainder", "F.remainder(x, p)"),
        Name("torch.floor_divide", "F.floor_divide(x, p)"),
        Name("torch.sin", "F.sin(x)"),
        Name("torch.cos", "F.cos(x)"),
        Name("torch.tan", "F.tan(x)"),
        Name("torch.asin", "F.asin(unit)"),
        Name("torch.acos", "F.acos(unit)"),
        Name("torch.atan", "F.atan(x)"),
        Name("torch.atan2", "F.atan2(x, y)"),
        Name("torch.sinh", "F.sinh(x)"),
        Name("torch.cosh", "F.cosh(x)"),
        Name("torch.tanh", "F.tanh(x)"),
        Name("torch.erf", "F.erf(x)"),
        Name("torch.sigmoid", "F.sigmoid(x)"),
        Name("torch.clamp", "F.clamp(x, min=-0.5, max=0.5)"),
        Name("torch.clip", "F.clip(x, -0.5, 0.5)"),
        Name("torch.maximum", "F.maximum(x, y)"),
        Name("torch.minimum", "F.minimum(x, y)"),
        Name("torch.where", "F.where(x > 0, x, y)"),
        Name("torch.lerp", "F.lerp(x, y, 0.25)", "x + 0.25 * (y - x)", "write the formula"),
        Name(
            "torch.isnan",
            "F.isnan(x)",
            "np.isnan(x.data)",
            "tests have no derivative; apply NumPy to the data",
        ),
        Name(
            "torch.isfinite",
            "F.isfinite(x)",
            "np.isfinite(x.data)",
            "tests have no derivative; apply NumPy to the data",
        ),
    ],
    "Reductions and sorting": [
        Name("torch.sum", "F.sum(x, axis=1)"),
        Name("torch.mean", "F.mean(x, axis=1, keepdims=True)"),
        Name("torch.prod", "F.prod(x, axis=1)"),
        Name(
            "torch.max",
            "F.max(x, 1)",
            "(F.max(x, 1), F.argmax(x, 1))",
            "`max` returns the values only",
        ),
        Name(
            "torch.min",
            "F.min(x, 1)",
            "(F.min(x, 1), F.argmin(x, 1))",
            "`min` returns the values only",
        ),
        Name("torch.amax", "F.amax(x, 1)"),
        Name("torch.amin", "F.amin(x, 1)"),
        Name("torch.argmax", "F.argmax(x, axis=1)"),
        Name("torch.argmin", "F.argmin(x, axis=1)"),
        Name(
            "torch.var",
            "F.var(x, axis=1)",
            "F.var(x, axis=1, correction=1)",
            "the default of `correction` is 0, as in NumPy",
        ),
        Name(
            "torch.std",
            "F.std(x, axis=1)",
            "F.std(x, axis=1, correction=1)",
            "the default of `correction` is 0, as in NumPy",
        ),
        Name("torch.norm", "F.norm(x)", "F.vector_norm(x)", "the name of the array API"),
        Name("torch.linalg.vector_norm", "F.vector_norm(x, ord=2)"),
        Name("torch.logsumexp", "F.logsumexp(x, 1)"),
        Name("torch.cumsum", "F.cumsum(x, axis=0)"),
        Name("torch.cumprod", "F.cumprod(x, axis=0)"),
        Name(
            "torch.any",
            "F.any(x > 0)",
            "np.any(x > 0)",
            "comparisons are plain arrays; apply NumPy to them",
        ),
        Name(
            "torch.all",
            "F.all(x > 0)",
            "np.all(x > 0)",
            "comparisons are plain arrays; apply NumPy to them",
        ),
        Name(
            "torch.sort",
            "F.sort(x)",
            "(F.sort(x), F.argsort(x))",
            "`sort` returns the values only, as in the array API",
        ),
        Name("torch.argsort", "F.argsort(x, axis=1)"),
        Name("torch.topk", "F.topk(v, 3)"),
        Name(
            "torch.eq", "F.eq(x, y)", "x == y", "comparisons are operators, and return plain arrays"
        ),
    ],
    "Shapes and selection": [
        Name("torch.reshape", "F.reshape(x, (4, 3))"),
        Name(
            "torch.flatten",
            "F.flatten(x)",
            "F.flatten(x, 0)",
            "the default keeps the first axis, as in the book",
        ),
        Name(
            "torch.squeeze",
            "F.squeeze(x, 0)",
            "x",
            "an axis whose length is not 1 is an error, as in NumPy",
        ),
        Name("torch.unsqueeze", "F.unsqueeze(x, 0)"),
        Name(
            "torch.transpose",
            "F.transpose(x, 0, 1)",
            "F.transpose(x, (1, 0))",
            "`transpose` takes all axes, as in NumPy; `swapaxes` of PyTorch swaps two",
        ),
        Name("torch.permute", "F.permute(batch, (2, 0, 1))"),
        Name("torch.t", "F.t(x)", "x.T", "write `.T`"),
        Name("torch.movedim", "F.movedim(batch, 1, 0)"),
        Name("torch.moveaxis", "F.moveaxis(batch, 1, 0)"),
        Name("torch.cat", "F.cat((x, y), 0)"),
        Name("torch.concat", "F.concat((x, y), 0)"),
        Name("torch.stack", "F.stack((x, y))"),
        Name("torch.hstack", "F.hstack((x, y))"),
        Name("torch.vstack", "F.vstack((x, y))"),
        Name("torch.split", "F.split(x, 2)"),
        Name("torch.chunk", "F.chunk(x, 2)"),
        Name("torch.unbind", "F.unbind(x)"),
        Name("torch.tile", "F.tile(x, (2, 2))"),
        Name(
            "torch.repeat_interleave",
            "F.repeat_interleave(x, 2)",
            "F.repeat(x, 2)",
            "the name of the array API",
        ),
        Name("torch.broadcast_to", "F.broadcast_to(v, (3, 4))"),
        Name(
            "torch.roll",
            "F.roll(x, shifts=1, dims=0)",
            "F.roll(x, shift=1, axis=0)",
            "the arguments are `shift` and `axis`, as in the array API",
        ),
        Name("torch.flip", "F.flip(x, [0, 1])"),
        Name(
            "torch.gather",
            "F.gather(x, 1, positions)",
            "F.take_along_axis(x, positions, 1)",
            "the name of the array API; other axes broadcast",
        ),
        Name(
            "torch.take_along_dim",
            "F.take_along_dim(x, positions, axis=1)",
            "F.take_along_axis(x, positions, axis=1)",
            "the name of the array API",
        ),
        Name("torch.index_select", "F.index_select(x, 0, few)"),
        Name(
            "torch.index_add",
            "F.index_add(x, 0, few, x[:2])",
            "F.add_at(x, few, x[:2])",
            "`add_at` takes any index",
        ),
        Name(
            "torch.scatter",
            "F.scatter(x, 1, positions, x)",
            "",
            "np.put_along_axis changes a plain array; for a result with a derivative, add with `add_at`",
        ),
        Name(
            "torch.scatter_add",
            "F.scatter_add(x, 1, positions, x)",
            "F.add_at(x, (np.arange(3)[:, None], positions), x[:, :2])",
            "`add_at` takes any index",
        ),
        Name("torch.masked_select", "F.masked_select(x, x > 0)", "x[x > 0]", "index with the mask"),
        Name("torch.masked_fill", "F.masked_fill(x, x > 0, 0.0)"),
        Name(
            "torch.nonzero",
            "F.nonzero(x)",
            "np.argwhere(x.data)",
            "positions have no derivative; apply NumPy to the data",
        ),
        Name(
            "torch.tril",
            "F.tril(x, diagonal=1)",
            "F.tril(x, k=1)",
            "the argument is `k`, as in the array API",
        ),
        Name(
            "torch.triu",
            "F.triu(x, diagonal=1)",
            "F.triu(x, k=1)",
            "the argument is `k`, as in the array API",
        ),
        Name(
            "torch.diag",
            "F.diag(v)",
            "np.diag(v.data)",
            "NumPy makes the matrix; `diagonal` takes the diagonal of one",
        ),
        Name(
            "torch.diagonal",
            "F.diagonal(batch, offset=-1, dim1=1, dim2=2)",
            "F.diagonal(batch, offset=-1, axis1=1, axis2=2)",
            "the arguments are `axis1` and `axis2`, as in NumPy",
        ),
        Name(
            "torch.einsum",
            "F.einsum(x, [0, 1], y, [2, 1], [0, 2])",
            'F.einsum("ij,kj->ik", x, y)',
            "the subscripts are always a string",
        ),
    ],
    "Linear algebra": [
        Name("torch.matmul", "F.matmul(x, square)"),
        Name("torch.mm", "F.mm(x, square)"),
        Name("torch.bmm", "F.bmm(batch, stacked)"),
        Name("torch.mv", "F.mv(x, v)"),
        Name("torch.dot", "F.dot(v, v)"),
        Name("torch.outer", "F.outer(v, v)"),
        Name(
            "torch.tensordot",
            "F.tensordot(batch, stacked, dims=([2], [1]))",
            "F.tensordot(batch, stacked, axes=([2], [1]))",
            "the argument is `axes`, as in NumPy",
        ),
        Name(
            "torch.linalg.norm",
            "F.norm(square)",
            "F.vector_norm(square)",
            "the name of the array API; over all elements",
        ),
        Name("torch.linalg.inv", "F.inv(square)"),
        Name("torch.linalg.solve", "F.solve(square, v)"),
        Name("torch.linalg.det", "F.det(square)"),
        Name("torch.linalg.slogdet", "F.slogdet(square)"),
        Name("torch.linalg.cholesky", "F.cholesky(definite)"),
        Name(
            "torch.linalg.qr",
            'F.qr(square, mode="complete")',
            "F.qr(square)",
            "there is no `mode`: the result is the reduced form",
        ),
        Name("torch.linalg.svd", "F.svd(square, full_matrices=False)"),
        Name("torch.linalg.eigh", "F.eigh(definite)"),
        Name("torch.linalg.vecdot", "F.vecdot(x, y)"),
    ],
    "Activations": [
        Name("F.relu", "F.relu(x)"),
        Name(
            "F.leaky_relu",
            "F.leaky_relu(x)",
            "F.leaky_relu(x, 0.01)",
            "the default slope is 0.2, as in the book",
        ),
        Name("F.elu", "F.elu(x)"),
        Name("F.selu", "F.selu(x)"),
        Name("F.celu", "F.celu(x)"),
        Name("F.gelu", "F.gelu(x)"),
        Name("F.silu", "F.silu(x)"),
        Name("F.mish", "F.mish(x)"),
        Name("F.softplus", "F.softplus(x)"),
        Name("F.softsign", "F.softsign(x)"),
        Name("F.hardtanh", "F.hardtanh(x)"),
        Name("F.relu6", "F.relu6(x)"),
        Name("F.hardsigmoid", "F.hardsigmoid(x)"),
        Name("F.hardswish", "F.hardswish(x)"),
        Name("F.logsigmoid", "F.logsigmoid(x)"),
        Name("F.glu", "F.glu(x)"),
        Name("F.prelu", "F.prelu(images, slopes)"),
        Name("F.softmax", "F.softmax(x, axis=1)"),
        Name("F.log_softmax", "F.log_softmax(x, axis=1)"),
        Name("F.softmin", "F.softmin(x, axis=1)"),
        Name("F.gumbel_softmax", "F.gumbel_softmax(x)"),
        Name(
            "F.dropout",
            "F.dropout(x, p=0.0)",
            "F.dropout(x, 0.0)",
            "the book's argument is `dropout_ratio`",
        ),
        Name("F.dropout1d", "F.dropout1d(signals, p=0.0)"),
        Name("F.dropout2d", "F.dropout2d(images, p=0.0)"),
        Name("F.alpha_dropout", "F.alpha_dropout(x, p=0.0)"),
    ],
    "Layers' functions": [
        Name(
            "F.linear", "F.linear(x, weight)", "F.linear(x, weight.T)", "W has the shape (in, out)"
        ),
        Name("F.embedding", "F.embedding(ids, table)"),
        Name("F.one_hot", "F.one_hot(ids)"),
        Name(
            "F.layer_norm",
            "F.layer_norm(x, [4])",
            "F.layer_norm(x, None, None)",
            "the axes are those of gamma and beta",
        ),
        Name(
            "F.batch_norm",
            "F.batch_norm(images, mean, variance)",
            "",
            "`BatchNorm` stores the running statistics; F.batch_norm takes gamma and beta too",
        ),
        Name("F.group_norm", "F.group_norm(images, 2)"),
        Name("F.instance_norm", "F.instance_norm(images)"),
        Name(
            "F.rms_norm",
            "F.rms_norm(x, [4])",
            "F.rms_norm(x, eps=2.220446049250313e-16)",
            "the axes are those of gamma; the default eps is 1e-6",
        ),
        Name("F.normalize", "F.normalize(x)"),
        Name("F.cosine_similarity", "F.cosine_similarity(x, y)"),
        Name("F.pairwise_distance", "F.pairwise_distance(x, y)"),
        Name("F.conv1d", "F.conv1d(signals, filters1, padding=1)"),
        Name("F.conv2d", "F.conv2d(images, filters2, padding=1)"),
        Name("F.conv3d", "F.conv3d(volumes, filters3)"),
        Name("F.conv_transpose1d", "F.conv_transpose1d(signals, filters1t)"),
        Name("F.conv_transpose2d", "F.conv_transpose2d(images, filters2t, padding=1)"),
        Name("F.max_pool1d", "F.max_pool1d(signals, 2)"),
        Name("F.max_pool2d", "F.max_pool2d(images, 2)"),
        Name("F.avg_pool1d", "F.avg_pool1d(signals, 2)"),
        Name("F.avg_pool2d", "F.avg_pool2d(images, 2)"),
        Name("F.adaptive_avg_pool1d", "F.adaptive_avg_pool1d(signals, 5)"),
        Name("F.adaptive_avg_pool2d", "F.adaptive_avg_pool2d(images, (5, 7))"),
        Name("F.adaptive_max_pool2d", "F.adaptive_max_pool2d(images, 5)"),
        Name("F.unfold", "F.unfold(images, 3)"),
        Name("F.fold", "F.fold(columns, (8, 8), 3)"),
        Name(
            "F.pad",
            "F.pad(images, (1, 2))",
            "F.pad(images, [(0, 0), (0, 0), (0, 0), (1, 2)])",
            "a pair for each axis, from the first axis, as in NumPy",
        ),
        Name("F.interpolate", "F.interpolate(images, scale_factor=2)"),
        Name("F.pixel_shuffle", "F.pixel_shuffle(deep, 2)"),
        Name("F.pixel_unshuffle", "F.pixel_unshuffle(images, 2)"),
        Name(
            "F.scaled_dot_product_attention", "F.scaled_dot_product_attention(heads, heads, heads)"
        ),
    ],
    "Losses": [
        Name("F.cross_entropy", "F.cross_entropy(scores, labels)"),
        Name("F.nll_loss", "F.nll_loss(scores, labels)"),
        Name("F.mse_loss", "F.mse_loss(x, y)"),
        Name("F.l1_loss", "F.l1_loss(x, y)"),
        Name("F.smooth_l1_loss", "F.smooth_l1_loss(x, y)"),
        Name("F.huber_loss", "F.huber_loss(x, y)"),
        Name(
            "F.binary_cross_entropy",
            "F.binary_cross_entropy(probabilities, zeros_ones)",
            "F.binary_cross_entropy(F.reshape(probabilities, -1), F.reshape(zeros_ones, -1))",
            "the book divides the sum by the number of rows",
        ),
        Name(
            "F.binary_cross_entropy_with_logits",
            "F.binary_cross_entropy_with_logits(x, zeros_ones)",
        ),
        Name("F.kl_div", 'F.kl_div(x, probabilities, reduction="batchmean")'),
        Name("F.triplet_margin_loss", "F.triplet_margin_loss(x, y, p)"),
        Name("F.cosine_embedding_loss", "F.cosine_embedding_loss(x, y, signs)"),
        Name("F.ctc_loss", "F.ctc_loss(log_probabilities, targets, lengths, target_lengths)"),
    ],
    "Methods": [
        Name("Tensor.item", "v.sum().item()"),
        Name("Tensor.tolist", "x.tolist()"),
        Name("Tensor.numpy", "x.numpy()"),
        Name("Tensor.detach", "x.detach()"),
        Name("Tensor.exp", "x.exp()"),
        Name("Tensor.log", "p.log()"),
        Name("Tensor.sum", "x.sum(1)"),
        Name("Tensor.mean", "x.mean(0)"),
        Name(
            "Tensor.view",
            "x.view(4, 3)",
            "x.reshape(4, 3)",
            "`reshape` returns a view where the array library can",
        ),
        Name("Tensor.reshape", "x.reshape(4, 3)"),
        Name(
            "Tensor.permute",
            "batch.permute(2, 0, 1)",
            "batch.transpose(2, 0, 1)",
            "`transpose` permutes axes, as in NumPy",
        ),
        Name(
            "Tensor.unsqueeze", "x.unsqueeze(0)", "F.expand_dims(x, 0)", "the name of the array API"
        ),
        Name("Tensor.squeeze", "one.squeeze()"),
        Name(
            "Tensor.expand",
            "one.expand(3, 4)",
            "F.broadcast_to(one, (3, 4))",
            "the name of the array API",
        ),
        Name(
            "Tensor.contiguous", "x.contiguous()", "x", "not needed: any memory layout is accepted"
        ),
        Name("Tensor.float", "ids.float()", 'ids.astype("float32")', "the dtype is an argument"),
        Name("Tensor.argmax", "x.argmax(1)"),
        Name("Tensor.repeat", "x.repeat(2, 1)", "F.tile(x, (2, 1))", "the name of the array API"),
        Name("Tensor.clamp", "x.clamp(0)", "x.clip(0, None)", "the name is `clip`, as in NumPy"),
        Name(
            "Tensor.masked_fill",
            "x.masked_fill(x > 0, 0)",
            "F.masked_fill(x, x > 0, 0)",
            "a function",
        ),
        Name("Tensor.size", "x.size()", "x.shape", "`size` is the number of elements, as in NumPy"),
    ],
}
"""The rows by subject."""

ROWS = [row for section in SECTIONS.values() for row in section]
