"""JAX arrays as a backend: arrays that cannot be written to. It switches JAX's 64 bits on."""

from dezero_core.extend import BackendSpec, hookimpl

DEZERO_API = 1


def make_backend():
    from .backend import JaxBackend  # late: a plugin imports no array library

    return JaxBackend()


@hookimpl
def dezero_backends():
    types = ("jaxlib._jax:ArrayImpl", "jaxlib.xla_extension:ArrayImpl")  # since 0.6, before
    declared = frozenset({"dlpack", "float64", "random", "scatter_add"})
    return [BackendSpec("jax", types, make_backend, declared)]
