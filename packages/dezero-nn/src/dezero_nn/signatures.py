"""The one table of ops that a backend may offer faster kernels for.

Portable definitions stand beside their Functions in `functions/`; this page is what authors of
kernels need. Arrays come first, then settings; ``kernel``, ``stride``, ``pad`` and ``dilation``
are pairs (down, across), and OH, OW count the windows (`windows.get_conv_outsize`). With
``groups`` g the channels are in g equal parts, each convolved with its own part of the filters.
"""

from dezero_core.extend import KernelOp

sigmoid = KernelOp("sigmoid", "(x: any shape) -> y = 1 / (1 + exp(-x)), same shape and dtype")
sigmoid_grad = KernelOp("sigmoid_grad", "(gy: any shape, y: same) -> gx = gy y (1 - y), same")

relu = KernelOp("relu", "(x: any shape) -> y: same shape and dtype, x where positive, else 0")
relu_grad = KernelOp("relu_grad", "(gy: any shape, y: same) -> gx: same, gy where y > 0, else 0")

scaled_where = KernelOp(
    "scaled_where",
    "(x: any shape, mask: bools, same shape, scale: float) -> y: x times scale where the mask is "
    "true, else 0",
)

softmax_cross_entropy = KernelOp(
    "softmax_cross_entropy",
    "(x: (N, C), t: (N,) or (N, 1), integers from [0, C)) -> y: (), minus the mean of "
    "log softmax(x)[t], in the dtype of x",
)
softmax_cross_entropy_grad = KernelOp(
    "softmax_cross_entropy_grad",
    "(gy: (), x: (N, C), t: as above) -> gx: (N, C), (softmax(x) - onehot(t)) gy / N",
)

update = KernelOp(
    "update",
    "(ps: list of parameters of one dtype, gs: their gradients, states: a dict for each, "
    "delta(p, g, state) -> what to add to p) -> list of the new parameters, perhaps written over "
    "ps; delta is elementwise, and stores arrays of the shape of p and Python numbers in its state",
)

add_scaled = KernelOp(
    "add_scaled",
    "(ps: list of parameters of one dtype, gs: their gradients, a: float) -> list of p + a g, "
    "perhaps written over ps",
)

batch_norm = KernelOp(
    "batch_norm",
    "(x: (N, C, ...), gamma: (C,), beta: (C,), eps) -> (y, mean, var): y as x; of each "
    "channel mean and var (C,); y = gamma (x - mean) / sqrt(var + eps) + beta",
)
channel_sum = KernelOp("channel_sum", "(g: (N, C, ...)) -> the sum of each channel: (C,)")
channel_sums = KernelOp(
    "channel_sums",
    "(g: (N, C, ...), x: same, shift: (C,)) -> (sum of g, sum of g (x - shift)), for each channel: "
    "(C,) both",
)
channel_sum_of = KernelOp(
    "channel_sum_of",
    "(g: (N, C, ...), x: same, shift, a, b, c: (C,)) -> y = a g + b (x - shift) + c, as x",
)

lstm = KernelOp(
    "lstm",
    "(x: (T, C, N), Wx: (4 H, C), Wh: (4 H, H), b: (4 H,), h: (H, N), c: (H, N)) -> (hs: (T, H, N),"
    " c: (H, N), workspace): h of every step, c of the last; the workspace is (T, 5, H, N), i, f, "
    "u, o and c of every step, or one that only the same package's lstm_grad takes",
)

lstm_grad = KernelOp(
    "lstm_grad",
    "(hs, last, workspace: what lstm returned, x, Wx, Wh, b, h, c: what it was given, ghs: as hs, "
    "or None, gc: as last, or None, needs_gx: bool) -> the gradients of its six arguments; for x "
    "None unless it needs one",
)

im2col = KernelOp(
    "im2col",
    "(x: (N, C, H, W), kernel, stride, pad, dilation, value) -> every window of x padded with "
    "value: "
    "(N, C, KH, KW, OH, OW), perhaps a view",
)
col2im = KernelOp(
    "col2im",
    "(cols: (N, C, KH, KW, OH, OW), shape, stride, pad, dilation) -> the transpose of im2col: "
    "windows added up where they lie, (N, C, H, W) = shape",
)

conv2d = KernelOp(
    "conv2d",
    "(x: (N, C, H, W), W: (OC, C/g, KH, KW), b: (OC,) or None, stride, pad, dilation, groups) -> "
    "y: (N, OC, OH, OW)",
)
conv2d_grad_x = KernelOp(
    "conv2d_grad_x",
    "(gy: (N, OC, OH, OW), W: (OC, C/g, KH, KW), shape, stride, pad, dilation, groups) -> "
    "gx: (N, C, H, W) = shape",
)
conv2d_grad_W = KernelOp(
    "conv2d_grad_W",
    "(x: (N, C, H, W), gy: (N, OC, OH, OW), kernel, stride, pad, dilation, groups) -> "
    "gW: (OC, C/g, KH, KW)",
)

conv2d_grads = KernelOp(
    "conv2d_grads",
    "(gy: (N, OC, OH, OW), x: (N, C, H, W), W: (OC, C/g, KH, KW), stride, pad, dilation, groups) "
    "-> (gx, gW, gb): both of the above, and the sum of each channel of gy: (OC,); a kernel may "
    "share the work",
)

max_pool2d = KernelOp(
    "max_pool2d",
    "(x: (N, C, H, W), kernel, stride, pad) -> (y, index), both (N, C, OH, OW): the largest "
    "element of each window, and as integers where it is, counted row by row; of equals the first",
)
max_pool2d_values = KernelOp(
    "max_pool2d_values",
    "(x: (N, C, H, W), kernel, stride, pad) -> y: (N, C, OH, OW), that of max_pool2d alone: where "
    "no graph is recorded",
)
max_pool2d_grad = KernelOp(
    "max_pool2d_grad",
    "(gy: (N, C, OH, OW), index: as above, shape, kernel, stride, pad) -> gx: (N, C, H, W) = "
    "shape, gy added up where index points",
)
max_pool2d_pick = KernelOp(
    "max_pool2d_pick",
    "(x: (N, C, H, W), index: as above, kernel, stride, pad) -> y: (N, C, OH, OW), the element "
    "of each window where index points",
)
average_pool2d = KernelOp(
    "average_pool2d",
    "(x: (N, C, H, W), kernel, stride, pad) -> y: (N, C, OH, OW), the mean of each window, zeros "
    "of the padding included",
)
average_pool2d_grad = KernelOp(
    "average_pool2d_grad",
    "(gy: (N, C, OH, OW), shape, kernel, stride, pad) -> gx: (N, C, H, W) = shape, each gy "
    "spread evenly over its window",
)
