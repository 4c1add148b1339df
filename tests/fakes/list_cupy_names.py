"""Write cupy/names.json anew from the CuPy that is installed; no GPU is needed.

Run in an environment with a real wheel (pip install cupy-cuda13x) from the project's root:

    python -P tests/fakes/list_cupy_names.py    # -P: not the stand-in beside it
"""

import inspect
import json
from pathlib import Path

import cupy


def public(thing: object) -> list[str]:
    return sorted(name for name in dir(thing) if not name.startswith("_"))


def parameters(function: object) -> list[str] | None:
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):  # ufuncs and compiled functions do not say
        return None
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in found.values())
    return None if takes_any else list(found)


names = {
    "version": cupy.__version__,
    "cupy": {name: parameters(getattr(cupy, name)) for name in public(cupy)},
    "ndarray": sorted(dir(cupy.ndarray)),
    "cuda": public(cupy.cuda),
    "random": public(cupy.random),
}
if __name__ == "__main__":
    target = Path(__file__).parent / "cupy" / "names.json"
    target.write_text(json.dumps(names, indent=0) + "\n")
