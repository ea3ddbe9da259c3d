"""The table for people and the JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.chaos.run import Result
from tests.chaos.verdict import quantile

VIOLATIONS = ("lost", "doubled", "told_wrong", "unsettled")
LATENESS_LIMIT_MS = 30_000.0


def passed(result: Result) -> bool:
    """Whether a cell is as it must be."""
    late = quantile(result.verdict.lateness, 0.99)
    return not result.verdict.problems and (late is None or late <= LATENESS_LIMIT_MS)


def as_json(result: Result) -> dict[str, Any]:
    """Return a cell's figures."""
    verdict = result.verdict
    return {
        "name": result.name,
        "seed": result.seed,
        "passed": passed(result),
        "skipped": result.skipped,
        "strikes": result.strikes,
        "reminders": verdict.reminders,
        "delivered": verdict.delivered,
        "direct": verdict.direct,
        "excused": verdict.excused,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "told_wrong": verdict.told_wrong,
        "unsettled": verdict.unsettled,
        "unknown": verdict.unknown,
        "lateness_p50_ms": quantile(verdict.lateness, 0.5),
        "lateness_p99_ms": quantile(verdict.lateness, 0.99),
        "lateness_max_ms": quantile(verdict.lateness, 1.0),
        "others_p99_ms": quantile(verdict.others, 0.99),
        "seconds": round(result.seconds, 1),
        "problems": verdict.problems,
    }


def write(path: Path, results: Sequence[Result]) -> None:
    """Write the JSON file."""
    cells = [as_json(result) for result in results]
    path.write_text(json.dumps({"passed": all(cell["passed"] for cell in cells), "cells": cells}, indent=2) + "\n")


def line(result: Result) -> str:
    """Return a cell's verdict in a line, with the first thing that was wrong."""
    if result.skipped:
        return f"{result.name}: skipped: {result.skipped}"
    late = f"lateness p99 {quantile(result.verdict.lateness, 0.99)} ms"
    said = "passed" if passed(result) else f"FAILED ({[*result.verdict.problems, late][0]})"
    return f"{result.name}: {said} after {result.seconds:.0f} s, {late}"


COLUMNS = (
    *("reminders", "delivered", "direct", "excused", *VIOLATIONS, "unknown"),
    *("lateness_p99_ms", "others_p99_ms", "strikes", "seconds"),
)


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table, and below it what was wrong."""
    table = Table("cell", *(column.replace("_", " ") for column in COLUMNS), "")
    for result in results:
        figures = as_json(result)
        verdict = "[green]passed[/]" if passed(result) else "[red]FAILED[/]"
        if result.skipped:
            verdict = f"[yellow]skipped: {result.skipped}[/]"
        shown = (figures[column] for column in COLUMNS)
        table.add_row(result.name, *("" if figure is None else str(figure) for figure in shown), verdict)
    console.print(table)
    for result in results:
        for problem in result.verdict.problems:
            console.print(f"[red]{result.name}[/] (seed {result.seed}): {problem}", soft_wrap=True, highlight=False)
