"""`questbell dead-letters`: what could not be handled, and what a person does about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from cli import parked
from cli.dead_letter_queues import dead_letter_queues, look
from cli.dead_letter_report import (
    Content,
    Overview,
    Parked,
    Resolved,
    draw_content,
    draw_overview,
    draw_results,
)
from cli.output import show
from cli.session import database_sessions, log_to_standard_error, uuid_of
from cli.words import counted
from shared import database, process
from shared.database import Sessions
from shared.errors import QuestbellError, TransientError
from shared.models import ParkedMessage, Resolution
from shared.settings import BrokerSettings, Timing, load


def show_all(*, queue: str | None = None, resolved_too: bool = False, peek: int = 5, as_json: bool = False) -> None:
    """Show the dead-letter queues, each with its first `peek` messages, and the parked messages."""
    process.run(_show_all(queue=queue, resolved_too=resolved_too, peek=peek, as_json=as_json))


def show_one(message_id: str, *, as_json: bool = False) -> None:
    """Show a parked message with its headers and body."""
    process.run(_show_one(message_id, as_json=as_json))


def retry(ids: Sequence[str], *, everything: bool = False, queue: str | None = None, as_json: bool = False) -> None:
    """Publish parked messages again: those named, or all open ones, of one queue if it is named."""
    process.run(_retry(ids, everything=everything, queue=queue, as_json=as_json))


def discard(ids: Sequence[str], *, everything: bool = False, queue: str | None = None, as_json: bool = False) -> None:
    """Mark parked messages as not wanted any more. They are kept, and never published."""
    process.run(_discard(ids, everything=everything, queue=queue, as_json=as_json))


async def _show_all(*, queue: str | None, resolved_too: bool, peek: int, as_json: bool) -> None:
    log_to_standard_error()
    names = dead_letter_queues(queue)
    statement = parked.parked_messages(queues=names, resolved_too=resolved_too)
    async with database_sessions() as sessions, database.transaction(sessions) as session:
        rows = (await session.execute(statement)).scalars().all()
    queues = await look(load(BrokerSettings), names, peek=peek)
    show(Overview(queues, [Parked.of(row) for row in rows]), draw_overview, as_json=as_json)


async def _show_one(message_id: str, *, as_json: bool) -> None:
    log_to_standard_error()
    async with database_sessions() as sessions, database.transaction(sessions) as session:
        row = await parked.find(session, uuid_of(message_id))
    body = row.body.decode(errors="backslashreplace")
    show(Content(Parked.of(row), row.headers, body), draw_content, as_json=as_json)


async def _retry(ids: Sequence[str], *, everything: bool, queue: str | None, as_json: bool) -> None:
    log_to_standard_error()
    timing = load(Timing)
    async with database_sessions() as sessions, parked.event_exchange(load(BrokerSettings)) as exchange:

        async def again(parked_id: UUID) -> None:
            async with database.transaction(sessions) as session:
                message = await parked.resolve(session, parked_id, Resolution.RETRIED)
                await parked.publish_again(exchange, message, timing=timing)

        chosen = await _chosen(sessions, ids, everything=everything, queue=queue)
        results = await _each(chosen, again)
    _conclude(results, "retried", as_json=as_json)


async def _discard(ids: Sequence[str], *, everything: bool, queue: str | None, as_json: bool) -> None:
    log_to_standard_error()
    async with database_sessions() as sessions:

        async def away(parked_id: UUID) -> None:
            async with database.transaction(sessions) as session:
                await parked.resolve(session, parked_id, Resolution.DISCARDED)

        chosen = await _chosen(sessions, ids, everything=everything, queue=queue)
        results = await _each(chosen, away)
    _conclude(results, "discarded", as_json=as_json)


async def _chosen(sessions: Sessions, ids: Sequence[str], *, everything: bool, queue: str | None) -> list[str]:
    if bool(ids) == everything:
        raise QuestbellError("name the messages, or say --all")
    if not everything:
        if queue is not None:
            raise QuestbellError("--queue goes with --all, not with ids")
        return list(dict.fromkeys(ids))
    statement = parked.parked_messages(queues=dead_letter_queues(queue), resolved_too=False)
    async with database.transaction(sessions) as session:
        return [str(row_id) for row_id in await session.scalars(statement.with_only_columns(ParkedMessage.id))]


async def _each(ids: Sequence[str], deal_with: Callable[[UUID], Awaitable[None]]) -> list[Resolved]:
    """Deal with each message by itself; when a server is gone or a queue is full, the rest is not tried."""
    results: list[Resolved] = []
    for text in ids:
        try:
            await deal_with(uuid_of(text))
        except TransientError as error:
            results += [Resolved(left, done=False, error=str(error)) for left in ids[len(results) :]]
            break
        except QuestbellError as error:
            results.append(Resolved(text, done=False, error=str(error)))
        else:
            results.append(Resolved(text, done=True))
    return results


def _conclude(results: list[Resolved], what: str, *, as_json: bool) -> None:
    show(results, lambda found: draw_results(found, what), as_json=as_json)
    failed = sum(not result.done for result in results)
    if failed:
        raise QuestbellError(f"{failed} of {counted(len(results), 'message')} could not be {what}")
