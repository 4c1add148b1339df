"""Add this folder to `sys.path`, so that its scripts can import each other in tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
