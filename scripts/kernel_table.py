"""Write the tables of named ops and kernels in docs/kernels.md.

`python scripts/kernel_table.py` prints the tables; with ``--write`` it rewrites them in the page.
A test compares the page with the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "kernels.md"
START, END = "<!-- tables of scripts/kernel_table.py -->", "<!-- end of the tables -->"


def tables() -> str:
    """Return both tables in Markdown."""
    from dezero_core.extend import ops

    lines = ["| op | arguments and result | meaning |", "|---|---|---|"]
    for name, op in sorted(ops.items()):
        meaning = (op.__doc__ or "").strip().splitlines()[0]
        lines.append(f"| `{name}` | `{op.signature}` | {meaning} |".replace(" | None", " or None"))
    lines += ["", "| op | kernel | package | tolerance | chosen by |", "|---|---|---|---|---|"]
    lines += sorted(kernel_rows())
    return "\n".join(lines)


def kernel_rows() -> Iterator[str]:
    """Yield one row for each kernel of DeZero's own distributions."""
    for name in ("onednn", "onnx"):  # not installed in every environment
        sys.path.insert(0, str(ROOT / "packages" / f"dezero-{name}" / "src"))
    from dezero_cuda.kernels import all_kernels as cuda_kernels
    from dezero_nn.kernels import all_kernels as nn_kernels
    from dezero_onednn.plugin import all_kernels as onednn_kernels
    from dezero_onnx.kernels import all_kernels as onnx_kernels

    packages = {
        "nn": nn_kernels(),
        "cuda": cuda_kernels(),
        "onednn": onednn_kernels(),
        "onnx": onnx_kernels(),
    }
    for package, kernels in packages.items():
        for kernel in kernels:
            rule = "priority" if kernel.cost is None else "cost"
            tolerance = f"{kernel.tolerance:g}"
            yield f"| `{kernel.op}` | `{kernel.name}` | dezero-{package} | {tolerance} | {rule} |"


def page_with_tables() -> str:
    """Return the text of the page with new tables."""
    before, rest = PAGE.read_text().split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    import dezero.functions  # noqa: F401 (defines the ops)

    if "--write" in sys.argv[1:]:
        PAGE.write_text(page_with_tables())
    else:
        print(tables())
