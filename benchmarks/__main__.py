"""`python -m benchmarks`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks import report
from benchmarks.plan import Plan
from benchmarks.run import Result, run
from sandbox.demo.progress import Progress
from shared import logs, process
from shared.settings import LogSettings


@click.command()
@click.option("--rows", type=click.IntRange(1), help=f"Reminders due at one instant.  [default: {Plan().rows}]")
@click.option("--pending", type=click.IntRange(0), help=f"Others that are pending.  [default: {Plan().pending}]")
@click.option(
    "--rounds", type=click.IntRange(3), help=f"Rounds to compute the ratios from.  [default: {Plan().rounds}]"
)
@click.option("--batch-size", type=click.IntRange(1, 1000), help="The Scheduler's batchSize.  [default: its default]")
@click.option("--prefetch", type=click.IntRange(1, 200), help="Messages a consumer holds.  [default: its default]")
@click.option("--peers", is_flag=True, help="Measure the burst of other schedulers, too; takes half an hour.")
@click.option("--quick", is_flag=True, help="A tenth of everything: shows that it works, not how fast.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("bench.json"), show_default=True
)
def main(quick: bool, peers: bool, output: Path, **asked: int | None) -> None:
    """Measure the burst and the ratios; print a table and write them as JSON.

    Fails when a reminder was not delivered exactly once. Missing a target is reported but is no failure.
    """
    logs.configure(LogSettings(format="console", level="error"), workload="bench", stream=sys.stderr)
    plan = Plan.of(quick=quick, peers=peers, **asked)
    results: list[Result] = []

    async def work() -> None:
        results.append(await run(plan, progress=Progress()))

    process.run(process.run_until_signalled(work))
    if not results:
        sys.exit(130)
    [result] = results
    report.show(Console(width=120), result)
    report.write(output, result)


if __name__ == "__main__":
    main()
