"""`make chaos`: runs the matrix, prints a table, writes chaos.json, and fails when anything was lost, doubled or
wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sandbox.demo.progress import Story
from shared import logs, process
from shared.errors import ConfigurationError
from shared.settings import LogSettings
from tests.chaos import clocks, report
from tests.chaos.cells import CELLS
from tests.chaos.ground import Ground, ground
from tests.chaos.run import Result, run_cell
from tests.chaos.verdict import Verdict

OUTPUT = Path("chaos.json")


def main(
    *,
    quick: bool,
    names: Sequence[str],
    seed: int,
    only_list: bool,
    output: Path = OUTPUT,
    log_directory: Path | None = None,
) -> None:
    """Run the command; exits 1 on any violation."""
    logs.configure(LogSettings(format="console", level="error"), workload="chaos", stream=sys.stderr)
    if only_list:
        _list()
        return
    results: list[Result] = []

    async def work() -> None:
        results.extend(await run(chosen(names, quick=quick), seed=seed, story=Story(), log_directory=log_directory))

    process.run(process.run_until_signalled(work))
    if not results:
        sys.exit(130)
    report.show(Console(width=200), results)
    report.write(output, results)
    sys.exit(0 if all(map(report.passed, results)) else 1)


def chosen(names: Sequence[str], *, quick: bool) -> list[str]:
    """Return the cells that are asked for, in the matrix's order.

    Raises:
        ConfigurationError: there is no cell of that name.
    """
    if unknown := [name for name in names if name not in CELLS]:
        raise ConfigurationError(f"no cell is called {', '.join(unknown)}; see `make chaos ARGS=--list`")
    return [name for name, cell in CELLS.items() if (name in names if names else cell.quick or not quick)]


async def run(names: Sequence[str], *, seed: int, story: Story, log_directory: Path | None = None) -> list[Result]:
    """Run cells one after another on common servers.

    Two at once would halve the time and, on two cores, tell more of the machine than of Questbell.
    """
    results = []
    async with ground(names, report=story.step) as servers:
        for name in names:
            result = await _run_or_skip(servers, name, seed=seed, log_directory=log_directory)
            story.step(report.line(result))
            results.append(result)
    return results


async def _run_or_skip(servers: Ground, name: str, *, seed: int, log_directory: Path | None) -> Result:
    cell = CELLS[name]
    if cell.skews and (reason := await clocks.obtain()):
        return Result(name, seed, 0.0, 0, Verdict(), skipped=reason)
    return await run_cell(servers, name, cell, seed=seed, log_directory=log_directory)


def _list() -> None:
    for name, cell in CELLS.items():
        sys.stdout.write(f"{name}{'  (quick)' if cell.quick else ''}\n")
