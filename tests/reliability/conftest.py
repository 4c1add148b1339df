"""Let the scripts of this folder import each other, as when they are run."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
