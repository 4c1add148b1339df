"""Every Python example in the documents is run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [ROOT / "README.md", *ROOT.glob("packages/*/README.md"), *ROOT.glob("docs/*.md")]
)
EXAMPLES = [
    pytest.param(code, id=f"{path.relative_to(ROOT)}:{number}")
    for path in DOCUMENTS
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(), re.S))
]


HARNESS = """
import re, sys
code = sys.stdin.read()
names = {}
exec(compile(code, "example", "exec"), names)
for line in code.splitlines():
    # "expression          # value, perhaps a remark": what a reader is told it gives
    told = re.match(r"\\s*(\\S.*\\S)\\s+# (variable\\([^)]*\\)|\\[.*\\])", line)
    if told and "=" not in told[1]:
        got = repr(eval(told[1], names))
        assert got == told[2], f"{line}: {got}"
"""


@pytest.mark.parametrize("code", EXAMPLES)
def test_example(code: str, tmp_path: Path) -> None:
    """In a fresh process, where only what is installed is registered."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HARNESS],
        input=code,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9
