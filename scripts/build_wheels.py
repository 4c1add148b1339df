"""Build the wheel of every package into `dist`, or into the folder named on the command line."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main(folder: Path) -> None:
    """Build every folder of `packages` that has a `pyproject.toml`; stop at the first failure."""
    for project in sorted(ROOT.glob("packages/*/pyproject.toml")):
        build = [sys.executable, "-m", "uv", "build", "--wheel", "--out-dir", folder]
        subprocess.run([*build, project.parent], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
