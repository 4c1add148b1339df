"""Read the text of the ``.cu`` files; this module does not import CuPy."""

from __future__ import annotations

import re
from importlib.resources import files

from dezero_core.extend import once

C_TYPES = {"f": "float", "d": "double"}
"""A dictionary from dtype characters to the C types that replace SCALAR in the ``.cu`` files."""

FAMILIES = sorted(
    path.name.removesuffix(".cu")
    for path in files(__package__).iterdir()
    if path.name.endswith(".cu")
)
"""The names of the ``.cu`` files. A file is compiled when one of its kernels first runs."""

OPTIONS = ("-std=c++17",)
"""The options of NVRTC, the compiler that CuPy calls."""


def source(family: str) -> str:
    """Return the joined text of ``common.cuh`` and of one ``.cu`` file."""
    folder = files(__package__)
    return "".join(
        folder.joinpath(name).read_text("utf-8") for name in ("common.cuh", f"{family}.cu")
    )


@once
def families() -> dict[str, str]:
    """Return a dictionary from the names of kernels to the files that define them."""
    return {
        name: family
        for family in FAMILIES
        for name in re.findall(r"^KERNEL (\w+)\(", source(family), re.MULTILINE)
    }
