"""The table for people and the JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sandbox.oracle.verdict import VIOLATIONS, quantile
from tests.chaos.run import Result
from tests.chaos.scenarios import Scenario

LATENCY_LIMIT_MS = 30_000.0
COLUMNS = (
    *("reminders", "delivered", "direct_messages", "excused", *VIOLATIONS, "unknown"),
    *("latency_p99_ms", "unaffected_p99_ms", "injections", "seconds"),
)


def passed(result: Result) -> bool:
    """Return whether a scenario has no violation and is not too late."""
    late = quantile(result.verdict.latency, 0.99)
    return not result.verdict.problems and (late is None or late <= LATENCY_LIMIT_MS)


def as_json(result: Result) -> dict[str, Any]:
    """Return a scenario's figures."""
    verdict = result.verdict
    return {
        "name": result.name,
        "seed": result.seed,
        "passed": passed(result),
        "skipped": result.skipped,
        "injections": result.injections,
        "reminders": verdict.reminders,
        "delivered": verdict.delivered,
        "direct_messages": verdict.direct_messages,
        "personal_reminders": verdict.personal_reminders,
        "promotions": verdict.promotions,
        "lapsed_offers": verdict.lapsed_offers,
        "minimum_questions": verdict.minimum_questions,
        "occurrences": verdict.occurrences,
        "excused": verdict.excused,
        **{kind: len(getattr(verdict, kind)) for kind in VIOLATIONS},
        "unknown": verdict.unknown,
        "lost_commits": verdict.lost_commits,
        "latency_p50_ms": quantile(verdict.latency, 0.5),
        "latency_p99_ms": quantile(verdict.latency, 0.99),
        "latency_max_ms": quantile(verdict.latency, 1.0),
        "unaffected_p99_ms": quantile(verdict.unaffected_latency, 0.99),
        "seconds": round(result.seconds, 1),
        "problems": list_problems(result),
    }


def list_problems(result: Result) -> list[str]:
    """Return a scenario's problems. Each names the files with the history of its games, if there are any."""
    problems = []
    for problem in result.verdict.problems:
        files = [str(report.path) for report in result.reports if report.path is not None and report.title in problem]
        problems.append(f"{problem} (see {', '.join(files)})" if files else problem)
    return problems


def write(path: Path, results: Sequence[Result]) -> None:
    """Write the JSON file."""
    scenarios = [as_json(result) for result in results]
    document = {"passed": all(scenario["passed"] for scenario in scenarios), "scenarios": scenarios}
    path.write_text(json.dumps(document, indent=2) + "\n")


def line(result: Result) -> str:
    """Return a scenario's result in a line, with its first problem."""
    if result.skipped:
        return f"{result.name}: skipped: {result.skipped}"
    late = f"latency p99 {quantile(result.verdict.latency, 0.99)} ms"
    status = "passed" if passed(result) else f"FAILED ({[*list_problems(result), late][0]})"
    return f"{result.name}: {status} after {result.seconds:.0f} s, {late}"


def show(console: Console, results: Sequence[Result]) -> None:
    """Print the table, the problems below it, and the reports about games that are in no file."""
    table = Table("scenario", *(column.replace("_", " ") for column in COLUMNS), "")
    for result in results:
        figures = as_json(result)
        status = "[green]passed[/]" if passed(result) else "[red]FAILED[/]"
        if result.skipped:
            status = f"[yellow]skipped: {result.skipped}[/]"
        cells = (figures[column] for column in COLUMNS)
        table.add_row(result.name, *("" if cell is None else str(cell) for cell in cells), status)
    console.print(table)
    for result in results:
        for problem in list_problems(result):
            console.print(f"[red]{result.name}[/] (seed {result.seed}): {problem}", soft_wrap=True, highlight=False)
        for report in result.reports:
            if report.path is None:
                console.print(f"\n{report.text}", soft_wrap=True, highlight=False, markup=False)


def show_list(console: Console, groups: Mapping[str, Mapping[str, Scenario]]) -> None:
    """Print the scenarios in their groups, and what each one guards."""
    width = max(len(name) for scenarios in groups.values() for name in scenarios)
    for group, scenarios in groups.items():
        console.print(f"\n[bold]{group}[/]")
        for name, scenario in scenarios.items():
            quick = "quick" if scenario.quick else "     "
            console.print(f"  {name:{width}}  {quick}  {scenario.guards}", soft_wrap=True, highlight=False)
