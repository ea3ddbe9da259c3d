"""Lists, shows, retries and discards messages that could not be processed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rich.console import RenderableType

from cli.commands.connections import log_to_stderr, open_sessions, parse_id
from cli.commands.dead_letters.parked import (
    ParkedSummary,
    get_parked,
    list_parked,
    open_exchange,
    publish_again,
    resolve,
)
from cli.commands.dead_letters.queues import DeadLetterQueue, peek, select_queues
from cli.commands.output import cells, escape_controls, safe_text, show, table
from shared import database, process
from shared.database import Sessions
from shared.errors import QuestbellError, TransientError
from shared.formatting import format_utc, plural
from shared.models import Resolution
from shared.settings import BrokerSettings, Timing, load

_REASON_LIMIT = 100


@dataclass(frozen=True)
class DeadLetterReport:
    """The output of `list`."""

    queues: list[DeadLetterQueue]
    parked: list[ParkedSummary]


@dataclass(frozen=True)
class ParkedDetails:
    """The output of `show`. Bytes that are not UTF-8 are escaped."""

    message: ParkedSummary
    headers: dict[str, Any]
    body: str


@dataclass(frozen=True)
class ActionResult:
    """Whether one message was retried or discarded, or the error."""

    id: str
    done: bool
    error: str | None = None


def list_all(
    *, queue: str | None = None, include_resolved: bool = False, limit: int = 5, as_json: bool = False
) -> None:
    """Show dead-letter queues and parked messages."""
    process.run(_list_all(queue=queue, include_resolved=include_resolved, limit=limit, as_json=as_json))


def show_one(message_id: str, *, as_json: bool = False) -> None:
    """Show a parked message with its headers and body."""
    process.run(_show_one(message_id, as_json=as_json))


def retry(ids: Sequence[str], *, all_open: bool = False, queue: str | None = None, as_json: bool = False) -> None:
    """Publish the named parked messages again, or all open ones."""
    process.run(_retry(ids, all_open=all_open, queue=queue, as_json=as_json))


def discard(ids: Sequence[str], *, all_open: bool = False, queue: str | None = None, as_json: bool = False) -> None:
    """Discard parked messages. They are kept but never published."""
    process.run(_discard(ids, all_open=all_open, queue=queue, as_json=as_json))


async def _list_all(*, queue: str | None, include_resolved: bool, limit: int, as_json: bool) -> None:
    log_to_stderr()
    names = select_queues(queue)
    async with open_sessions() as sessions, database.transaction(sessions) as session:
        parked = await list_parked(session, names, include_resolved=include_resolved)
    queues = await peek(load(BrokerSettings), names, limit=limit)
    show(DeadLetterReport(queues, [ParkedSummary.of(message) for message in parked]), _render_list, as_json=as_json)


async def _show_one(message_id: str, *, as_json: bool) -> None:
    log_to_stderr()
    async with open_sessions() as sessions, database.transaction(sessions) as session:
        message = await get_parked(session, parse_id(message_id))
    body = message.body.decode(errors="backslashreplace")
    show(ParkedDetails(ParkedSummary.of(message), message.headers, body), _render_details, as_json=as_json)


async def _retry(ids: Sequence[str], *, all_open: bool, queue: str | None, as_json: bool) -> None:
    log_to_stderr()
    _check_arguments(ids, all_open=all_open, queue=queue)
    timing = load(Timing)
    async with open_sessions() as sessions, open_exchange(load(BrokerSettings)) as exchange:

        async def retry_one(parked_id: UUID) -> None:
            async with database.transaction(sessions) as session:
                message = await resolve(session, parked_id, Resolution.RETRIED)
                await publish_again(exchange, message, timing=timing)

        selected = await _select(sessions, ids, queue=queue)
        results = await _apply(selected, retry_one)
    _report(results, Resolution.RETRIED, as_json=as_json)


async def _discard(ids: Sequence[str], *, all_open: bool, queue: str | None, as_json: bool) -> None:
    log_to_stderr()
    _check_arguments(ids, all_open=all_open, queue=queue)
    async with open_sessions() as sessions:

        async def discard_one(parked_id: UUID) -> None:
            async with database.transaction(sessions) as session:
                await resolve(session, parked_id, Resolution.DISCARDED)

        selected = await _select(sessions, ids, queue=queue)
        results = await _apply(selected, discard_one)
    _report(results, Resolution.DISCARDED, as_json=as_json)


def _check_arguments(ids: Sequence[str], *, all_open: bool, queue: str | None) -> None:
    if bool(ids) == all_open:
        raise QuestbellError("give either the ids of messages or --all")
    if queue is not None and not all_open:
        raise QuestbellError("--queue needs --all; it cannot be combined with ids")
    select_queues(queue)


async def _select(sessions: Sessions, ids: Sequence[str], *, queue: str | None) -> list[str]:
    if ids:
        return list(dict.fromkeys(ids))
    async with database.transaction(sessions) as session:
        return [str(message.id) for message in await list_parked(session, select_queues(queue))]


async def _apply(ids: Sequence[str], action: Callable[[UUID], Awaitable[None]]) -> list[ActionResult]:
    """Handle messages one by one, until a server is unavailable or a queue is full."""
    results: list[ActionResult] = []
    for text in ids:
        try:
            await action(parse_id(text))
        except TransientError as error:
            results += [ActionResult(left, done=False, error=str(error)) for left in ids[len(results) :]]
            break
        except QuestbellError as error:
            results.append(ActionResult(text, done=False, error=str(error)))
        else:
            results.append(ActionResult(text, done=True))
    return results


def _report(results: list[ActionResult], resolution: Resolution, *, as_json: bool) -> None:
    show(results, lambda found: _render_results(found, resolution), as_json=as_json)
    failed = sum(not result.done for result in results)
    if failed:
        raise QuestbellError(f"{failed} of {plural(len(results), 'message')} could not be {resolution}")


def _render_list(report: DeadLetterReport) -> Iterator[RenderableType]:
    queues = table("queue", "messages", "message id", "event", "attempt", "reason", title="Dead-letter queues")
    for queue in report.queues:
        queues.add_row(*cells(queue.name, "missing" if queue.depth is None else queue.depth))
        for message in queue.messages:
            event = message.event_type or f"unreadable, {message.size} bytes"
            queues.add_row(*cells(None, None, message.message_id, event, message.attempt, message.death_reason))
    yield queues
    yield safe_text("")
    if not report.parked:
        yield safe_text("No parked messages.")
        return
    parked = table("id", "parked (UTC)", "queue", "reason", "resolution", title="Parked messages")
    for summary in report.parked:
        resolution = f"{summary.resolution} {format_utc(summary.resolved_at)}" if summary.resolved_at else "open"
        reason = escape_controls(summary.reason, limit=_REASON_LIMIT)
        parked.add_row(*cells(summary.id, format_utc(summary.parked_at), summary.queue, reason, resolution))
    yield parked


def _render_details(details: ParkedDetails) -> Iterator[RenderableType]:
    facts = table("", "")
    facts.show_header = False
    for name, value in vars(details.message).items():
        facts.add_row(*cells(name.replace("_", " "), format_utc(value) if isinstance(value, datetime) else value))
    for name, value in details.headers.items():
        facts.add_row(*cells(f"header {name}", value))
    yield facts
    yield safe_text("")
    yield safe_text(details.body)


def _render_results(results: list[ActionResult], resolution: Resolution) -> Iterator[RenderableType]:
    if not results:
        yield safe_text("No open parked messages.")
        return
    outcomes = table("id", "result")
    for result in results:
        outcomes.add_row(*cells(result.id, resolution if result.done else result.error))
    yield outcomes
