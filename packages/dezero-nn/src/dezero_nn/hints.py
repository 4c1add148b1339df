"""List hints for names that other frameworks give to functions, layers, models and optimizers.

The tables list only names that do not exist in DeZero: if you add a name to DeZero, remove its
hint. Hints for attributes of Variables are in `dezero_core.hints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dezero_core.hints import ADVICE, KEYWORDS, missing

from .formulas import FORMULAS

FUNCTIONS = {
    # PyTorch
    **FORMULAS,
    "ravel": "F.reshape(x, -1)",
    "swapaxes": "F.transpose(x, axes), or F.moveaxis(x, source, destination)",
    "concatenate": "F.concat(xs, axis)",
    "view": "F.reshape(x, shape)",
    **dict.fromkeys(("detach", "stop_gradient"), "x.detach()"),
    "gather": "F.take_along_axis(x, indices, axis)",
    "take_along_dim": "F.take_along_axis(x, indices, axis)",
    "index_add": "F.add_at(x, index, values)",
    "scatter_add": "F.add_at(x, index, values)",
    "masked_select": "x[mask]",
    "narrow": "a slice, such as x[:, start:stop]",
    "repeat_interleave": "F.repeat(x, repeats, axis)",
    "norm": "F.vector_norm(x, ord, axis)",
    "logdet": "F.slogdet(x), of which the second result is the logarithm",
    **{f"arc{name}": f"F.a{name}(x)" for name in "sin cos tan sinh cosh tanh".split()},
    **{
        name: f"numpy.{name}(x.data): tests have no derivative" for name in "isnan isfinite".split()
    },
    **{
        name: f"Variable(numpy.{name}(...))"
        for name in "zeros ones full eye arange linspace".split()
    },
    **{
        f"{name}_like": f"Variable(numpy.{name}_like(x.data))" for name in "zeros ones full".split()
    },
    **{name: f"Variable(numpy.random.{name}(...))" for name in "rand randn randint".split()},
    **dict.fromkeys(("tensor", "from_numpy", "as_tensor", "array", "asarray"), "Variable(array)"),
    "meshgrid": "numpy.meshgrid(x.data, y.data)",
    **{name: f"numpy.{name}(x > 0): comparisons are plain arrays" for name in ("any", "all")},
    "eq": "x == y",
    "t": "x.T",
    "column_stack": "F.stack(xs, 1), or F.concat(xs, 1) for matrices",
    "lerp": "x + weight * (y - x)",
    "diag": "numpy.eye(n) * x for a diagonal matrix, or F.diagonal(x) for the diagonal of a matrix",
    "trace": "F.diagonal(x).sum()",
    "scatter": "F.add_at(x, index, values), or F.where(mask, values, x)",
    "nonzero": "numpy.argwhere(x.data): positions have no derivative",
    "swish": "F.silu(x)",
    "multiply": "F.mul(x0, x1)",
    "divide": "F.div(x0, x1)",
    "subtract": "F.sub(x0, x1)",
    "power": "F.pow(x0, x1)",
    "negative": "F.neg(x)",
    "absolute": "F.abs(x)",
    "arctan2": "F.atan2(x0, x1)",
    "rsub": "x1 - x0",
    "rdiv": "x1 / x0",
    # Keras
    "categorical_crossentropy": "F.softmax_cross_entropy(x, t), for scores and integer labels",
    "sparse_categorical_crossentropy": "F.softmax_cross_entropy(x, t), for scores",
    "binary_crossentropy": "F.binary_cross_entropy(p, t)",
    "mse": "F.mse_loss(x, t)",
    **dict.fromkeys(("mae", "mean_absolute_error"), "F.l1_loss(x, t)"),
    "to_categorical": "F.one_hot(t, num_classes)",
    "gradients": "dezero.grad(y, xs)",
    "reduce_sum": "F.sum(x, axis)",
    "reduce_mean": "F.mean(x, axis)",
    "reduce_max": "F.max(x, axis)",
    # Chainer
    "convolution_2d": "F.conv2d(x, W, b, stride, pad)",
    "deconvolution_2d": "F.deconv2d(x, W, b, stride, pad)",
    "max_pooling_2d": "F.pooling(x, kernel_size, stride, pad)",
    "average_pooling_2d": "F.average_pooling(x, kernel_size, stride, pad)",
    "batch_normalization": "F.batch_norm(x, gamma, beta, mean, var)",
    "layer_normalization": "F.layer_norm(x, gamma, beta)",
    "classification_accuracy": "F.accuracy(y, t)",
    "cast": "F.astype(x, dtype)",
    "split_axis": "F.split(x, size_or_sizes, axis), or F.chunk(x, n, axis)",
    "separate": "F.unstack(x, axis)",
    "select_item": "x[numpy.arange(len(t)), t]",
    "rollaxis": "F.moveaxis(x, source, destination)",
    "batch_matmul": "F.matmul(x, W)",
    "bias": "x + b",
    "identity": "x itself",
    "copy": "x.to_cpu() and x.to_gpu(), which move x; +x is a new array",
    "squared_error": "(x0 - x1) ** 2",
    "absolute_error": "F.abs(x0 - x1)",
    "clipped_relu": "F.clip(x, 0, z)",
    "crelu": "F.concat([F.relu(x), F.relu(-x)], axis=1)",
    "hard_sigmoid": "F.clip(0.2 * x + 0.5, 0, 1); F.hardsigmoid has the slope 1/6",
    "maxout": "F.max(x.reshape(-1, out_size, pool_size), 2)",
    "resize_images": "F.interpolate(x, size, mode='bilinear')",
    "unpooling_2d": "F.interpolate(x, scale_factor=n)",
    "depth2space": "F.pixel_shuffle(x, n), whose channels are in another order",
    "l2_normalization": "F.normalize(x)",
    "fixed_batch_normalization": "F.batch_norm(x, gamma, beta, mean, var) in test_mode()",
    "gaussian_kl_divergence": "0.5 * F.sum(mean ** 2 + F.exp(ln_var) - ln_var - 1)",
    "bernoulli_nll": "F.binary_cross_entropy_with_logits(x, t, reduction='sum')",
    "connectionist_temporal_classification": "F.ctc_loss(log_probs, targets, input_lengths, "
    "target_lengths)",
    "pad_sequence": "dezero.utils.pad_sequence(sequences)",
    **{f"n_step_{name}": f"L.{name.upper()}(hidden_size)" for name in ("rnn", "lstm", "gru")},
    # classes of the book whose arguments differ in DeZero
    "GetItemGrad": "F.add_at(x, index, values)",
    "BatchNorm": "F.batch_norm(x, gamma, beta, mean, var)",
}

LAYERS = {
    "Activation": "the function itself, such as F.relu; Sequential takes it as it is",
    # PyTorch
    "Module": "L.Layer, or dezero.Model",
    "Parameter": "dezero.Parameter(array)",
    "Sequential": "dezero.models.Sequential(*layers)",
    "ModuleList": "a Python list: layers in lists are found",
    "ModuleDict": "a Python dict: layers in dictionaries are found",
    "UpsamplingNearest2d": "L.Upsample(size, scale_factor)",
    "UpsamplingBilinear2d": "L.Upsample(size, scale_factor, 'bilinear', align_corners=True)",
    "Unfold": "F.unfold(x, kernel_size), a function",
    "Fold": "F.fold(x, output_size, kernel_size), a function",
    "MultiheadAttention": "L.MultiHeadAttention(heads, size)",
    "TransformerEncoderLayer": "L.TransformerBlock(heads, pre_norm=False)",
    "TransformerEncoder": "a list of L.TransformerBlock layers",
    "TransformerDecoderLayer": "L.TransformerBlock(heads, causal=True), or for a decoder with a "
    "context L.MultiHeadAttention(heads) called with (x, context)",
    "LSTMCell": "L.LSTM(hidden_size)",
    "GRUCell": "L.GRU(hidden_size)",
    "RNNCell": "L.RNN(hidden_size)",
    **{
        name: f"F.{function}(x, t)"
        for name, function in {
            "NLLLoss": "nll_loss",
            "L1Loss": "l1_loss",
            "SmoothL1Loss": "smooth_l1_loss",
            "HuberLoss": "huber_loss",
            "KLDivLoss": "kl_div",
            "SoftMarginLoss": "soft_margin_loss",
            "PoissonNLLLoss": "poisson_nll_loss",
        }.items()
    },
    "CTCLoss": "F.ctc_loss(log_probs, targets, lengths, target_lengths)",
    "TripletMarginLoss": "F.triplet_margin_loss(anchor, positive, negative)",
    "CosineEmbeddingLoss": "F.cosine_embedding_loss(x1, x2, t)",
    "CosineSimilarity": "F.cosine_similarity(x1, x2)",
    "PairwiseDistance": "F.pairwise_distance(x1, x2)",
    **{
        name: f"F.{name.lower()}, a function; Sequential takes it as it is"
        for name in ("CELU", "Softsign", "Softmin")
    },
    **dict.fromkeys(
        ("ZeroPad2d", "ConstantPad2d", "ReflectionPad2d", "ReplicationPad2d"),
        "F.pad(x, widths, mode=mode), with a pair of widths for each axis",
    ),
    "EmbeddingBag": "F.mean(layer(ids), 1), where layer is an L.Embedding",
    "Bilinear": "F.einsum('...i,oij,...j->...o', x, W, y)",
    "Unflatten": "F.reshape(x, shape)",
    "SyncBatchNorm": "L.BatchNorm(channels, all_sum=function); the function sums over processes",
    "Softmax2d": "L.Softmax(axis=1)",
    "Threshold": "F.threshold(x, threshold, value)",
    "utils": "dezero.utils",
    "functional": "dezero.functions",
    "init": "dezero.initializers",
    "LazyLinear": "L.Linear(out_size), which takes its input size from the first input",
    "LazyConv2d": "L.Conv2d(out_channels, kernel_size)",
    "GlobalAvgPool2d": "L.AdaptiveAvgPool2d(1)",
    "Bidirectional": "L.LSTM(hidden_size, bidirectional=True)",
    "Lambda": "the function itself; Sequential takes it as it is",
    "ParameterList": "a Python list: Parameters in lists are found",
    "SpectralNorm": "dezero.utils.spectral_norm(layer)",
    "WeightNorm": "dezero.utils.weight_norm(layer)",
    "CrossEntropyLoss": "F.cross_entropy(x, t)",
    "MSELoss": "F.mse_loss(x, t)",
    "BCELoss": "F.binary_cross_entropy(p, t)",
    "BCEWithLogitsLoss": "F.binary_cross_entropy_with_logits(x, t)",
    # Keras
    "Dense": "L.Linear(out_size)",
    "Conv2D": "L.Conv2d(out_channels, kernel_size)",
    "Conv2DTranspose": "L.Deconv2d(out_channels, kernel_size)",
    "MaxPooling2D": "L.MaxPool2d(kernel_size)",
    "MaxPool2D": "L.MaxPool2d(kernel_size)",
    "AveragePooling2D": "L.AvgPool2d(kernel_size)",
    "UpSampling2D": "L.Upsample(scale_factor=2)",
    "Conv1D": "L.Conv1d(out_channels, kernel_size)",
    "Conv3D": "L.Conv3d(out_channels, kernel_size)",
    "MaxPooling1D": "L.MaxPool1d(kernel_size)",
    "GroupNormalization": "L.GroupNorm(num_groups)",
    "GlobalAveragePooling2D": "F.mean(x, (2, 3))",
    "BatchNormalization": "L.BatchNorm()",
    "LayerNormalization": "L.LayerNorm()",
    "SimpleRNN": "L.RNN(hidden_size)",
    "Input": "sizes are taken from the first input",
    "InputLayer": "sizes are taken from the first input",
    "Reshape": "F.reshape(x, shape)",
    "Concatenate": "F.concat(xs, axis)",
    **{
        name: f"the operator {sign}, as in x0 {sign} x1"
        for name, sign in {"Add": "+", "Subtract": "-", "Multiply": "*"}.items()
    },
    "TimeDistributed": "the layer itself: L.Linear takes x of shape (..., in)",
    "RepeatVector": "F.repeat(F.expand_dims(x, 1), n, 1)",
    "ZeroPadding2D": "F.pad(x, widths), with a pair of widths for each axis",
    "Rescaling": "x * scale + offset",
    "GaussianNoise": "x + numpy.random.normal(0, std, x.shape), while model.training",
    **{f"GlobalMax{name}2D": "F.max(x, (2, 3))" for name in ("Pooling", "Pool")},
    "GlobalAveragePooling1D": "F.mean(x, 2)",
    "AveragePooling1D": "L.AvgPool1d(kernel_size)",
    "DepthwiseConv2D": "L.Conv2d(out_channels, kernel_size, groups=in_channels)",
    # Flax
    "Conv": "L.Conv2d(out_channels, kernel_size)",
    "Embed": "L.Embedding(in_size, out_size)",
    "MultiHeadDotProductAttention": "L.MultiHeadAttention(heads, size)",
    # Chainer
    "Convolution2D": "L.Conv2d(out_channels, kernel_size)",
    "Deconvolution2D": "L.Deconv2d(out_channels, kernel_size)",
    "Link": "L.Layer",
    "Chain": "L.Layer, or dezero.Model",
    "ChainList": "L.Layer with a list: layers in lists are found",
    "StatelessLSTM": "F.lstm(x, Wx, Wh, b, h, c), or L.LSTM(hidden_size)",
    **{
        f"NStep{name}": f"L.{name}(hidden_size), on x of shape (T, N, in)"
        for name in ("LSTM", "GRU")
    },
    **{name: "L.GRU(hidden_size)" for name in ("StatefulGRU", "StatelessGRU")},
    "DilatedConvolution2D": "L.Conv2d(out_channels, kernel_size, dilation=n)",
    "DepthwiseConvolution2D": "L.Conv2d(out_channels, kernel_size, groups=in_channels)",
    "Classifier": "the model itself, and F.softmax_cross_entropy(model(x), t) as the loss",
    "Bias": "model.b = dezero.Parameter(array), and x + model.b",
    "Maxout": "F.max(x.reshape(-1, out_size, pool_size), 2), after L.Linear",
}

KEYWORDS |= {
    "p": "input y_pred",
    "y": "y_pred outputs",
    "n": "num_samples",
    "size": "embed_dim d_model normalized_shape",
    "t": "target labels y_true",
    "gamma": "weight",
    "nobias": "bias use_bias",
    **dict.fromkeys(("b", "beta"), "bias"),
    "in_size": "in_features input_dim input_size num_embeddings",
    "out_size": "out_features output_dim units num_classes embedding_dim",
    "hidden_size": "units n_units",
    "out_channels": "filters",
    "kernel_size": "ksize pool_size",
    "pad": "padding",
    "padding": "pad",
    "stride": "strides",
    "dilation": "dilate dilation_rate",
    "dropout_ratio": "p rate ratio",
    "dropout": "dropout_p",
    "causal": "is_causal",
    "mask": "attn_mask key_padding_mask",
    "heads": "num_heads nhead n_head",
    "slope": "negative_slope alpha",
    "eps": "epsilon",
    "beta1": "beta_1 b1",
    "beta2": "beta_2 b2",
    "ignore_index": "ignore_label",
    "padding_idx": "ignore_label",
    "create_graph": "enable_double_backprop",
    **dict.fromkeys(("lr", "alpha"), "learning_rate"),
    "channels": "num_features num_channels",
    "initializer": "kernel_initializer initialW",
}

ADVICE |= {
    "track_running_stats": "after model.eval(), layer.train() normalises by the batch again",
    "dim_feedforward": "TransformerBlock's hidden is dim_feedforward divided by d_model",
    "activation": "call the activation on the result, or put it after the layer in Sequential",
    "input_shape": "the size is taken from the first input",
    "weight": "W, which is (in, out) in linear layers",
    "momentum": "decay is 1 - PyTorch's momentum",
    "betas": "beta1= and beta2=",
    "weight_decay": "optimizer.add_hook(WeightDecay(rate)), or AdamW",
    "params": "SGD(lr).setup(model)",
    "reduction": "this loss is the mean over the batch; cross_entropy and mse_loss take reduction",
    "batch_first": "the batch is always the first axis",
    "enable_gqa": "not needed: k and v may have fewer heads than q",
    "training": "call model.eval() and model.train(), or use test_mode()",
    "num_classes": "replace the last layer, such as model.fc6 = Linear(n)",
    "ignore_label": "F.cross_entropy(x, t, ignore_index=label)",
    "dtype": "x.astype(dtype) converts an array",
    "out": "no function writes its result to an argument",
    **dict.fromkeys(("initial", "where"), "F.where(mask, x, value) replaces elements"),
    **dict.fromkeys(("reduce", "normalize"), "F.cross_entropy and F.mse_loss take reduction"),
    "weights": "F.sum(x * weights, axis) / F.sum(weights, axis)",
    "return_sequences": "x of shape (T, N, in) gives the outputs of all T steps",
    "input_length": "the length is taken from the input",
    **dict.fromkeys(("bias_initializer", "initial_bias"), "layer.b.data[...] = array"),
    "kernel_regularizer": "optimizer.add_hook(WeightDecay(rate))",
}

SIZES = "in_channels", "out_channels", "kernel_size", "stride", "pad"

POSITIONS: dict[str, tuple[str, ...]] = {
    "Linear": ("in_size", "out_size"),
    **{name: (*SIZES, "dilation", "groups") for name in ("Conv1d", "Conv2d", "Conv3d")},
    **{name: (*SIZES, "output_padding", "groups") for name in ("Deconv1d", "Deconv2d", "Deconv3d")},
    "RNN": ("in_size", "hidden_size", "num_layers"),
    "LSTM": ("in_size", "hidden_size", "num_layers"),
    "GRU": ("in_size", "hidden_size", "num_layers"),
    "BatchNorm": ("channels", "eps"),
    "LayerNorm": ("shape", "eps"),
}
"""Positional arguments of PyTorch's layers, in PyTorch's order and with DeZero's names."""

CALLS = {
    "LayerNorm": "pass several axes as one argument, such as LayerNorm((3, 4))",
    "MLP": "pass the output sizes as one argument and the input size as a keyword: "
    "MLP((100, 10), in_size=784)",
    "AdaDelta": "it has no learning rate",
    "Flatten": "it keeps the first axis; F.flatten(x, start_axis, end_axis) joins other axes",
}
"""Hints for calls of a class with wrong arguments."""

OPTIMIZER_KEYWORDS = {
    "amsgrad": "AMSGrad(lr) is Adam with it",
    "momentum": "SGD and MomentumSGD have momentum",
    "nesterov": "SGD and MomentumSGD have it, and NAdam is Adam with it",
    **dict.fromkeys(("clipnorm", "global_clipnorm"), "optimizer.add_hook(ClipGrad(max_norm))"),
    "clipvalue": "clip_grad_value(model.params(), max_value), before each update",
}
"""Hints for keywords of other frameworks that DeZero's optimizers do not take."""

SCHEDULE_KEYWORDS = {
    "T_max": "write steps",
    "total_steps": "write steps",
    "total_iters": "write steps",
    "decay_steps": "write steps",
    "num_warmup_steps": "write steps",
    "warmup_steps": "write steps",
    "eta_min": "write lowest, a factor: eta_min / lr",
    "alpha": "write lowest, a factor",
    "lr_lambda": "LambdaSchedule(optimizer, function)",
    "last_epoch": "schedule.load_state_dict(state) continues from a saved step",
    "start_factor": "the first factor is 1 / steps",
    "epochs": "write steps",
    "max_lr": "the optimizer's lr is the highest rate",
    "pct_start": "write warm_up",
    "div_factor": "write start, a factor: 1 / div_factor",
    "T_0": "write steps",
    "T_mult": "write growth",
    "min_lr": "write lowest, a factor: min_lr / lr",
    "factor": "write gamma",
}
"""Hints for keywords that schedules take in other frameworks."""

MODELS = {
    "Module": "dezero.Model",
    "Chain": "dezero.Model",
    "vgg16": "dezero.models.VGG16()",
    "load_model": "a new model, and model.load_weights(path)",
    "ChainList": "dezero.Model with a list: layers in lists are found",
    "VGG16Layers": "dezero.models.VGG16()",
    **{f"ResNet{n}Layers": f"dezero.models.ResNet{n}()" for n in (50, 101, 152)},
    "resnet50": "dezero.models.ResNet50()",
    "resnet101": "dezero.models.ResNet101()",
    "resnet152": "dezero.models.ResNet152()",
    "Linear": "dezero.layers.Linear(out_size)",
}

OPTIMIZERS = {
    "Momentum": "dezero.optimizers.MomentumSGD(lr, momentum)",
    "Adagrad": "dezero.optimizers.AdaGrad()",
    "Adadelta": "dezero.optimizers.AdaDelta()",
    "RMSProp": "dezero.optimizers.RMSprop()",
    "RMSpropGraves": "dezero.optimizers.RMSprop()",
    "NesterovAG": "dezero.optimizers.SGD(lr, momentum, nesterov=True)",
    "Nadam": "dezero.optimizers.NAdam()",
    "get": "the class, such as dezero.optimizers.Adam()",
    "apply_updates": "optimizer.update()",
    "clip_by_global_norm": "dezero.optimizers.ClipGrad(max_norm)",
    "GradientHardClipping": "dezero.optimizers.clip_grad_value(model.params(), max_value)",
    "StepLR": "dezero.optimizers.StepDecay(optimizer, step_size, gamma)",
    "MultiStepLR": "dezero.optimizers.MultiStepDecay(optimizer, milestones, gamma)",
    "ExponentialLR": "dezero.optimizers.ExponentialDecay(optimizer, gamma)",
    "CosineAnnealingLR": "dezero.optimizers.CosineDecay(optimizer, steps)",
    "CosineAnnealingWarmRestarts": "dezero.optimizers.CosineRestarts(optimizer, steps, growth)",
    "LinearLR": "dezero.optimizers.WarmUp(optimizer, steps), or LinearDecay(optimizer, steps)",
    "PolynomialLR": "dezero.optimizers.LinearDecay(optimizer, steps), the power 1",
    "SequentialLR": "dezero.optimizers.WarmUp(optimizer, steps, then)",
    "OneCycleLR": "dezero.optimizers.OneCycle(optimizer, steps); the optimizer's lr is max_lr",
    "LambdaLR": "dezero.optimizers.LambdaSchedule(optimizer, function)",
    "ChainedScheduler": "create several schedules of one optimizer; their factors are multiplied",
    "MultiplicativeLR": "a subclass of dezero.optimizers.Schedule that defines factor(t)",
    "CyclicLR": "a subclass of dezero.optimizers.Schedule that defines factor(t)",
    "LearningRateSchedule": "dezero.optimizers.Schedule, whose subclasses define factor(t)",
    "LRScheduler": "dezero.optimizers.Schedule, whose subclasses define factor(t)",
    "lr_scheduler": "dezero.optimizers has the schedules, such as StepDecay and CosineDecay",
    "clip_grad_norm_": "dezero.optimizers.clip_grad_norm(model.params(), max_norm)",
    "clip_grad_value_": "dezero.optimizers.clip_grad_value(model.params(), max_value)",
    "GradientClipping": "dezero.optimizers.ClipGrad(max_norm)",
}

INITIALIZERS = {
    **{
        f"{name}_": f"dezero.initializers.{name}(layer.W)"
        for name in (
            "uniform",
            "normal",
            "constant",
            "zeros",
            "ones",
            "xavier_uniform",
            "xavier_normal",
            "kaiming_uniform",
            "kaiming_normal",
            "orthogonal",
        )
    },
    "trunc_normal_": "dezero.initializers.truncated_normal(layer.W)",
    "glorot_uniform": "dezero.initializers.xavier_uniform(layer.W)",
    "glorot_normal": "dezero.initializers.xavier_normal(layer.W)",
    "he_uniform": "dezero.initializers.kaiming_uniform(layer.W)",
    "he_normal": "dezero.initializers.kaiming_normal(layer.W)",
    **{f"{name}Normal": f"dezero.initializers.{name}()" for name in ("He", "LeCun")},
    **dict.fromkeys(("GlorotNormal", "GlorotUniform"), "dezero.initializers.Xavier()"),
    **{
        name: f"dezero.initializers.{function}(layer.W), after the first forward pass"
        for name, function in {
            "Normal": "normal", "RandomNormal": "normal", "RandomUniform": "uniform",
            "Constant": "constant", "Orthogonal": "orthogonal", "Zero": "zeros", "One": "ones",
        }.items()
    },
}  # fmt: skip

LAYER = {
    "zero_grad": "model.cleargrads()",
    "zerograds": "model.cleargrads()",
    "parameters": "model.params()",
    "named_parameters": "model.named_params()",
    "trainable_weights": "model.params()",
    "namedparams": "model.named_params()",
    **dict.fromkeys(
        ("buffers", "named_buffers"), "model.named_params(), which has the Buffers too"
    ),
    "get_parameter": "model.named_params()[key]",
    "get_submodule": "model.named_layers()[path]",
    **dict.fromkeys(
        ("_params", "weights", "variables", "trainable_variables", "trainable_params"),
        "model.params()",
    ),
    "get_weights": "[p.data for p in model.params()]",
    "set_weights": "p.data = array, for each p in model.params()",
    **dict.fromkeys(
        ("copyparams", "copy_params"),
        "p.data = q.data.copy(), for each p, q in zip(model.params(), other.params())",
    ),
    "links": "model.named_layers(), or model.children()",
    "namedlinks": "model.named_layers()",
    "get_layer": "model.named_layers()[name]",
    "xp": "dezero.cuda.get_array_module(x), where x is an input",
    "to_device": "model.to_gpu() and model.to_cpu()",
    **dict.fromkeys(("build", "init"), "a call of the model, which creates the weights"),
    "call": "model.forward",
    "cuda": "model.to_gpu()",
    "gpu": "model.to_gpu()",
    "cpu": "model.to_cpu()",
    "load_pytorch_weights": "dezero_io.load_pytorch_weights(model, path)",
    **{
        name: f"p.data = p.data.astype('{dtype}') for each p in model.named_params().values(), or "
        "the argument dtype of each layer"
        for name, dtype in (("half", "float16"), ("float", "float32"), ("double", "float64"))
    },
    **dict.fromkeys(
        ("requires_grad_", "freeze", "disable_update"),
        "p.requires_grad = False, for each p in model.params()",
    ),
    **dict.fromkeys(
        ("unfreeze", "enable_update"), "p.requires_grad = True, for each p in model.params()"
    ),
    **dict.fromkeys(("copy", "clone"), "copy.deepcopy(model), of Python"),
    **dict.fromkeys(("num_parameters", "count_params"), "sum(p.size for p in model.params())"),
    **dict.fromkeys(
        ("register_parameter", "add_param", "add_weight"), "model.name = dezero.Parameter(array)"
    ),
    **dict.fromkeys(
        ("register_buffer", "add_persistent", "register_persistent"),
        "model.name = dezero.Buffer(array)",
    ),
    "add_module": "model.name = layer",
    "init_scope": "model.name = layer: attributes are found without it",
    "add_link": "model.name = layer",
    "add": "dezero.models.Sequential.append(layer)",
    "insert": "model.layers.insert(index, layer), of an MLP",
    "extend": "model.layers.extend(layers), of an MLP",
    "pop": "model.layers.pop(index), of an MLP",
    "weight": "layer.W, which has shape (in, out) in Linear",
    "bias": "layer.b",
    "in_features": "layer.in_size",
    "out_features": "layer.out_size",
    "modules": "model.named_layers().values()",
    "named_modules": "model.named_layers()",
    "named_children": "model.named_layers(), or model.children()",
    "register_forward_hook": "model.register_hook(hook)",
    "register_full_backward_hook": "model.register_hook(hook), where hook registers a hook of the "
    "output, which gets the gradient",
    "serialize": "model.save_weights(path)",
    "state_dict": "model.save_weights(path), or model.named_params()",
    "load_state_dict": "model.load_weights(path), or p.data = q.data.copy() for each parameter q "
    "of another model",
    "save": "model.save_weights(path)",
    "load": "model.load_weights(path)",
    "compile": "a loop: loss.backward(), optimizer.update(), model.cleargrads()",
    "fit": "a loop: loss.backward(), optimizer.update(), model.cleargrads()",
    "predict": "model(x) after model.eval(), inside of no_grad()",
    "evaluate": "model(x) after model.eval(), inside of no_grad()",
}
"""Hints for attributes that models have in other frameworks."""

RATES = "learning_rate", "base_lr", "initial_lr"
"""Names of the learning rate in other frameworks."""

OPTIMIZER = {
    "zero_grad": "model.cleargrads()",
    "zero_grads": "model.cleargrads()",
    "use_cleargrads": "model.cleargrads() before each backward()",
    "state": "optimizer.state_dict()",
    "param_groups": "optimizer.lr for all parameters, and optimizer.groups",
    "add_param_group": "optimizer.add_group(params, lr=...)",
    "apply_gradients": "optimizer.update()",
    "minimize": "loss.backward() and optimizer.update()",
    **{name: "optimizer.lr" for name in RATES},
}
"""Hints for attributes that optimizers have in other frameworks."""

SCHEDULE = {
    "get_last_lr": "optimizer.lr",
    "get_lr": "optimizer.lr",
    "lr": "optimizer.lr",
    "last_epoch": "schedule.t",
    "base_lrs": "schedule.rate",
}
"""Hints for attributes that schedules have in other frameworks."""

TOP = {
    "nn": "dezero.layers and dezero.functions",
    "optim": "dezero.optimizers",
    "init": "dezero.initializers",
    "tensor": "dezero.Variable(array)",
    "Tensor": "dezero.Variable(array)",
    "as_tensor": "dezero.as_variable(x)",
    "from_numpy": "dezero.Variable(array)",
    "inference_mode": "dezero.no_grad()",
    "no_backprop_mode": "dezero.no_grad()",
    "enable_grad": "dezero.using_config('enable_backprop', True)",
    "force_backprop_mode": "dezero.using_config('enable_backprop', True)",
    **dict.fromkeys(("manual_seed", "set_seed"), "dezero.seed(n)"),
    "config": "dezero.Config",
    "Link": "dezero.Layer",
    **dict.fromkeys(("Chain", "ChainList"), "dezero.Model"),
    "Module": "dezero.Layer, or dezero.Model",
    "links": "dezero.layers",
    "serializers": "model.save_weights(path) and model.load_weights(path)",
    **dict.fromkeys(
        ("training", "iterators", "callbacks"),
        "a loop over dezero.DataLoader(dataset, batch_size)",
    ),
    "dataset": "dezero.datasets",
    "data_loaders": "dezero.dataloaders",
    "global_config": "dezero.Config",
    "gradient_check": "dezero.utils.gradient_check(f, x)",
    "losses": "dezero.functions",
    "metrics": "dezero.functions.accuracy(y, t)",
    "keras": "dezero.models and dezero.layers",
    "constant": "dezero.Variable(array, requires_grad=False)",
    "numpy": "numpy for arrays, and dezero.functions for Variables",
    "random": "numpy.random; dezero.seed(n) makes a program repeatable",
    "stop_gradient": "x.detach()",
    **dict.fromkeys(("jit", "TinyJit"), "the function itself; dezero.cuda.capture for a GPU"),
    "vmap": "ops on arrays whose first axis is the batch",
    **dict.fromkeys(("tree_map", "tree_util", "tree"), "a loop over model.params()"),
    **dict.fromkeys(("jacfwd", "jacrev"), "dezero.jacobian(f, x)"),
    "elementwise_grad": "dezero.grad(y, x), where y is f(x)",
    "device_put": "x.to_gpu()",
    "Sequential": "dezero.models.Sequential(*layers)",
    "save": "model.save_weights(path)",
    "load": "model.load_weights(path)",
    "set_grad_enabled": "dezero.using_config('enable_backprop', value)",
    "GradientTape": "loss.backward(), which needs no tape",
    **{
        name: f"'{name}' or numpy.{name}"
        for name in "float16 float32 float64 int32 int64 uint8".split()
    },
    **{
        name: f"'{dtype}' or numpy.{dtype}"
        for name, dtype in {"float": "float32", "half": "float16", "double": "float64"}.items()
    },
    **{
        name: f"'{dtype}' or numpy.{dtype}" for name, dtype in (("int", "int32"), ("long", "int64"))
    },
    "finfo": "numpy.finfo(x.dtype)",
    "linalg": "dezero.functions, which has inv, solve, det, cholesky, qr, svd and eigh",
    "func": "dezero.grad, dezero.jacobian, dezero.hvp and dezero.jvp",
    "distributions": "numpy.random for samples, and a formula for the logarithm of the density",
    "is_tensor": "isinstance(x, dezero.Variable)",
    "functional": "dezero.functions",
    "autograd": "dezero.grad, dezero.jacobian, dezero.hvp and dezero.jvp",
    "value_and_grad": "loss.backward(), or dezero.grad(y, xs)",
    "vjp": "dezero.grad(y, xs, gy)",
    "Linear": "dezero.layers.Linear(out_size)",
    "Adam": "dezero.optimizers.Adam()",
    "SGD": "dezero.optimizers.SGD(lr)",
    "device": "model.to_gpu(), and DataLoader(dataset, batch_size, gpu=True)",
    **dict.fromkeys(
        ("autocast", "amp", "GradScaler"), "the argument dtype='float16' of each layer"
    ),
    "distributed": "dezero.world(), which connects several processes",
}
"""Hints for names in the top-level modules of other frameworks, such as ``torch.cat``."""

CUDA = {
    **dict.fromkeys(("to_cpu", "to_numpy"), "dezero.cuda.as_numpy(x)"),
    "to_gpu": "dezero.cuda.as_cupy(x)",
    "xp": "dezero.cuda.get_array_module(x)",
    **dict.fromkeys(("available", "cudnn_enabled"), "dezero.cuda.is_available()"),
    **dict.fromkeys(
        ("get_device", "get_device_from_id", "current_device", "set_device"),
        "CUDA_VISIBLE_DEVICES, a variable of the environment, which selects the GPU",
    ),
    **dict.fromkeys(("memory_allocated", "memory_reserved"), "dezero.cuda.memory()"),
    "manual_seed": "dezero.seed(n)",
    "amp": "the argument dtype='float16' of each layer",
}
"""Hints for names in the module ``cuda`` of other frameworks."""


UTILS = {
    "data": "dezero.DataLoader, dezero.Dataset and dezero.datasets",
    "rnn": "dezero.utils.pad_sequence(sequences), and layer(x, lengths=lengths)",
    "prune": "p.data *= mask, after each update",
    **dict.fromkeys(
        ("parametrizations", "parametrize"),
        "dezero.utils.spectral_norm(layer) and dezero.utils.weight_norm(layer)",
    ),
    **{name: OPTIMIZERS[name] for name in ("clip_grad_norm_", "clip_grad_value_")},
}
"""Hints for names of ``torch.utils`` and ``torch.nn.utils``."""


def no_attribute(obj: object, name: str, hints: Mapping[str, str]) -> Any:
    """Raise the error for a missing attribute; call this from ``__getattr__``."""
    if hasattr(type(obj), name):  # if a property raised, raise its error instead of a hint
        return object.__getattribute__(obj, name)
    raise missing(type(obj).__name__, name, hints, obj)
