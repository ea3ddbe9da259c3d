"""`questbell`: the one entry point. Imports a command's code only when it is called: no workload pays for another's."""

from __future__ import annotations

import click


@click.group()
@click.version_option(package_name="questbell")
def main() -> None:
    """Game sessions on Discord whose reminders are never lost and never told twice."""


@main.command()
def controllers() -> None:
    """Run the operator and its scheduler loops."""
    from questbell.controllers.main import main as run_controllers

    run_controllers()


@main.command()
def bot() -> None:
    """Run the Discord bot."""
    from questbell.bot.main import main as run_bot

    run_bot()


@main.command()
def migrate() -> None:
    """Bring the database schema to this release's, waiting for the database if need be."""
    from questbell.migrations.main import main as run_migrations

    run_migrations()


@main.command()
@click.option("--once", is_flag=True, help="Play the scenario, judge it and exit; non-zero when anything is wrong.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the verdict as one JSON object.")
@click.option("--install", "install_only", is_flag=True, help="Only install what the servers need.")
def sandbox(once: bool, as_json: bool, install_only: bool) -> None:
    """Run a whole Questbell on this machine, with a Discord of its own to try it on."""
    from questbell.sandbox.main import main as run_sandbox

    run_sandbox(once=once, as_json=as_json, install_only=install_only)


@main.command()
@click.option("--play", "playing", is_flag=True, help="Let its people make the demo's sessions and join them.")
def discord(playing: bool) -> None:
    """Run a Discord of one's own, to try the bot on; its page shows the channels."""
    from questbell.sandbox.discord_main import main as run_discord

    run_discord(playing=playing)


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
QUEUE = click.option("--queue", help="Only this queue, such as bot.reminders.")


@main.group("dead-letters")
def dead_letters() -> None:
    """See what could not be handled, and deal with what could not be read."""


@dead_letters.command("list")
@QUEUE
@click.option("--all", "resolved_too", is_flag=True, help="Also the parked messages that were dealt with.")
@click.option("--peek", type=click.IntRange(0, 100), default=5, show_default=True, help="Messages to show of a queue.")
@AS_JSON
def list_dead_letters(queue: str | None, resolved_too: bool, peek: int, as_json: bool) -> None:
    """Show the dead-letter queues, without taking anything, and the parked messages."""
    from questbell.operations.dead_letters import show_all

    show_all(queue=queue, resolved_too=resolved_too, peek=peek, as_json=as_json)


@dead_letters.command("show")
@click.argument("message_id", metavar="ID")
@AS_JSON
def show_dead_letter(message_id: str, as_json: bool) -> None:
    """Show a parked message with its headers and body."""
    from questbell.operations.dead_letters import show_one

    show_one(message_id, as_json=as_json)


@dead_letters.command("retry")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open messages.")
@QUEUE
@AS_JSON
def retry_dead_letters(ids: tuple[str, ...], everything: bool, queue: str | None, as_json: bool) -> None:
    """Publish parked messages again."""
    from questbell.operations.dead_letters import retry

    retry(ids, everything=everything, queue=queue, as_json=as_json)


@dead_letters.command("discard")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open messages.")
@QUEUE
@AS_JSON
def discard_dead_letters(ids: tuple[str, ...], everything: bool, queue: str | None, as_json: bool) -> None:
    """Give parked messages up; they are kept and never published."""
    from questbell.operations.dead_letters import discard

    discard(ids, everything=everything, queue=queue, as_json=as_json)


@main.command()
@click.argument("asked", metavar="ID")
@AS_JSON
def trace(asked: str, as_json: bool) -> None:
    """Tell the story of a game, notification, transition, ledger row, Discord message or nonce."""
    from questbell.operations.trace import trace as tell

    tell(asked, as_json=as_json)


@main.command()
@click.option("--for", "workload", type=click.Choice(["controllers", "bot"]), help="Only what this workload needs.")
@AS_JSON
def check(workload: str | None, as_json: bool) -> None:
    """Say whether this configuration can work, and how to mend it."""
    from questbell.migrations.command import head
    from questbell.operations.check import check as run_check

    run_check(release=head(), workload=workload, as_json=as_json)


@main.command()
@click.option("--since", required=True, metavar="TIME", help="When the backup was made, like 2030-05-01T18:00:00Z.")
@click.option("--yes", is_flag=True, help="Write what was found out, not only print it.")
@AS_JSON
def recover(since: str, yes: bool, as_json: bool) -> None:
    """After a restore from a backup: resolve what may have been told since, before anything is sent."""
    from questbell.operations.recover import recover as resolve

    resolve(since, yes=yes, as_json=as_json)


@main.command()
@click.option("--quick", is_flag=True, help="Only the quick cells.")
@click.option("--cell", "names", multiple=True, help="Only this cell; may be given several times.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides everything that is left to chance.")
@click.option("--list", "only_list", is_flag=True, help="Name the cells and what they do.")
def chaos(quick: bool, names: tuple[str, ...], seed: int, only_list: bool) -> None:
    """Break things while many sessions run, and judge by what Discord accepted."""
    from questbell.sandbox.chaos.main import main as run_chaos

    run_chaos(quick=quick, names=names, seed=seed, only_list=only_list)
