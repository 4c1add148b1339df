"""array-api-strict as a backend: what the array API standard says, and nothing besides.

Its arrays live on a device of their own, so that no other library takes them for its own, and
are never written to.
"""

from dezero_core.extend import BackendSpec, hookimpl

DEZERO_API = 1


def make_backend():
    from .backend import StrictBackend  # late: a plugin imports no array library

    return StrictBackend()


@hookimpl
def dezero_backends():
    types = ("array_api_strict._array_object:Array",)
    return [BackendSpec("strict", types, make_backend, frozenset({"float64", "scatter_add"}))]
