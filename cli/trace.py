"""`questbell trace ID`: the whole story of one notification, transition or game, from the rows and the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding

from cli.found import find
from cli.output import cells, show, styled, table
from cli.session import database_sessions, log_to_standard_error
from cli.story import Recipient, RowStory, Story, story
from cli.words import counted, distance, moment, signed
from shared import database, process
from shared.settings import Timing, load


def trace(asked: str, *, as_json: bool = False) -> None:
    """Tell what an id is about: a game, a row, a ledger row, a Discord message or a nonce."""
    process.run(_trace(asked, as_json=as_json))


async def _trace(asked: str, *, as_json: bool) -> None:
    log_to_standard_error()
    timing = load(Timing)
    async with database_sessions() as sessions, database.transaction(sessions) as session:
        found = await find(session, asked)
    show(story(found, timing=timing), draw, as_json=as_json)


def draw(told: Story) -> RenderableType:
    """Return a story as people read it: the game, then each row with its timeline."""
    game = told.game
    starts = f"{moment(game.scheduled_at)} UTC ({distance((game.scheduled_at - told.now).total_seconds())})"
    post = f", announcement {game.message_id}" if game.message_id else ", no announcement yet"
    return Group(
        styled(f"{game.title}", "bold"),
        styled(f"game {game.id}: {game.status}, version {game.version}, starts {starts}"),
        styled(f"guild {game.guild_id}, channel {game.channel_id}{post}"),
        styled(""),
        *(_draw_row(row, told.now) for row in told.rows),
        styled("" if told.rows else "It has no rows."),
    )


def _draw_row(row: RowStory, now: datetime) -> RenderableType:
    timeline = table("time (UTC)", "from due", "")
    for happened in row.timeline:
        timeline.add_row(*cells(moment(happened.at), signed(happened.from_due), happened.what))
    recipients = [line for recipient in row.recipients for line in _recipient_lines(recipient)]
    return Group(
        styled(f"{row.what}: {row.means.state}", "bold"),
        styled(f"{row.table} {row.id}, {counted(row.attempts, 'attempt')}"),
        Padding(timeline, (0, 0, 0, 2)),
        *(styled(f"  {line}") for line in (*recipients, *_words(row, now))),
        styled(""),
    )


def _recipient_lines(recipient: Recipient) -> Iterator[str]:
    message = f", message {recipient.message_id}" if recipient.message_id else ""
    lease = f", lease until {moment(recipient.lease_until)}" if recipient.lease_until else ""
    yield (
        f"{recipient.kind} {recipient.recipient_id}, mentioning {counted(len(recipient.mentions), 'player')}: "
        f"{recipient.state}, {counted(recipient.attempts, 'attempt')}{message}{lease}"
    )
    yield f"  ledger {recipient.ledger_id}, nonce {recipient.nonce}"
    error = f" Last error: {recipient.last_error}" if recipient.last_error else ""
    yield f"  {recipient.means}{error}"


def _words(row: RowStory, now: datetime) -> Iterator[str]:
    yield row.means.words
    if row.outcome_detail:
        yield f"Reason: {row.outcome_detail}"
    if row.means.next is not None and row.means.next_at is not None:
        yield f"It {row.means.next}: {_when(row.means.next_at, now)}"
    if row.expires_at is not None:
        yield f"It expires: {_when(row.expires_at, now)}"
    for copy in row.parked_copies:
        yield f"A copy was unreadable and is parked: questbell dead-letters show {copy}"


def _when(at: datetime, now: datetime) -> str:
    return f"at {moment(at)} UTC ({distance((at - now).total_seconds())})"
