"""Define the PyTorch backend: array-api-compat, and what it does not cover."""

import array_api_compat.torch as xp
import numpy as np
import torch

from dezero_core.extend import ArrayBackend, rank_generator


class TorchBackend(ArrayBackend):
    """Tensors on the CPU."""

    def __init__(self):
        super().__init__(xp)

    def copy(self, x):
        return x.clone()  # the default, +x, returns x itself

    def from_numpy(self, x):
        return torch.from_numpy(np.array(x, order="C"))

    def to_numpy(self, x):
        return x.detach().numpy().copy()

    def get_item(self, x, index):
        parts = index if isinstance(index, tuple) else (index,)
        if not any(isinstance(part, slice) and (part.step or 1) < 0 for part in parts):
            return x[index]
        # tensors have no negative strides: gather the positions that NumPy computes
        positions = np.arange(x.numel()).reshape(x.shape)
        parts = tuple(np.asarray(p) if isinstance(p, torch.Tensor) else p for p in parts)
        return torch.take(x, torch.from_numpy(np.array(positions[parts])))

    def scatter_add(self, x, index, values):
        positions = self.get_item(torch.arange(x.numel()).reshape(x.shape), index)
        return x.put_(positions, values, accumulate=True)

    def uniform(self, shape, dtype):
        stream = torch.Generator().manual_seed(int(rank_generator().integers(2**63)))
        return torch.rand(shape, dtype=dtype, generator=stream)
