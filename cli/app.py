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
    from controllers.main import main as run_controllers

    run_controllers()


@main.command()
def bot() -> None:
    """Run the Discord bot."""
    from bot.main import main as run_bot

    run_bot()


@main.command()
def migrate() -> None:
    """Bring the database schema to this release's, waiting for the database if need be."""
    from migrations.main import main as run_migrations

    run_migrations()


@main.command("sandbox-discord")
@click.option("--seed-demo", is_flag=True, help="Create the demo's games and let players join them.")
def sandbox_discord(seed_demo: bool) -> None:
    """Run the sandbox Discord for trying the bot without a token."""
    from sandbox.discord.main import main as run_discord

    run_discord(seed_demo=seed_demo)


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
    from cli.dead_letters import show_all

    show_all(queue=queue, resolved_too=resolved_too, peek=peek, as_json=as_json)


@dead_letters.command("show")
@click.argument("message_id", metavar="ID")
@AS_JSON
def show_dead_letter(message_id: str, as_json: bool) -> None:
    """Show a parked message with its headers and body."""
    from cli.dead_letters import show_one

    show_one(message_id, as_json=as_json)


@dead_letters.command("retry")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open messages.")
@QUEUE
@AS_JSON
def retry_dead_letters(ids: tuple[str, ...], everything: bool, queue: str | None, as_json: bool) -> None:
    """Publish parked messages again."""
    from cli.dead_letters import retry

    retry(ids, everything=everything, queue=queue, as_json=as_json)


@dead_letters.command("discard")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All open messages.")
@QUEUE
@AS_JSON
def discard_dead_letters(ids: tuple[str, ...], everything: bool, queue: str | None, as_json: bool) -> None:
    """Give parked messages up; they are kept and never published."""
    from cli.dead_letters import discard

    discard(ids, everything=everything, queue=queue, as_json=as_json)


@main.command()
@click.argument("asked", metavar="ID")
@AS_JSON
def trace(asked: str, as_json: bool) -> None:
    """Tell the story of a game, notification, transition, ledger row, Discord message or nonce."""
    from cli.trace import trace as tell

    tell(asked, as_json=as_json)


@main.command()
@click.option("--for", "workload", type=click.Choice(["controllers", "bot"]), help="Only what this workload needs.")
@AS_JSON
def check(workload: str | None, as_json: bool) -> None:
    """Say whether this configuration can work, and how to mend it."""
    from cli.check import check as run_check
    from migrations.command import head

    run_check(release=head(), workload=workload, as_json=as_json)


@main.command()
@click.option("--since", required=True, metavar="TIME", help="When the backup was made, like 2030-05-01T18:00:00Z.")
@click.option("--yes", is_flag=True, help="Write what was found out, not only print it.")
@AS_JSON
def recover(since: str, yes: bool, as_json: bool) -> None:
    """After a restore from a backup: resolve what may have been told since, before anything is sent."""
    from cli.recover import recover as resolve

    resolve(since, yes=yes, as_json=as_json)
