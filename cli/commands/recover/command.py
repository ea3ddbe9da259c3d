"""After a restore, finds out what was sent since the backup.

The channel of each open row that is due is searched. A reminder or cancellation that is found is settled `delivered`,
and a found announcement is kept. Other rows stay open. If the channel cannot be read, the row is settled
`undeliverable`, because sending twice would be worse.

Stop controllers and bot first. Running it again is safe. Known limits:

- Changes since the backup are lost. A moved game gets its reminders at the old time.
- A message that somebody deleted counts as not sent.
- A reminder in several messages counts as sent if one of them is found.
- A finished game's announcement has no buttons, is not recognized, and is posted again.
- Games with the same title, start and channel cannot be distinguished while their announcements are unknown.
- Parked messages and status changes are not searched, because repeating them does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import RenderableType

from cli.commands.connections import APPLICATION_NAME, log_to_stderr, open_sessions
from cli.commands.output import cells, safe_text, show, table
from cli.commands.recover.plan import (
    BATCH,
    Action,
    Step,
    apply_plan,
    list_connected_workloads,
    load_uncertain_rows,
    make_plan,
)
from shared import database, process
from shared.discord.client import DiscordClient
from shared.errors import QuestbellError
from shared.formatting import format_utc, join_words, plural
from shared.settings import DiscordSettings, Timing, load


@dataclass(frozen=True)
class RecoveryReport:
    """The plan, whether it was applied, and workloads still connected to the database."""

    since: datetime
    now: datetime
    applied: bool
    connected: list[str]
    steps: list[Step]


def recover(since: str, *, yes: bool = False, as_json: bool = False) -> None:
    """Find out what was sent since `since`, in ISO 8601 with a time zone. Write only with `yes`."""
    process.run(_recover(since, yes=yes, as_json=as_json))


async def _recover(since_text: str, *, yes: bool, as_json: bool) -> None:
    log_to_stderr()
    since, timing, discord = parse_since(since_text), load(Timing), load(DiscordSettings)
    async with open_sessions() as sessions:
        async with database.transaction(sessions) as session:
            now = await database.now(session)
            connected = await list_connected_workloads(session, own_name=APPLICATION_NAME)
            rows = await load_uncertain_rows(session)
        _assert_possible(since, now, connected, yes=yes)
        async with DiscordClient.connected(discord, timing) as client:
            steps = await make_plan(client, rows, since=since)
        for start in range(0, len(steps) if yes else 0, BATCH):
            async with database.transaction(sessions) as session:
                await apply_plan(session, steps[start : start + BATCH])
    show(RecoveryReport(since, now, yes, connected, steps), _render, as_json=as_json)


def parse_since(text: str) -> datetime:
    """Return the time that a user entered.

    Raises:
        QuestbellError: it is not a time, or has no time zone.
    """
    example = "write it like 2030-05-01T18:00:00Z"
    try:
        since = datetime.fromisoformat(text)
    except ValueError as error:
        raise QuestbellError(f"--since {text!r} is not a time; {example}") from error
    if since.tzinfo is None:
        raise QuestbellError(f"--since {text!r} has no time zone; {example}")
    return since.astimezone(UTC)


def _assert_possible(since: datetime, now: datetime, connected: list[str], *, yes: bool) -> None:
    if since > now:
        raise QuestbellError(f"--since is in the future; the database's clock says {format_utc(now)} UTC")
    if yes and connected:
        names = join_words(connected)
        raise QuestbellError(f"still connected to the database: {names}; stop the controllers and the bot first")


def _render(report: RecoveryReport) -> Iterator[RenderableType]:
    if report.steps:
        title = "Notifications that may have been sent since the backup"
        steps = table("due (UTC)", "kind", "title", "channel", "action", "reason", title=title)
        for step in report.steps:
            action = step.action.replace("_", " ")
            steps.add_row(*cells(format_utc(step.due_at), step.kind, step.title, step.channel_id, action, step.reason))
        yield steps
    changes = sum(step.action is not Action.LEAVE_OPEN for step in report.steps)
    if not changes:
        result = "Nothing to change."
    elif report.applied:
        result = f"{plural(changes, 'change')} applied."
    else:
        result = f"{plural(changes, 'change')} planned. Run again with --yes to apply."
    yield safe_text(f"{plural(len(report.steps), 'notification')} may have been sent since the backup. {result}")
    if report.connected:
        yield safe_text(f"Still connected: {join_words(report.connected)}. Stop them before you use --yes.")
