"""Check the English of docstrings and comments in ``packages/*/src``.

``python scripts/lint_words.py [PATH...]`` lists docstrings that open without a verb or subject,
docstrings that are too short, and phrases for which there is a clearer term; it exits with 1 if
there are any. ``--report`` lists single words that often stand for a clearer term; they are
allowed, because some have a plain meaning too, and the exit status is 0. docs/glossary.md gives the
terms to use.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

OPENINGS = (
    "The same", "Of", "What", "Those", "Its", "That", "All of", "And", "Both of", "By",
    "Everything", "How", "Into", "Where", "Whether", "Which", "Who",
)  # fmt: skip
"""First words of docstrings that are usually not sentences."""

FEWEST_WORDS = 4
"""The fewest words of a docstring; a shorter one usually repeats the name."""

PHRASES = {
    "added up where they lie": "scatter-added; col2im",
    "dealt out": "split",
    "divided among": "split; parallelised",
    "elements of a filter": "kernel positions (taps)",
    "goes back from": "runs backward from",
    "library of the host": "NumPy",
    "mapped filters": "transformed filters",
    "map of tiles": "input transform",
    "shared out": "split; parallelised",
    "the other way around": "transposed; in the reverse order",
    "the way back": "backward",
    "turned around": "flipped",
    "wants a gradient": "requires grad",
    "wants no gradient": "does not require grad",
    "want a gradient": "require grad",
    "want no gradient": "do not require grad",
    "what is left": "the remainder; the rest",
    "what remains": "the remainder; the rest",
}
"""Phrases and the terms to use instead."""

WORDS = {
    "behind": "the ancestors",
    "evenly": "in equal chunks",
    "few": "a truth value, a slice or an array: name it",
    "kept": "stored; cached",
    "kind": "type; class; category",
    "mapped": "transformed",
    "margin": "padding",
    "met": "the position; the ancestors",
    "numbers": "parameters; values",
    "places": "positions; indices",
    "products": "multiply-adds; matmul",
    "reading": "a pass",
    "room": "buffer; workspace",
    "slope": "derivative; gradient",
    "spent": "freed",
    "told": "the argument",
    "visit": "a pass",
    "way": "algorithm; backward",
}
"""Single words that often stand for a clearer term, and that term."""

Line = tuple[int, str]


def main(arguments: list[str]) -> int:
    """Print the findings in the files of ``arguments``, by default of all packages."""
    paths = [Path(a) for a in arguments if not a.startswith("--")]
    words_only = "--report" in arguments
    count = 0
    for file in files(paths or sorted(ROOT.glob("packages/*/src"))):
        for line, message in sorted(found_words(file) if words_only else findings(file)):
            print(f"{shown(file)}:{line}: {message}")
            count += 1
    print(f"{count} {'words to look at' if words_only else 'sentences to mend'}")
    return int(count > 0 and not words_only)


def files(paths: list[Path]) -> Iterator[Path]:
    """Yield every Python file at or below ``paths``, except other projects' files."""
    for path in paths:
        found = [path] if path.is_file() else sorted(path.rglob("*.py"))
        yield from (file for file in found if "_vendor" not in file.parts)


def shown(file: Path) -> Path:
    """Return the path of ``file`` relative to the project's root, if it is inside."""
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


def findings(file: Path) -> Iterator[Line]:
    """Yield the docstrings and phrases of ``file`` that fail the check."""
    for line, text in docstrings(file):
        opening = next((o for o in OPENINGS if re.match(rf"{o}\b", text)), None)
        if opening is not None:
            yield line, f"a docstring opens with {opening!r}; write a sentence with a verb"
        if len(text.split()) < FEWEST_WORDS:
            yield line, f"a docstring has fewer than {FEWEST_WORDS} words: {text!r}"
    for line, text in prose(file):
        for phrase, better in PHRASES.items():
            if re.search(rf"\b{phrase}\b", text, re.IGNORECASE):
                yield line, f"{phrase!r}; write: {better}"


def found_words(file: Path) -> Iterator[Line]:
    """Yield the single words in the prose of ``file`` for which there is often a clearer term."""
    for line, text in prose(file):
        for word, better in WORDS.items():
            for _ in re.finditer(rf"\b{word}\b", text, re.IGNORECASE):
                yield line, f"{word!r}; perhaps: {better}"


def prose(file: Path) -> Iterator[Line]:
    """Yield the docstrings of ``file``, in one line each, and its comments."""
    yield from docstrings(file)
    with tokenize.open(file) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string.lstrip("# ")


def docstrings(file: Path) -> Iterator[Line]:
    """Yield every docstring of ``file`` with its line, including those of constants."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(value, ast.Constant):
                if isinstance(value.value, str):
                    yield statement.lineno, " ".join(value.value.split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
