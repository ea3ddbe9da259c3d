"""`questbell recover --since TIME`: after a restore from a backup, before anything is sent again.

The database has forgotten what was sent between the backup and the disaster. For each open row whose time has come,
its channel is asked. A reminder or cancellation that is found there is settled `delivered`, an announcement is taken
over; what is not found was not told and stays open. Where the channel cannot be read nobody can know, and the row is
settled `undeliverable`, "unknown after a restore": telling twice would be worse, and so would guessing.

Run it with controllers and bot stopped. The plan is printed; it is written only with `--yes`. Running it twice does no
harm. Its limits, which no command can lift:

- What was made or changed since the backup (games, sign-ups, new times, cancellations) is lost with its rows. A
  session that was moved since is told for its old time.
- A message that somebody deleted counts as not told.
- A reminder in several messages counts as told when one of them is found.
- An announcement is recognised by its buttons; one of a session that is over has none, and is posted again.
- A title, a start and a channel that two sessions share, while their announcements are unknown, are told apart by
  nothing.
- Parked messages and status changes need no look: repeating them does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType

from cli.output import cells, show, styled, table
from cli.recovery import Action, Step, doubtful, find_out, running_workloads, write
from cli.session import NAME, database_sessions, log_to_standard_error
from cli.words import counted, moment
from shared import database, process
from shared.discord.client import DiscordClient
from shared.errors import QuestbellError
from shared.settings import DiscordSettings, Timing, load


@dataclass(frozen=True)
class Plan:
    """What is to be done, or was. `running` names the workloads that are connected to the database."""

    since: datetime
    now: datetime
    written: bool
    running: list[str]
    steps: list[Step]


def recover(since: str, *, yes: bool = False, as_json: bool = False) -> None:
    """Resolve what may have been told since the backup of `since` (ISO 8601, with its zone); write only with `yes`."""
    process.run(_recover(since, yes=yes, as_json=as_json))


async def _recover(since: str, *, yes: bool, as_json: bool) -> None:
    log_to_standard_error()
    moment_of_backup, timing, discord = parse_since(since), load(Timing), load(DiscordSettings)
    async with database_sessions() as sessions:
        async with database.transaction(sessions) as session:
            now = await database.now(session)
            running = await running_workloads(session, but=NAME)
            rows = await doubtful(session)
        _assert_possible(moment_of_backup, now, running, yes=yes)
        async with DiscordClient.connected(discord, timing) as client:
            steps = await find_out(client, rows, since=moment_of_backup)
        if yes:
            async with database.transaction(sessions) as session:
                await write(session, steps)
    show(Plan(moment_of_backup, now, yes, running, steps), _draw, as_json=as_json)


def parse_since(text: str) -> datetime:
    """Return the moment that a person wrote.

    Raises:
        QuestbellError: it is no moment, or says no zone.
    """
    wanted = "write it like 2030-05-01T18:00:00Z, with its zone"
    try:
        moment_given = datetime.fromisoformat(text)
    except ValueError as error:
        raise QuestbellError(f"--since {text!r} is no time: {wanted}") from error
    if moment_given.tzinfo is None:
        raise QuestbellError(f"--since {text!r} says no zone: {wanted}")
    return moment_given


def _assert_possible(since: datetime, now: datetime, running: list[str], *, yes: bool) -> None:
    if since > now:
        raise QuestbellError(f"--since lies ahead: the database's clock says {moment(now)} UTC")
    if yes and running:
        raise QuestbellError(f"{', '.join(running)} is connected and could send meanwhile: stop controllers and bot")


def _draw(plan: Plan) -> RenderableType:
    drawn = table("due (UTC)", "kind", "title", "channel", "action", "why", title="After the restore")
    for step in plan.steps:
        drawn.add_row(
            *cells(moment(step.due_at), step.kind, step.title, step.channel_id, step.action.value, step.detail)
        )
    changes = sum(step.action is not Action.LEAVE_OPEN for step in plan.steps)
    done = "were written." if plan.written else "would be written: say --yes to write them."
    summary = f"Of {counted(len(plan.steps), 'row')} that may have been told, {counted(changes, 'change')} {done}"
    warning = f"Connected now: {', '.join(plan.running)}. Stop them before you say --yes." if plan.running else ""
    return Group(*([drawn] if plan.steps else []), styled(summary), *([styled(warning)] if warning else []))
