"""`python -m tests.chaos` is `make chaos`."""

from __future__ import annotations

import click

from tests.chaos.main import main


@click.command()
@click.option("--quick", is_flag=True, help="Only the quick cells.")
@click.option("--cell", "names", multiple=True, help="Only this cell; may be given several times.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides everything that is left to chance.")
@click.option("--list", "only_list", is_flag=True, help="Name the cells and what they do.")
def chaos(quick: bool, names: tuple[str, ...], seed: int, only_list: bool) -> None:
    """Inject faults while many games run, and check what Discord received."""
    main(quick=quick, names=names, seed=seed, only_list=only_list)


chaos(prog_name="make chaos")
