"""The one table of ops that a backend may offer faster kernels for.

Portable definitions stand beside their Functions in `functions/`; this page is what authors of
kernels need.
"""

from dezero_core.extend import KernelOp

sigmoid = KernelOp("sigmoid", "(x: any shape) -> y = 1 / (1 + exp(-x)), same shape and dtype")
