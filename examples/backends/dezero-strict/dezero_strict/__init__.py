"""Use array-api-strict as a backend: it has only what the array API standard defines.

The arrays are on array-api-strict's ``device1``, so that other libraries reject them. The backend
never writes to them.
"""

from dezero_core.extend import BackendSpec, hookimpl

DEZERO_API = 1


def make_backend():
    from .backend import StrictBackend  # loading the plugin must import no array library

    return StrictBackend()


@hookimpl
def dezero_backends():
    types = ("array_api_strict._array_object:Array",)
    declared = frozenset({"float64", "index_errors", "scatter_add"})
    return [BackendSpec("strict", types, make_backend, declared)]
