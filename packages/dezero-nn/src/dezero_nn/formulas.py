"""List formulas for functions of PyTorch that DeZero lacks; `dezero_nn.hints` shows them."""

from __future__ import annotations

PLAIN = {
    name: f"numpy.{name}(x.data): the result has no derivative"
    for name in "bincount unique searchsorted allclose isclose isinf signbit histogram".split()
}
"""Functions without a derivative, which NumPy computes on the data of a Variable."""

COMPARISONS = {
    **{
        name: f"x {sign} y" for name, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items()
    },
    "ne": "x != y",
    **{
        f"{family}_{name}": f"{formula}: comparisons are plain arrays"
        for family in ("logical", "bitwise")
        for name, formula in {
            "and": "(x > 0) & (y > 0)",
            "or": "(x > 0) | (y > 0)",
            "not": "~(x > 0)",
            "xor": "(x > 0) ^ (y > 0)",
        }.items()
    },
}
"""Comparisons, which are operators."""

ELEMENTWISE = {
    "frac": "x - F.trunc(x)",
    "fmod": "x - y * F.trunc(x / y)",
    "hypot": "F.sqrt(x**2 + y**2)",
    "logit": "F.log(x / (1 - x))",
    "expit": "F.sigmoid(x)",
    "erfc": "1 - F.erf(x)",
    "sgn": "F.sign(x)",
    "xlogy": "x * F.log(y), for y > 0",
    "nan_to_num": "F.where(numpy.isfinite(x.data), x, 0.0)",
    "clamp_min": "F.clip(x, x_min, None)",
    "clamp_max": "F.clip(x, None, x_max)",
    "true_divide": "F.div(x0, x1)",
    "float_power": "F.pow(x0, x1)",
    "rad2deg": "x * (180 / math.pi)",
    "deg2rad": "x * (math.pi / 180)",
    "log_sigmoid": "F.logsigmoid(x)",
    "tanhshrink": "x - F.tanh(x)",
    "softshrink": "F.relu(x - lambd) - F.relu(-x - lambd)",
    "hardshrink": "F.where(abs(x.data) > lambd, x, 0.0)",
    **{
        name: f"a subclass of dezero.Function that calls scipy.special.{function}"
        for name, function in {
            "lgamma": "gammaln",
            "digamma": "digamma",
            "erfinv": "erfinv",
        }.items()
    },
    "addcmul": "x + value * y * z",
    "addcdiv": "x + value * y / z",
}

REDUCTIONS = {
    **dict.fromkeys(("median", "quantile", "kthvalue"), "F.sort(x, axis), indexed at a position"),
    "msort": "F.sort(x, 0)",
    "var_mean": "F.var(x, axis, correction=1) and F.mean(x, axis)",
    "std_mean": "F.std(x, axis, correction=1) and F.mean(x, axis)",
    "aminmax": "F.min(x, axis) and F.max(x, axis)",
    "dist": "F.vector_norm(x - y, ord)",
    "cdist": "F.vector_norm(F.expand_dims(x, -2) - F.expand_dims(y, -3), axis=-1)",
    "logcumsumexp": "F.log(F.cumulative_sum(F.exp(x - F.max(x)), axis)) + F.max(x)",
    "diff": "x[1:] - x[:-1]",
}

MATRICES = {
    **dict.fromkeys(("addmm", "baddbmm", "addmv"), "x + F.matmul(y, z)"),
    **dict.fromkeys(("chain_matmul", "multi_dot"), "x @ y @ z"),
    "inverse": "F.inv(x)",
    "lstsq": "F.solve(x.T @ x, x.T @ y)",
    "bilinear": "F.einsum('...i,oij,...j->...o', x, W, y)",
    "kron": "F.einsum('ij,kl->ikjl', x, y), reshaped",
    "cross": "x[..., [1, 2, 0]] * y[..., [2, 0, 1]] - x[..., [2, 0, 1]] * y[..., [1, 2, 0]]",
    "diag_embed": "F.expand_dims(x, -1) * numpy.eye(n)",
    **{
        name: f"numpy.{name}(n), which are plain arrays"
        for name in ("tril_indices", "triu_indices")
    },
}

SHAPES = {
    "unflatten": "F.reshape(x, shape)",
    "view_as": "F.reshape(x, y.shape)",
    "expand_as": "F.broadcast_to(x, y.shape)",
    "swapdims": "F.moveaxis(x, source, destination)",
    "tensor_split": "F.chunk(x, n, axis), or F.split(x, sizes, axis)",
    "select": "an index, such as x[:, i]",
    **dict.fromkeys(("index_fill", "index_put"), "F.where(mask, values, x)"),
    **{
        name: "F.where(mask, values, x), or F.add_at(x, index, values); x.data[index] = values "
        "writes to the array"
        for name in "scatter_ scatter_add_ index_add_ index_copy_ index_fill_ masked_fill_".split()
    },
    "upsample": "F.interpolate(x, size, scale_factor)",
    "channel_shuffle": "F.reshape, F.transpose and F.reshape",
}

RANDOM = {
    "randperm": "numpy.random.permutation(n)",
    "empty": "Variable(numpy.empty(...))",
    **{name: f"Variable(numpy.random.{name}(...))" for name in ("normal", "poisson")},
    "rand_like": "Variable(numpy.random.rand(*x.shape))",
    "randn_like": "Variable(numpy.random.randn(*x.shape))",
    **{
        f"new_{name}": f"Variable(numpy.{name}(...))" for name in ("zeros", "ones", "full", "empty")
    },
    "new_tensor": "Variable(array)",
    **{
        f"{name}_": f"x.data[...] = numpy.random.{name}(size=x.shape)"
        for name in ("normal", "uniform", "exponential")
    },
}

LOSSES = {
    "multilabel_soft_margin_loss": "F.binary_cross_entropy_with_logits(x, t)",
    "sigmoid_focal_loss": "F.mean((1 - F.exp(-l)) ** gamma * l), with l = "
    "F.binary_cross_entropy_with_logits(x, t, reduction='none')",
}

FORMULAS = {
    **PLAIN,
    **COMPARISONS,
    **ELEMENTWISE,
    **REDUCTIONS,
    **MATRICES,
    **SHAPES,
    **RANDOM,
    **LOSSES,
}
"""A dictionary from names of PyTorch's functions and methods to formulas in DeZero."""
