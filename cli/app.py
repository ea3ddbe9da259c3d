"""The entry point `questbell`. Commands are imported only when they run, so no workload loads another's code."""

from __future__ import annotations

import click

_SENTENCE = 1_000
"""Characters of the longest sentence in the list of commands."""


class Commands(click.Group):
    """Commands whose list shows whole sentences, also in a narrow terminal."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, command.get_short_help_str(_SENTENCE)) for name, command in commands.items() if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=Commands)
@click.version_option(package_name="questbell")
def main() -> None:
    """Schedule games on Discord, with reminders that are never lost and never sent twice."""


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
    """Upgrade the database schema to this release. Waits until the database is available."""
    from migrations.main import main as run_migrations

    run_migrations()


@main.command("sandbox-discord")
@click.option("--seed-demo", is_flag=True, help="Create the demo's games and let players join them.")
def sandbox_discord(seed_demo: bool) -> None:
    """Run the sandbox Discord. Use it to try the bot without a token."""
    from sandbox.discord.main import main as run_discord

    run_discord(seed_demo=seed_demo)


JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
QUEUE_OPTION = click.option("--queue", metavar="NAME", help="Only this queue, for example bot.reminders.")
ALL_OPTION = click.option("--all", "all_open", is_flag=True, help="All open messages.")


@main.command()
@click.option(
    "--for", "workload", type=click.Choice(["controllers", "bot"]), help="Check only what this workload needs."
)
@JSON_OPTION
def check(workload: str | None, as_json: bool) -> None:
    """Check the configuration and suggest fixes. The exit code is 1 if a check fails."""
    from cli.commands.check.command import check as run_check

    run_check(workload=workload, as_json=as_json)


@main.command()
@click.argument("id_text", metavar="ID")
@JSON_OPTION
def trace(id_text: str, as_json: bool) -> None:
    """Show the history of a game or notification.

    ID is the link or id of a Discord message, the id of a game, notification, status change or delivery, or a nonce.
    """
    from cli.commands.trace.command import trace as run_trace

    run_trace(id_text, as_json=as_json)


@main.group("dead-letters", cls=Commands)
def dead_letters() -> None:
    """Handle messages that could not be processed.

    A message that cannot be read is parked in the database until you retry or discard it.
    """


@dead_letters.command("list")
@QUEUE_OPTION
@click.option("--all", "include_resolved", is_flag=True, help="Include messages that were retried or discarded.")
@click.option(
    "--peek", metavar="N", type=click.IntRange(0, 100), default=5, show_default=True, help="Messages to show per queue."
)
@JSON_OPTION
def list_dead_letters(queue: str | None, include_resolved: bool, peek: int, as_json: bool) -> None:
    """Show the dead-letter queues and the parked messages. Nothing is removed."""
    from cli.commands.dead_letters.command import list_all

    list_all(queue=queue, include_resolved=include_resolved, limit=peek, as_json=as_json)


@dead_letters.command("show")
@click.argument("message_id", metavar="ID")
@JSON_OPTION
def show_dead_letter(message_id: str, as_json: bool) -> None:
    """Show a parked message with its headers and body."""
    from cli.commands.dead_letters.command import show_one

    show_one(message_id, as_json=as_json)


@dead_letters.command("retry")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@ALL_OPTION
@QUEUE_OPTION
@JSON_OPTION
def retry_dead_letters(ids: tuple[str, ...], all_open: bool, queue: str | None, as_json: bool) -> None:
    """Publish parked messages again."""
    from cli.commands.dead_letters.command import retry

    retry(ids, all_open=all_open, queue=queue, as_json=as_json)


@dead_letters.command("discard")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@ALL_OPTION
@QUEUE_OPTION
@JSON_OPTION
def discard_dead_letters(ids: tuple[str, ...], all_open: bool, queue: str | None, as_json: bool) -> None:
    """Discard parked messages. They are kept but never published."""
    from cli.commands.dead_letters.command import discard

    discard(ids, all_open=all_open, queue=queue, as_json=as_json)


@main.command()
@click.option(
    "--since", required=True, metavar="TIME", help="When the backup was made, for example 2030-05-01T18:00:00Z."
)
@click.option("--yes", is_flag=True, help="Apply the changes instead of only printing them.")
@JSON_OPTION
def recover(since: str, yes: bool, as_json: bool) -> None:
    """Find out what was sent since a backup.

    Run this after you restored a backup. It searches the Discord channels for reminders and announcements that the
    restored database does not know, so that they are not sent again. Stop the controllers and the bot first.
    """
    from cli.commands.recover.command import recover as run_recover

    run_recover(since, yes=yes, as_json=as_json)
