"""The documents are true: their examples run, their links lead somewhere, their names exist."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("packages/*/README.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("changelog.d/*.md"),
    ]
)
EXAMPLES = {
    path: codes
    for path in DOCUMENTS
    if (codes := re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.S))
}
COMMANDS = [*DOCUMENTS, *ROOT.glob(".github/workflows/*.yml"), ROOT / ".pre-commit-config.yaml"]

PYTHON = (sys.executable, "-W", "error", "-c")

RUN = """
import json, os, re, sys, traceback
import dezero

def run(code):
    names = {}
    exec(compile(code, "example", "exec"), names)
    for line in code.splitlines():
        # "expression  # value, perhaps a remark": the value that the document promises
        promised = re.match(r"\\s*(\\S.*\\S)\\s+# (variable\\([^)]*\\)|\\[.*\\])", line)
        if promised and "=" not in promised[1]:
            value = repr(eval(promised[1], names))
            assert value == promised[2], f"{line}: {value}"
"""
"""The code that runs one example."""

HARNESS = (
    RUN
    + """
def run_in_child(code, folder, errors):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    os.chdir(folder)
    os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        run(code)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

for line in sys.stdin:
    codes, folder, errors = json.loads(line)
    print(all(run_in_child(code, folder, errors) for code in codes), flush=True)
"""
)
"""The code of a process that forks once for each example, after the import of dezero."""


@pytest.fixture(scope="module")
def harness() -> Iterator[subprocess.Popen[str] | None]:
    """Start a process that runs the examples of one document per line; None if it cannot fork."""
    if not hasattr(os, "fork"):
        yield None
        return
    command = [*PYTHON, HARNESS]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # Python warns of forks with threads
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=environment) as process:
        yield process


@pytest.mark.parametrize("document", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples(document: Path, tmp_path: Path, harness: subprocess.Popen[str] | None) -> None:
    """Run each example in a process of its own, forked after the import of dezero to save time."""
    if document.name == "onnx.md":
        pytest.importorskip("onnxruntime", reason="hatch run onnx:run runs these examples")
    if harness is None:
        for code in EXAMPLES[document]:
            command = [*PYTHON, RUN + "run(sys.stdin.read())"]
            done = subprocess.run(command, input=code, cwd=tmp_path, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
        return
    folder, errors = tmp_path / "run", tmp_path / "errors"
    folder.mkdir()
    print(
        json.dumps([EXAMPLES[document], str(folder), str(errors)]), file=harness.stdin, flush=True
    )
    passed, said = harness.stdout.readline(), errors.read_text("utf-8")
    assert passed == "True\n", said
    assert said == ""


def test_there_are_examples() -> None:
    assert sum(map(len, EXAMPLES.values())) >= 25


def prose(document: Path) -> str:
    """Return a document's text without its code."""
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.M | re.S)
    return re.sub(r"`[^`\n]+`", "", text)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, by GitHub's rule."""
    headings = re.findall(r"^#+ (.*)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_names_in_the_pages_about_the_code_exist() -> None:
    for page in ("glossary", "architecture", "tour", "extending"):
        text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
        for name in re.findall(r"`(dezero_\w+(?:\.\w+)+)`", text):
            resolve_name(name)


def test_hatch_commands_exist() -> None:
    environments = tomllib.loads((ROOT / "hatch.toml").read_text("utf-8"))["envs"]
    for document in COMMANDS:
        for environment, script in re.findall(
            r"hatch run (?:([\w-]+):)?([a-z]+)", document.read_text("utf-8")
        ):
            scripts = environments[environment or "default"].get("scripts", {})
            assert script in scripts or script == "python", f"{document}: {environment}:{script}"


def test_the_readme_is_short_and_begins_with_two_commands() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 130
    assert "hatch run demo" in lines[3]
    assert "hatch test" in lines[4]


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text("utf-8")
    for page in sorted(folder.glob("0*.md")):
        number, title = re.match(r"# (\d{4}): (.+)\n", page.read_text("utf-8")).groups()
        title = title[0].upper() + title[1:]
        assert f"| [{number}]({page.name}) | {title} | " in index, page.name


def test_the_page_on_extending_shows_one_of_each_in_at_most_four_files() -> None:
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\(.+?\) \| (.+?) \|$", page, re.M)
    assert len(rows) == 8
    for title, files in rows:
        section = page.partition(f"\n## {title[0].upper()}{title[1:]}\n")[2].partition("\n## ")[0]
        assert section.count("```python\n") == 1, title
        assert files.count("`") // 2 + 3 * ("these three" in files) <= 4, title


@pytest.mark.parametrize("package", ["core", "nn", "io"])
def test_the_file_map_has_every_module(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition(f"### `dezero_{package}`")[2].partition("\n### ")[0]
    folder = ROOT / "packages" / f"dezero-{package}" / "src" / f"dezero_{package}"
    modules = {path.name for path in folder.glob("[!_]*.py")}
    folders = {f"{path.parent.name}/" for path in folder.glob("[!_]*/__init__.py")}
    assert set(re.findall(r"`([\w.]+(?:py|/))`", section)) == modules | folders
