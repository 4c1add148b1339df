"""Define the JAX backend: indexing and random numbers differ from the array API."""

import jax
import jax.numpy as xp
import numpy as np

from dezero_core.extend import ArrayBackend, rank_generator

jax.config.update("jax_enable_x64", True)  # otherwise JAX has no float64 and no int64


class JaxBackend(ArrayBackend):
    """Arrays on JAX's default device."""

    def __init__(self):
        super().__init__(xp)

    def copy(self, x):
        return xp.array(x, copy=True)

    def from_numpy(self, x):
        return xp.array(np.array(x))  # JAX may share the memory of its argument

    def to_numpy(self, x):
        return np.array(x)

    def is_view(self, x):
        return False  # JAX arrays are immutable

    def get_item(self, x, index):
        return x[index]

    def scatter_add(self, x, index, values):
        return x.at[index].add(values)

    def uniform(self, shape, dtype):
        key = jax.random.key(int(rank_generator().integers(2**32)))
        return jax.random.uniform(key, shape, dtype)

    def synchronize(self):
        jax.effects_barrier()
