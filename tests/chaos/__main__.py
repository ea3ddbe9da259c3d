"""`python -m tests.chaos` is `make chaos`."""

from __future__ import annotations

from pathlib import Path

import click

from tests.chaos.main import main


@click.command()
@click.option("--quick", is_flag=True, help="Run only the quick scenarios.")
@click.option("--scenario", "names", multiple=True, help="Run only this scenario; may be given several times.")
@click.option("--seed", type=int, default=1, show_default=True, help="The seed of everything random.")
@click.option("--logs", type=click.Path(path_type=Path), help="Keep logs and the history of games that fail there.")
@click.option("--list", "only_list", is_flag=True, help="List the scenarios and what each one guards.")
def chaos(quick: bool, names: tuple[str, ...], seed: int, logs: Path | None, only_list: bool) -> None:
    """Inject faults while many games run, and check what Discord received."""
    main(quick=quick, names=names, seed=seed, only_list=only_list, log_directory=logs)


chaos(prog_name="make chaos")
