"""Check which module imports which, and where NumPy and backends may be named."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dezero_core import extend
from dezero_core.errors import COMMUNICATOR_HINTS, OUR_PLUGINS

PACKAGES = Path(__file__).parent.parent / "packages"
FOLDERS = [
    "dezero-core",
    "dezero-cuda",
    "dezero-nn",
    "dezero-io",
    "dezero-mpi",
    "dezero-onednn",
    "dezero-onnx",
    "dezero-parallel",
    "dezero-testing",
    "dezero",
]
SOURCES = {folder: PACKAGES / folder / "src" / folder.replace("-", "_") for folder in FOLDERS}
CORE = SOURCES["dezero-core"]

# The modules of core and nn that may name NumPy or a backend, and the reason.
MAY_NAME_BACKENDS = {
    "dezero_core/backends/numpy_backend.py": "the NumPy backend",
    "dezero_core/backends/summation.py": "the NumPy backend: sums of many terms",
    "dezero_core/backends/host.py": "the NumPy backend: the host's arrays and random numbers",
    "dezero_core/backends/__init__.py": "registers the NumPy backend",
    "dezero_core/communicators.py": "the arrays that an engine sums unless it names others",
    "dezero_core/errors.py": "install hints",
    "dezero_core/numpy_functions.py": "NumPy functions called with Variables",
    "dezero_core/hints.py": "names in other frameworks",
    "dezero_nn/formulas.py": "formulas for functions of PyTorch",
    "dezero_nn/hints.py": "names in other frameworks",
    "dezero_nn/models/images.py": "pictures are on the host",
    "dezero_nn/kernels/col2im.py": "kernels are for NumPy",
    "dezero_nn/kernels/flipped.py": "kernels are for NumPy",
    "dezero_nn/kernels/im2col.py": "kernels are for NumPy",
    "dezero_nn/kernels/overlap.py": "kernels are for NumPy",
    "dezero_nn/kernels/separate.py": "kernels are for NumPy",
    "dezero_nn/kernels/tiles.py": "kernels are for NumPy",
    "dezero_nn/kernels/tiling.py": "kernels are for NumPy",
    "dezero_nn/conv_kernels.py": "kernels are for NumPy",
    "dezero_nn/kernels/attention.py": "kernels are for NumPy",
    "dezero_nn/kernels/channels.py": "kernels are for NumPy",
    "dezero_nn/kernels/columns.py": "kernels are for NumPy",
    "dezero_nn/kernels/cross_entropy.py": "kernels are for NumPy",
    "dezero_nn/kernels/filters.py": "kernels are for NumPy",
    "dezero_nn/kernels/winograd.py": "kernels are for NumPy",
    "dezero_nn/kernels/masks.py": "kernels are for NumPy",
    "dezero_nn/kernels/pooling.py": "kernels are for NumPy",
    "dezero_nn/kernels/sigmoid.py": "kernels are for NumPy",
    "dezero_nn/kernels/softmax.py": "kernels are for NumPy",
    "dezero_nn/kernels/gelu.py": "kernels are for NumPy",
    "dezero_nn/kernels/layer_norm.py": "kernels are for NumPy",
    "dezero_nn/kernels/gru.py": "kernels are for NumPy",
    "dezero_nn/kernels/recurrent.py": "kernels are for NumPy",
    "dezero_nn/kernels/matmul.py": "kernels are for NumPy",
    "dezero_nn/blas.py": "find the BLAS of NumPy",
    "dezero_nn/kernels/updates.py": "kernels are for NumPy",
}
# The modules that may call a library's own sum: long sums lose digits (docs/adr/0020).
MAY_SUM = {
    "dezero_core/backends/interface.py": "the default of the backend's sum",
    "dezero_core/backends/precision.py": "integers",
    "dezero_core/backends/host.py": "counts",
    "dezero_core/numpy_functions.py": "calls DeZero's sum",
    "dezero_core/functions/reduction.py": "counts, and axes of length 1",
    "dezero_core/functions/sorting.py": "counts",
    "dezero_nn/functions/cross_entropy.py": "of one element and zeros",
    "dezero_nn/functions/loss.py": "of one element and zeros",
    "dezero_nn/functions/pooling.py": "of one element and zeros",
    "dezero_nn/kernels/channels.py": "in float64",
    "dezero_nn/kernels/gru.py": "over the last axis",
    "dezero_nn/kernels/recurrent.py": "over the last axis",
}
BACKEND = re.compile(r"\b(numpy|np|cupy|cuda|torch|jax|array_api_strict)\b")

# The modules of core by level, lowest first. A module imports only modules of lower levels.
LEVELS = [
    ["errors", "bodies", "__about__"],
    ["arguments", "config", "hints", "hook_handle", "hookspecs"],
    ["hooks", "step_recorder"],
    ["plugins"],
    ["first_use", "formats"],
    ["backends"],
    ["communicators", "variable"],
    ["backward_modes", "diagnosis", "in_place"],
    ["function"],
    ["graph", "functions", "variable_hooks"],
    ["anomaly", "input_gradients", "leaf_gradients", "numpy_functions", "drawing"],
    ["backward_pass"],
    ["grad_ready", "watched_pass"],
    ["backward"],
    ["operators", "tree"],
    ["derivatives", "weights", "dtypes"],
    ["extend", "state", "__init__"],
]
LEVEL_OF = {name: number for number, names in enumerate(LEVELS) for name in names}


Nodes = list[ast.AST]


@cache
def modules(root: Path) -> list[tuple[str, Nodes]]:
    """Return the path of each module and all nodes of its syntax tree."""
    return [
        (path.relative_to(root.parent).as_posix(), list(ast.walk(ast.parse(path.read_text()))))
        for path in sorted(root.rglob("*.py"))
    ]


@pytest.fixture(autouse=True, scope="module")
def _no_tree_stays() -> Iterator[None]:
    """Free the syntax trees at the end: the garbage collector would visit their many objects."""
    yield
    modules.cache_clear()


def docstrings(nodes: Nodes) -> set[int]:
    """Return the ids of all strings that are statements: docstrings and comments on attributes."""
    return {
        id(node.value)
        for node in nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def named_backends(nodes: Nodes) -> set[str]:
    found: set[str] = set()
    prose = docstrings(nodes)
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names if BACKEND.search(name.name)}
        elif isinstance(node, ast.ImportFrom) and BACKEND.search(node.module or ""):
            found.add(node.module or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in prose and BACKEND.search(node.value):
                found.add(node.value)
    return found


def test_numpy_and_backends_are_named_only_where_it_is_allowed() -> None:
    named = {
        path: names
        for folder in ("dezero-core", "dezero-nn")
        for path, nodes in modules(SOURCES[folder])
        if (names := named_backends(nodes))
    }
    assert {path: names for path, names in named.items() if path not in MAY_NAME_BACKENDS} == {}
    assert set(MAY_NAME_BACKENDS) - set(named) <= {
        "dezero_core/backends/__init__.py"  # names the module numpy_backend
    }, "an exception that is no longer needed"


def imported(nodes: Nodes, package: list[str]) -> Iterator[str]:
    """Yield the absolute names that a module imports, also inside functions."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrows_point_one_way(folder: str) -> None:
    allowed = {
        "dezero-core": {"dezero_core"},
        "dezero": {"dezero", "dezero_core", "dezero_nn", "dezero_io", "dezero_mpi", "dezero_onnx"}
        | {"dezero_parallel"},
        "dezero-onednn": {"dezero_core", "dezero_nn", "dezero_onednn"},  # decision 13
        "dezero-parallel": {"dezero_core", "dezero_nn", "dezero_io", "dezero_parallel"},
        "dezero-testing": {"dezero_core", "dezero_nn", "dezero_io", "dezero_testing"},
    }.get(folder, {"dezero_core", folder.replace("-", "_")})
    for path, nodes in modules(SOURCES[folder]):
        package = path.removesuffix(".py").split("/")[:-1]
        ours = {n.split(".")[0] for n in imported(nodes, package) if n.startswith("dezero")}
        assert ours <= allowed, f"{path} imports {ours - allowed}"


def test_the_kit_loads_nn_and_io_only_with_their_rows() -> None:
    """If one of them is not installed, the rest of dezero-testing works."""
    using_nn = ("images", "layers", "training", "transformers")
    allowed = {f"checks/{name}": "dezero_nn" for name in using_nn}
    allowed |= {"rows/nn": "dezero_nn", "rows/io": "dezero_io"}
    for path, nodes in modules(SOURCES["dezero-testing"]):
        siblings = {n.split(".")[0] for n in imported(nodes, [])} & {"dezero_nn", "dezero_io"}
        place = "/".join(path.removeprefix("dezero_testing/").removesuffix(".py").split("/")[:2])
        assert siblings <= {allowed.get(place, "")}, path


def test_onednn_imports_three_modules_of_nn() -> None:
    """A third party could have written dezero-onednn: it estimates and calls only its own code."""
    found = {
        node.module
        for _, nodes in modules(SOURCES["dezero-onednn"])
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dezero_nn")
    }
    assert found == {"dezero_nn.conv_kernels", "dezero_nn.parallel", "dezero_nn.windows"}


IMPORTABLE = {
    "dezero_core": "the names that users import",
    "dezero_core.functions": "ops",
    "dezero_core.errors": "the errors that packages raise",
    "dezero_core.extend": "backends, ops and kernels, file formats: all that third parties need",
    "dezero_core.state": "parameters, their arrays and files",
    "dezero_core.arguments": "conversion of arguments",
    "dezero_core.dtypes": "the dtype that an op computes in",
    "dezero_core.variable": "the types of an op's inputs",
    "dezero_core.config": "settings that blocks override",
    "dezero_core.hints": "messages about names and keywords",
    "dezero_core.diagnosis": "messages about shapes",
    "dezero_core.backends.portable": "defaults that a backend may build on",
}
"""The modules of core that other packages may import; also those in `functions`."""


@pytest.mark.parametrize(
    "folder",
    ["dezero-nn", "dezero-io", "dezero-cuda", "dezero-mpi", "dezero-onednn", "dezero-onnx"]
    + ["dezero-parallel"],
)
def test_our_plugins_import_only_a_few_modules_of_core(folder: str) -> None:
    found = {
        node.module
        for _, nodes in modules(SOURCES[folder])
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0
    }
    of_core = {module for module in found if module.split(".")[0] == "dezero_core"}
    assert {m for m in of_core if not m.startswith("dezero_core.functions.")} <= set(IMPORTABLE)


def test_only_dezero_mpi_imports_mpi() -> None:
    found = {
        folder
        for folder, source in SOURCES.items()
        for path, nodes in modules(source)
        if any(name.split(".")[0] == "mpi4py" for name in imported(nodes, path.split("/")[:-1]))
    }
    assert found == {"dezero-mpi"}


FOREIGN = {
    "_exit": "a function of os",
    "_getframe": "a function of sys",
    "_current_frames": "a function of sys",
    "_asdict": "a method of named tuples",
    "_replace": "a method of named tuples",
    "_NoValue": "a default in the signatures of NumPy",
    "_compressor": "dezero_io sets it, because zipfile has no public way to choose a compressor",
    "_raised_in": "dezero_nn sets it on errors",
}
"""Attributes with an underscore that a package reads though it does not define them."""


def private_names(nodes: Nodes) -> tuple[set[str], set[str]]:
    """Return the names with one underscore that a module defines, and those that it reads."""
    defined: set[str] = set()
    used: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            defined |= set(ast.literal_eval(node.value))
        elif isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            (defined if is_own and isinstance(node.ctx, ast.Store) else used).add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            used |= {name.name for name in node.names}
    return defined, {name for name in used if re.match("_[^_]", name)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_packages_read_no_private_attributes_of_other_packages(folder: str) -> None:
    found = [private_names(nodes) for _, nodes in modules(SOURCES[folder])]
    defined = set().union(*[names for names, _ in found])
    used = set().union(*[names for _, names in found])
    assert used - defined - FOREIGN.keys() == set()


def test_third_parties_need_only_extend() -> None:
    """The example backends and formats import nothing that only our own packages may use."""
    found = {
        node.module
        for path in (PACKAGES.parent / "examples").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dezero_core")
    }
    assert found <= {f"dezero_core{name}" for name in ("", ".errors", ".extend", ".functions")}


def test_authors_of_plugins_need_few_names() -> None:
    assert len(extend.__all__) <= 27


def entry(name: str) -> str:
    """Return the entry of `LEVELS` for a dotted name; names of the package are in __init__."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL_OF else "__init__"


def test_modules_of_core_import_only_lower_levels() -> None:
    for path, nodes in modules(CORE):
        package = path.removesuffix(".py").split("/")[:-1]
        here = entry(path.removesuffix(".py").replace("/", "."))
        for name in imported(nodes, package):
            if name.startswith("dezero_core"):
                there = entry(name)
                assert there == here or LEVEL_OF[there] < LEVEL_OF[here], f"{path} imports {name}"


def test_one_version_in_lockstep() -> None:
    versions = {
        re.search(r'__version__ = "(.+)"', (source / "__about__.py").read_text()).group(1)
        for source in SOURCES.values()
    }
    assert len(versions) == 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_package_has_its_files(folder: str) -> None:
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        assert (PACKAGES / folder / name).is_file()
    assert (SOURCES[folder] / "py.typed").is_file()
    assert "MIT License" in (PACKAGES / folder / "LICENSE").read_text()


def test_functions_are_short() -> None:
    """Only the call of an op, which is hot, may exceed 70 lines."""
    long = {
        f"{path}:{node.name}": node.end_lineno - node.lineno + 1
        for source in SOURCES.values()
        for path, nodes in modules(source)
        for node in nodes
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 70
    }
    assert set(long) <= {
        "dezero_core/function.py:__call__",
    }


def test_sums_over_axes_go_through_sum_over() -> None:
    found = {
        path
        for folder in ("dezero-core", "dezero-nn")
        for path, nodes in modules(SOURCES[folder])
        for node in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "sum"
    }
    assert found == set(MAY_SUM)


def test_plugins_and_engines_that_core_names_exist() -> None:
    files = {name: f"{module.replace('.', '/')}.py" for name, module in OUR_PLUGINS.items()}
    for name, file in files.items():
        assert list(PACKAGES.glob(f"*/src/{file}")), name
    for engine, distribution in COMMUNICATOR_HINTS.items():
        text = (SOURCES[distribution] / "plugin.py").read_text("utf-8")
        assert f'CommunicatorSpec("{engine}"' in text, engine
