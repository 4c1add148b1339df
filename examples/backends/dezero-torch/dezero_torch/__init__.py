"""Use PyTorch tensors on the CPU as a backend: PyTorch computes, DeZero differentiates."""

from dezero_core.extend import BackendSpec, hookimpl

DEZERO_API = 1


def make_backend():
    from .backend import TorchBackend  # loading the plugin must import no array library

    return TorchBackend()


@hookimpl
def dezero_backends():
    declared = frozenset({"dlpack", "float64", "in_place", "index_errors", "random", "scatter_add"})
    return [BackendSpec("torch", ("torch:Tensor",), make_backend, declared)]
