"""`python -m benchmarks.growth`: whether the product's functions take longer as the tables grow."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from benchmarks.growth import report
from benchmarks.growth.load import Size
from benchmarks.growth.measure import Grown, measure
from sandbox.demo.progress import Progress
from sandbox.servers import postgres
from sandbox.servers.directory import subdirectory, temporary_directory
from shared import logs, process
from shared.settings import LogSettings


def _numbers(_context: click.Context, _option: click.Parameter, value: str | None) -> list[int] | None:
    try:
        return None if value is None else [int(number) for number in value.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 10000,1000000") from error


@click.command()
@click.option("--pending", callback=_numbers, default="10000,1000000", show_default=True, help="In each database.")
@click.option("--settled", callback=_numbers, help="In each database.  [default: as many]")
@click.option("--rounds", type=click.IntRange(1), default=21, show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("growth.json"))
def main(pending: list[int], settled: list[int] | None, rounds: int, output: Path) -> None:
    """Fill a database for each size, measure in all of them, and write times and plans. A million takes 1.4 GB."""
    if len(settled or pending) != len(pending):
        raise click.UsageError("--pending and --settled need as many numbers")
    logs.configure(LogSettings(format="console", level="error"), workload="growth", stream=sys.stderr)
    sizes = [Size(*counts) for counts in zip(pending, settled or pending, strict=True)]
    progress = Progress()
    results: list[Grown] = []

    async def work() -> None:
        with temporary_directory("growth-") as directory:
            async with postgres(subdirectory(directory, "postgres"), report=progress.step) as server:
                results.extend(await measure(server, sizes, rounds=rounds, progress=progress))

    process.run(process.run_until_signalled(work))
    if not results:
        sys.exit(130)
    report.show(Console(width=140), results)
    report.write(output, results)


if __name__ == "__main__":
    main()
