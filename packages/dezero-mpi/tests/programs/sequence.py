"""Run several programs one after the other in one process, because starting the ranks takes long.

Each argument of this program is the path of a program, from this folder, and its arguments.
"""

import runpy
import sys
from pathlib import Path

for line in sys.argv[1:]:
    program, *arguments = line.split()
    path = Path(__file__).parent / program
    sys.argv = [str(path), *arguments]
    runpy.run_path(str(path), run_name="__main__")
