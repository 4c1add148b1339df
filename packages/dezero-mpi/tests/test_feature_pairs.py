"""Train on two ranks with each pair of features of tests/feature_pairs.py, started by mpiexec."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dezero_mpi.launcher import find_launcher

sys.path.insert(0, str(Path(__file__).parents[3] / "tests"))
from feature_pairs import REFUSED

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_each_pair_resumes_bit_for_bit_or_is_refused(tmp_path: Path) -> None:
    program = [sys.executable, str(ROOT / "tests" / "feature_pairs.py"), str(tmp_path)]
    path = os.pathsep.join([str(ROOT / "tests" / "fakes"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        find_launcher().command(2, program),
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ranks = json.loads(done.stdout.splitlines()[-1])
    assert len(ranks) == 2 and len(ranks[0]) == 21
    for name in ranks[0]:
        (text, digest), (other_text, other_digest) = (rank[name] for rank in ranks)
        pattern = REFUSED.get(tuple(name.split(" + ")))
        if pattern:
            assert re.search(pattern, text) and re.search(pattern, other_text), name
        else:
            assert (text, other_text) == ("", ""), name
            assert digest == other_digest, f"{name}: the ranks have different weights"
