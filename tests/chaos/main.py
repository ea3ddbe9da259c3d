"""`make chaos`: runs the matrix, prints a table, writes chaos.json, and fails if anything was lost, doubled or
wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sandbox.demo.progress import Progress
from sandbox.oracle.verdict import Verdict
from shared import logs, process
from shared.errors import ConfigurationError
from shared.settings import LogSettings
from tests.chaos import clocks, report
from tests.chaos.environment import Environment, environment
from tests.chaos.run import Result, run_scenario
from tests.chaos.scenarios import GROUPS, SCENARIOS

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
        report.show_list(Console(), GROUPS)
        return
    results: list[Result] = []

    async def work() -> None:
        chosen = choose(names, quick=quick)
        results.extend(await run(chosen, seed=seed, progress=Progress(), log_directory=log_directory))

    process.run(process.run_until_signalled(work))
    if not results:
        sys.exit(130)
    report.show(Console(width=220), results)
    report.write(output, results)
    sys.exit(0 if all(map(report.passed, results)) else 1)


def choose(names: Sequence[str], *, quick: bool) -> list[str]:
    """Return the scenarios that were asked for, in the matrix's order.

    Raises:
        ConfigurationError: there is no scenario of that name.
    """
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise ConfigurationError(f"there is no scenario {', '.join(unknown)}; see `make chaos ARGS=--list`")
    return [name for name, scenario in SCENARIOS.items() if (name in names if names else scenario.quick or not quick)]


async def run(
    names: Sequence[str], *, seed: int, progress: Progress, log_directory: Path | None = None
) -> list[Result]:
    """Run scenarios one after another on common servers.

    Two at once would halve the time and, on two cores, measure the machine more than Questbell.
    """
    results = []
    async with environment(names, report=progress.step) as servers:
        for name in names:
            result = await _run_or_skip(servers, name, seed=seed, log_directory=log_directory)
            progress.step(report.line(result))
            results.append(result)
    return results


async def _run_or_skip(servers: Environment, name: str, *, seed: int, log_directory: Path | None) -> Result:
    scenario = SCENARIOS[name]
    if scenario.clock_skew and (reason := await clocks.install()):
        return Result(name, seed, 0.0, 0, Verdict(), skipped=reason)
    return await run_scenario(servers, name, scenario, seed=seed, log_directory=log_directory)
