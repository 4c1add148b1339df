"""Judge the figures of ``gpu.py``, and print them as a report in Markdown."""

from __future__ import annotations

from typing import Any

from gpu_targets import (
    FIRST_CALL_AIM,
    FIRST_CALL_MUST,
    MEMORY_AIM,
    MEMORY_MUST,
    Target,
    sides_of,
)  # fmt: skip


def judge_row(target: Target, figures: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a row of the table: the fastest times, the ratios, and whether the limits are met."""
    ours = figures[target.ours]
    theirs = [figures[side] for side in sides_of(target)[1:] if "us" in figures[side]]
    row: dict[str, Any] = {**target._asdict(), "figures": figures}
    errors = {side: found["error"] for side, found in figures.items() if "error" in found}
    if errors:
        row["errors"] = errors
    if "us" in ours:
        row["ours_us"] = ours["us"]
    if "us" not in ours or not theirs:
        return {**row, "verdict": "not measured"}
    best = min(theirs, key=lambda found: found["us"])
    row |= {"theirs_us": best["us"], "ratio": ours["us"] / best["us"]}
    row["verdict"] = verdict(row["ratio"], target.must, target.aim)
    if best.get("used_mb", 0) > 0 and "used_mb" in ours:
        row["memory"] = ours["used_mb"] / best["used_mb"]
        row["memory_verdict"] = verdict(row["memory"], MEMORY_MUST, MEMORY_AIM)
    if "first_call_s" in ours:
        row["first_call_s"] = ours["first_call_s"]
        row["first_verdict"] = verdict(ours["first_call_s"], FIRST_CALL_MUST, FIRST_CALL_AIM)
    return row


def verdict(figure: float, must: float, aim: float) -> str:
    """Return "aim" or "must", the better limit that a figure does not exceed, or "missed"."""
    return "aim" if figure <= aim else "must" if figure <= must else "missed"


HEAD = (
    "| workload | precision | side | DeZero, us | other side, us | ratio | must | aim | reached "
    "| memory ratio | reached | first calls, s | reached |"
)


def markdown(found: dict[str, Any]) -> str:
    """Return the report as Markdown."""
    lines = [f"# {found['title']}", "", *[f"- {k}: {v}" for k, v in found["machine"].items()], ""]
    for name, part in found["parts"].items():
        figures = {k: v for k, v in part.items() if v and k not in ("problem", "not passed")}
        lines += [f"- {name}: {part.get('problem') or 'done'}; {figures}"]
        lines += [f"  - {test}: {outcome}" for test, outcome in part.get("not passed", {}).items()]
    lines += ["", "A ratio is DeZero's time divided by the other side's: lower is better.", ""]
    lines += [HEAD, "|" + "---|" * (HEAD.count("|") - 1)]
    lines += [table_row(row) for row in found["rows"]]
    errors = [
        f"- {row['workload']}, {row['precision']}, {side}: {error}"
        for row in found["rows"]
        for side, error in row.get("errors", {}).items()
    ]
    declined = dict.fromkeys(
        f"- {row['workload']}, {row['precision']}: {reason}"
        for row in found["rows"]
        for figures in row["figures"].values()
        for reason in figures.get("declined", [])
    )
    lines += ["", *section("Errors", errors)]
    return "\n".join(lines + section("Calls that NVIDIA's libraries declined", list(declined)))


def section(title: str, items: list[str]) -> list[str]:
    """Return a title and items as lines of Markdown, or an empty list if there are no items."""
    return [f"{title}:", "", *items, ""] if items else []


def table_row(row: dict[str, Any]) -> str:
    """Return a row as a line of the Markdown table."""

    def cell(name: str, form: str) -> str:
        return format(row[name], form) if name in row else ""

    cells = (
        row["workload"], row["precision"], f"{row['ours']} / {row['theirs'][0]}",
        cell("ours_us", ".0f"), cell("theirs_us", ".0f"), cell("ratio", ".2f"),
        f"{row['must']:.2f}", f"{row['aim']:.2f}", row["verdict"], cell("memory", ".2f"),
        cell("memory_verdict", ""), cell("first_call_s", ".2f"), cell("first_verdict", ""),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"
