"""List the PyTorch samples for each DeZero op: one line per pair of functions.

A row names the op, the entry of PyTorch's ``op_db`` (after a slash its variant), and expresses
PyTorch's call with the DeZero function. Arguments have PyTorch's names.
"""

# ruff: noqa: E501 (one line for each row)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import translations as t

from dezero_core import functions as C
from dezero_nn import functions as N


@dataclass(frozen=True)
class Row:
    """A DeZero op, the PyTorch function, and its call expressed with the op.

    Attributes:
        op: a name in DeZero's op table.
        entry: name in ``op_db``, perhaps with a variant after a slash.
        call: takes the arguments of PyTorch's function.
        only: selects samples by their keyword arguments, if PyTorch has several functions under
            one name.
    """

    op: str
    entry: str
    call: Callable[..., Any]
    only: Callable[[dict[str, Any]], bool] = lambda keywords: True

    @property
    def name(self) -> str:
        return f"{self.op} as {self.entry}"


ROWS = [
    # arithmetic
    Row("add", "add", lambda x, y, alpha=1: t.added(x, y, alpha=alpha)),
    Row("add", "__radd__", lambda x, y: y + x),
    Row("add", "addcmul", lambda x, y, z, value=1: t.added(x, y * z, alpha=value)),
    Row("add", "addcdiv", lambda x, y, z, value=1: t.added(x, y / z, alpha=value)),
    Row("sub", "sub", lambda x, y, alpha=1: C.sub(x, t.scaled(y, alpha))),
    Row("sub", "rsub", lambda x, y, alpha=1: C.sub(y, t.scaled(x, alpha))),
    Row("sub", "__rsub__", lambda x, y: y - x),
    Row("sub", "lerp", lambda x, y, weight: x + (y - x) * weight),
    Row("mul", "mul", C.mul),
    Row("mul", "__rmul__", lambda x, y: y * x),
    Row("div", "div/no_rounding_mode", C.div),
    Row("div", "true_divide", C.div),
    Row("div", "__rdiv__", lambda x, y: y / x),
    Row("reciprocal", "reciprocal", C.reciprocal),
    Row("neg", "neg", C.neg),
    Row("pos", "positive", C.pos),
    Row("abs", "abs", C.abs),
    Row("pow", "pow", C.pow),
    Row("pow", "__rpow__", lambda x, y: t.power(y, x)),
    Row("pow", "float_power", lambda x, y: C.pow(C.astype(x, "float64"), C.astype(y, "float64"))),
    Row("square", "square", C.square),
    Row("rsqrt", "rsqrt", C.rsqrt),
    Row("floor_divide", "floor_divide", C.floor_divide),
    Row("floor_divide", "div/floor_rounding", lambda x, y, rounding_mode: C.floor_divide(x, y)),
    Row("trunc", "div/trunc_rounding", lambda x, y, rounding_mode: C.trunc(x / y)),
    Row("remainder", "remainder", C.remainder),
    Row("remainder", "__rmod__", lambda x, y: y % x),
    # elementwise
    Row("exp", "exp", C.exp),
    Row("log", "log", C.log),
    Row("exp2", "exp2", C.exp2),
    Row("expm1", "expm1", C.expm1),
    Row("log1p", "log1p", C.log1p),
    Row("log2", "log2", C.log2),
    Row("log10", "log10", C.log10),
    Row("erf", "erf", C.erf),
    Row("sqrt", "sqrt", C.sqrt),
    Row("sin", "sin", C.sin),
    Row("cos", "cos", C.cos),
    Row("tan", "tan", C.tan),
    Row("tanh", "tanh", C.tanh),
    Row("tanh", "nn.functional.tanhshrink", lambda x: x - C.tanh(x)),
    Row("sinh", "sinh", C.sinh),
    Row("cosh", "cosh", C.cosh),
    Row("asin", "asin", C.asin),
    Row("acos", "acos", C.acos),
    Row("atan", "atan", C.atan),
    Row("atan2", "atan2", C.atan2),
    Row("asinh", "asinh", C.asinh),
    Row("acosh", "acosh", C.acosh),
    Row("atanh", "atanh", C.atanh),
    # rounding
    Row("sign", "sign", C.sign),
    Row("floor", "floor", C.floor),
    Row("ceil", "ceil", C.ceil),
    Row("trunc", "trunc", C.trunc),
    Row("trunc", "frac", lambda x: x - C.trunc(x)),
    Row("round", "round", C.round),
    Row("round", "round/decimals_0", C.round),
    Row("round", "round/decimals_3", C.round),
    Row("round", "round/decimals_neg_3", C.round),
    # selection
    Row("maximum", "maximum", C.maximum),
    Row("maximum", "max/binary", C.maximum),
    Row("maximum", "fmax", C.maximum),
    Row("minimum", "minimum", C.minimum),
    Row("minimum", "min/binary", C.minimum),
    Row("minimum", "fmin", C.minimum),
    Row("where", "where", lambda x, condition, y: C.where(condition, x, y)),
    Row("where", "masked_fill", t.masked_fill),
    Row("clip", "clamp", t.clamp),
    Row("clip", "clamp_min", lambda x, min: C.clip(x, min)),
    Row("clip", "clamp_max", lambda x, max: C.clip(x, None, max)),
    # shape
    Row("reshape", "reshape", lambda x, *shape: C.reshape(x, t.flat(shape))),
    Row("reshape", "view", lambda x, *shape: C.reshape(x, t.flat(shape))),
    Row("reshape", "reshape_as", lambda x, y: C.reshape(x, y.shape)),
    Row("reshape", "view_as", lambda x, y: C.reshape(x, y.shape)),
    Row("reshape", "ravel", lambda x: C.reshape(x, (-1,))),
    Row("reshape", "unflatten", t.unflattened),
    Row("flatten", "flatten", t.flattened),
    Row("expand_dims", "unsqueeze", C.expand_dims),
    Row("squeeze", "squeeze", t.squeezed),
    Row("squeeze", "squeeze/multiple", t.squeezed),
    Row("transpose", "permute", lambda x, *dims: C.transpose(x, t.flat(dims))),
    Row("transpose", "T", C.transpose),
    Row("transpose", "t", C.transpose),
    Row("transpose", "movedim", t.moved),
    Row("transpose", "transpose", t.swapped),
    Row("matrix_transpose", "mT", C.matrix_transpose),
    Row("matrix_transpose", "mH", C.matrix_transpose),
    Row("broadcast_to", "broadcast_to", lambda x, *shape: C.broadcast_to(x, t.flat(shape))),
    Row("broadcast_to", "expand", t.expanded),
    Row("broadcast_to", "expand_as", lambda x, y: C.broadcast_to(x, y.shape)),
    Row("broadcast_to", "repeat", lambda x, *counts: t.tiled(x, t.flat(counts))),
    Row("broadcast_to", "tile", lambda x, *counts: t.tiled(x, t.flat(counts))),
    Row("sum_to", "sum_to_size", t.sum_to_size),
    # parts
    Row("get_item", "__getitem__", C.get_item),
    Row("get_item", "clone", lambda x: x[...]),
    Row("get_item", "contiguous", lambda x: x[...]),
    Row("get_item", "select", t.part),
    Row("get_item", "slice", lambda x, dim=0, start=None, end=None, step=1: t.part(x, dim, slice(start, end, step))),
    Row("get_item", "narrow", t.narrow),
    Row("get_item", "index_select", t.part),
    Row("get_item", "gather", t.gather),
    Row("get_item", "take", lambda x, index: C.get_item(C.reshape(x, (-1,)), index)),
    Row("get_item", "take_along_dim", t.take_along_dim),
    Row("get_item", "masked_select", t.masked_select),
    Row("get_item", "flip", t.flip),
    Row("get_item", "fliplr", lambda x: x[:, ::-1]),
    Row("get_item", "flipud", lambda x: x[::-1]),
    Row("get_item", "rot90", t.rotated),
    Row("get_item", "roll", t.rolled),
    Row("get_item", "diagonal", t.diagonal),
    Row("get_item", "linalg.diagonal", lambda x, offset=0, dim1=-2, dim2=-1: t.diagonal(x, offset, dim1, dim2)),
    Row("get_item", "trace", lambda x: C.sum(t.diagonal(x))),
    Row("get_item", "split", t.split),
    Row("get_item", "split/list_args", t.split),
    Row("get_item", "chunk", t.chunk),
    Row("get_item", "hsplit", t.hsplit),
    Row("get_item", "unbind", lambda x, dim=0: tuple(t.part(x, dim, i) for i in range(x.shape[dim]))),
    Row("unstack", "unbind", lambda x, dim=0: C.unstack(x, dim)),
    Row("split", "split", C.split),
    Row("split", "split/list_args", C.split),
    Row("split", "split_with_sizes", C.split),
    Row("chunk", "chunk", C.chunk),
    Row("take", "index_select", lambda x, dim, index: C.take(x, index, dim) if x.ndim else t.part(x, dim, index)),
    Row("take", "take", lambda x, index: C.take(x, index)),
    Row("take_along_axis", "take_along_dim", lambda x, index, dim=None: t.take_along_dim(x, index) if dim is None else C.take_along_axis(x, index, dim)),
    Row("masked_fill", "masked_fill", lambda x, mask, value: C.masked_fill(x, mask, bool(value) if x.dtype == bool else value)),
    Row("pad", "nn.functional.pad/constant", t.pad),
    Row("pad", "constant_pad_nd", t.pad),
    Row("tril", "tril", C.tril),
    Row("triu", "triu", C.triu),
    Row("flip", "flip", lambda x, dims: C.flip(x, dims)),
    Row("repeat", "repeat_interleave", lambda x, repeats, dim=None, output_size=None: C.repeat(x, repeats, dim) if x.ndim else C.repeat(C.reshape(x, (1,)), repeats, dim)),
    Row("moveaxis", "movedim", C.moveaxis),
    Row("permute_dims", "permute", lambda x, *dims: C.permute_dims(x, t.flat(dims))),
    Row("tile", "tile", lambda x, *counts: C.tile(x, t.flat(counts))),
    Row("tile", "repeat", lambda x, *counts: C.tile(x, t.flat(counts))),
    Row("roll", "roll", lambda x, shifts, dims=None: C.roll(x, shifts, None if dims == () else dims)),
    Row("diagonal", "diagonal", lambda x, offset=0, dim1=0, dim2=1: C.diagonal(x, offset, dim1, dim2)),
    Row("diagonal", "linalg.diagonal", lambda x, offset=0, dim1=-2, dim2=-1: C.diagonal(x, offset, dim1, dim2)),
    Row("add_at", "index_add", t.index_add),
    # products
    Row("outer", "outer", C.outer),
    Row("tensordot", "tensordot", t.tensordot),
    Row("vecdot", "linalg.vecdot", lambda x, y, dim=-1: C.vecdot(x, y, dim)),
    Row("einsum", "einsum", lambda xs, subscripts: C.einsum(subscripts, *xs)),
    # joining
    Row("concat", "cat", t.cat),
    Row("concat", "hstack", t.hstack),
    Row("concat", "vstack", lambda xs: C.concat([t.at_least_2d(x) for x in xs])),
    Row("concat", "dstack", t.dstack),
    Row("concat", "column_stack", t.column_stack),
    Row("stack", "stack", C.stack),
    # reductions
    Row("sum", "sum", lambda x, dim=None, keepdim=False: C.sum(x, t.axes(dim), keepdim)),
    Row("mean", "mean", lambda x, dim=None, keepdim=False: C.mean(x, t.axes(dim), keepdim)),
    Row("average", "mean", lambda x, dim=None, keepdim=False: C.average(x, t.axes(dim), keepdim)),
    Row("var", "var", partial(t.moment, C.var)),
    Row("var", "var/unbiased", partial(t.moment, C.var)),
    Row("var", "var_mean", lambda x, *dim, **settings: (t.moment(C.var, x, *dim, **settings),)),
    Row("std", "std", partial(t.moment, C.std)),
    Row("std", "std/unbiased", partial(t.moment, C.std)),
    Row("prod", "prod", t.product),
    Row("cumulative_sum", "cumsum", partial(t.cumulative, C.cumulative_sum)),
    Row("cumulative_prod", "cumprod", partial(t.cumulative, C.cumulative_prod)),
    Row("vector_norm", "linalg.vector_norm", t.vector_norm),
    Row("max", "amax", lambda x, dim=None, keepdim=False: C.max(x, t.axes(dim), keepdim)),
    Row("max", "max/reduction_no_dim", C.max),
    Row("max", "max/reduction_with_dim", lambda x, dim, keepdim=False: (C.max(x, dim, keepdim), C.argmax(x, dim, keepdim))),
    Row("min", "amin", lambda x, dim=None, keepdim=False: C.min(x, t.axes(dim), keepdim)),
    Row("min", "min/reduction_no_dim", C.min),
    Row("min", "min/reduction_with_dim", lambda x, dim, keepdim=False: (C.min(x, dim, keepdim),)),
    Row("argmin", "argmin", lambda x, dim=None, keepdim=False: C.argmin(x, dim, keepdim)),
    Row("argmax", "argmax", lambda x, dim=None, keepdim=False: C.argmax(x, dim, keepdim)),
    Row("logsumexp", "logsumexp", lambda x, dim, keepdim=False: C.logsumexp(x, t.axes(dim), keepdim)),
    # products
    Row("matmul", "matmul", C.matmul),
    Row("matmul", "__rmatmul__", lambda x, y: y @ x),
    Row("matmul", "mm", C.matmul),
    Row("matmul", "bmm", C.matmul),
    Row("matmul", "mv", C.matmul),
    Row("matmul", "dot", C.matmul),
    Row("matmul", "inner", lambda x, y: C.tensordot(x, y, ([-1], [-1])) if x.ndim and y.ndim else x * y),
    Row("matmul", "outer", lambda x, y: C.matmul(C.expand_dims(x, 1), C.expand_dims(y, 0))),
    Row("matmul", "linalg.multi_dot", t.multi_dot),
    Row("matmul", "linalg.vecdot", lambda x, y, dim=-1: C.sum(x * y, dim)),
    Row("matmul", "addmm", lambda x, y, z, beta=1, alpha=1: t.added(x, y @ z, beta, alpha)),
    Row("matmul", "addmv", lambda x, y, z, beta=1, alpha=1: t.added(x, y @ z, beta, alpha)),
    Row("matmul", "baddbmm", lambda x, y, z, beta=1, alpha=1: t.added(x, y @ z, beta, alpha)),
    Row("matmul", "addbmm", lambda x, y, z, beta=1, alpha=1: t.added(x, C.astype(C.sum(y @ z, 0), x.dtype), beta, alpha)),
    Row("matmul", "addr", lambda x, y, z, beta=1, alpha=1: t.added(x, C.expand_dims(y, 1) * z, beta, alpha)),
    # dtypes
    Row("astype", "to", t.converted),
    Row("astype", "float", lambda x, **layout: C.astype(x, "float32")),
    Row("astype", "double", lambda x, **layout: C.astype(x, "float64")),
    Row("astype", "half", lambda x, **layout: C.astype(x, "float16")),
    Row("astype", "long", lambda x, **layout: C.astype(x, "int64")),
    Row("astype", "bool", lambda x, **layout: C.astype(x, "bool")),
    # activations
    Row("sigmoid", "sigmoid", N.sigmoid),
    Row("sigmoid_simple", "sigmoid", N.sigmoid_simple),
    Row("relu", "nn.functional.relu", N.relu),
    Row("leaky_relu", "nn.functional.leaky_relu", lambda x, negative_slope=0.01: N.leaky_relu(x, negative_slope)),
    Row("silu", "nn.functional.silu", N.silu),
    Row("gelu", "nn.functional.gelu", N.gelu),
    Row("softmax", "softmax", N.softmax),
    Row("softmax", "softmax/with_dtype", lambda x, dim, dtype: N.softmax(C.astype(x, dtype), dim)),
    Row("softmax_simple", "softmax", N.softmax_simple),
    Row("log_softmax", "log_softmax", N.log_softmax),
    Row("log_softmax", "log_softmax/with_dtype", lambda x, dim, dtype: N.log_softmax(C.astype(x, dtype), dim)),
    Row("softmin", "nn.functional.softmin", lambda x, dim: N.softmin(x, dim)),
    Row("hardtanh", "nn.functional.hardtanh", N.hardtanh),
    Row("relu6", "nn.functional.relu6", N.relu6),
    Row("hardsigmoid", "nn.functional.hardsigmoid", N.hardsigmoid),
    Row("hardswish", "nn.functional.hardswish", N.hardswish),
    Row("threshold", "nn.functional.threshold", N.threshold),
    Row("prelu", "nn.functional.prelu", lambda x, weight: N.prelu(x, weight)),
    Row("elu", "nn.functional.elu", N.elu),
    Row("selu", "nn.functional.selu", N.selu),
    Row("celu", "nn.functional.celu", N.celu),
    Row("softplus", "nn.functional.softplus", N.softplus),
    Row("logsigmoid", "nn.functional.logsigmoid", N.logsigmoid),
    Row("mish", "nn.functional.mish", N.mish),
    Row("softsign", "nn.functional.softsign", N.softsign),
    Row("glu", "nn.functional.glu", lambda x, dim=-1: N.glu(x, dim)),
    # layers
    Row("linear", "nn.functional.linear", lambda x, W, b=None: N.linear(x, C.transpose(W), b)),
    Row("linear_simple", "nn.functional.linear", lambda x, W, b=None: N.linear_simple(x, C.transpose(W), b)),
    Row("embed_id", "nn.functional.embedding", lambda W, x: N.embed_id(x, W)),
    Row("dropout", "nn.functional.dropout", t.dropout),
    Row("scaled_dot_product_attention", "nn.functional.scaled_dot_product_attention", t.attention, only=lambda k: not k.get("dropout_p")),
    Row("batch_norm", "nn.functional.batch_norm", t.batch_norm),
    Row("layer_norm", "nn.functional.layer_norm", t.layer_norm),
    # images
    Row("conv2d", "nn.functional.conv2d", partial(t.conv2d, N.conv2d)),
    Row("conv2d", "nn.functional.conv1d", t.in_one_row(partial(t.conv2d, N.conv2d))),
    Row("conv1d", "nn.functional.conv1d", N.conv1d),
    Row("conv3d", "nn.functional.conv3d", N.conv3d),
    Row("conv_transpose1d", "nn.functional.conv_transpose1d", N.conv_transpose1d),
    Row("conv_transpose2d", "nn.functional.conv_transpose2d", N.conv_transpose2d, t.has_short_output_padding),
    Row("conv_transpose3d", "nn.functional.conv_transpose3d", N.conv_transpose3d, t.has_short_output_padding),
    Row("conv2d_simple", "nn.functional.conv2d", partial(t.conv2d, t.conv2d_simple)),
    Row("deconv2d", "nn.functional.conv_transpose2d", t.conv_transpose2d),
    Row("deconv2d", "nn.functional.conv_transpose1d", t.in_one_row(t.conv_transpose2d)),
    Row("pooling", "nn.functional.max_pool2d", partial(t.max_pool2d, N.pooling)),
    Row("pooling_simple", "nn.functional.max_pool2d", partial(t.max_pool2d, N.pooling_simple), lambda k: k["dilation"] == 1 and not k["return_indices"]),
    Row("average_pooling", "nn.functional.avg_pool2d", t.avg_pool2d),
    Row("average_pooling", "nn.functional.avg_pool1d", t.in_one_row(t.avg_pool2d)),
    Row("im2col", "nn.functional.unfold", t.unfold),
    Row("unfold", "nn.functional.unfold", N.unfold),
    # losses
    Row("cross_entropy", "nn.functional.cross_entropy", N.cross_entropy),
    Row("nll_loss", "nn.functional.nll_loss", N.nll_loss),
    Row("mean_squared_error", "nn.functional.mse_loss", partial(t.mse_loss, N.mean_squared_error)),
    Row("mean_squared_error_simple", "nn.functional.mse_loss", partial(t.mse_loss, N.mean_squared_error_simple)),
    Row("binary_cross_entropy", "nn.functional.binary_cross_entropy", t.binary_cross_entropy),
    Row("sigmoid_cross_entropy", "nn.functional.binary_cross_entropy_with_logits", t.with_logits),
    Row("softmax_cross_entropy", "nn.functional.cross_entropy", partial(t.cross_entropy, N.softmax_cross_entropy)),
    Row("softmax_cross_entropy", "nn.functional.nll_loss", t.nll_loss),
    Row("softmax_cross_entropy_simple", "nn.functional.cross_entropy", partial(t.cross_entropy, N.softmax_cross_entropy_simple)),
]  # fmt: skip

WITHOUT_SAMPLES = {
    "accuracy": "PyTorch has no such function",
    "swiglu": "PyTorch has no such function",
    "col2im": "op_db has no samples of fold; `im2col` is compared, whose gradient it is",
    "gru": "op_db has no samples of GRU; test_against_pytorch.py compares them",
    "fold": "op_db has no samples of fold; `unfold` is compared, whose gradient it is",
    "lstm": "op_db has no samples of LSTM; test_against_pytorch.py compares them",
}
"""Ops without PyTorch samples, and the reason."""
