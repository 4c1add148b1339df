"""Use JAX arrays, which are immutable, as a backend; creating it enables JAX's 64-bit dtypes."""

from dezero_core.extend import BackendSpec, hookimpl

DEZERO_API = 1


def make_backend():
    from .backend import JaxBackend  # loading the plugin must import no array library

    return JaxBackend()


@hookimpl
def dezero_backends():
    types = ("jaxlib._jax:ArrayImpl", "jaxlib.xla_extension:ArrayImpl")  # JAX 0.6 and later; before
    declared = frozenset({"dlpack", "float64", "random", "scatter_add"})
    return [BackendSpec("jax", types, make_backend, declared)]
