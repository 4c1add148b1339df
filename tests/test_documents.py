"""Every Python example in the documents is run."""

import re
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


@pytest.mark.parametrize("code", EXAMPLES)
def test_example(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "example", "exec"), names)
    for line in code.splitlines():
        # "expression          # value, perhaps a remark": what a reader is told it gives
        told = re.match(r"(\S.*\S)\s+# (variable\([^)]*\)|\[.*\])", line)
        if told and "=" not in told[1]:
            assert repr(eval(told[1], names)) == told[2], line


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
