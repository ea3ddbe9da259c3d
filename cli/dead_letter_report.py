"""What the `dead-letters` commands answer, and how it is drawn for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rich.console import Group, RenderableType

from cli.dead_letter_queues import DeadLetterQueue
from cli.output import cells, harmless, styled, table
from cli.words import moment
from shared.models import ParkedMessage

_REASON_SHOWN = 100


@dataclass(frozen=True)
class Parked:
    """A parked message as it is shown."""

    id: UUID
    queue: str
    routing_key: str
    message_id: str | None
    reason: str
    parked_at: datetime
    resolution: str | None
    resolved_at: datetime | None
    size: int

    @classmethod
    def of(cls, row: ParkedMessage) -> Parked:
        """Return a row without its content."""
        return cls(
            id=row.id,
            queue=row.queue,
            routing_key=row.routing_key,
            message_id=row.message_id,
            reason=row.reason,
            parked_at=row.parked_at,
            resolution=row.resolution,
            resolved_at=row.resolved_at,
            size=len(row.body),
        )


@dataclass(frozen=True)
class Overview:
    """What `list` found."""

    queues: list[DeadLetterQueue]
    parked: list[Parked]


@dataclass(frozen=True)
class Content:
    """What `show` found. Bytes of the body that are no UTF-8 are written as \\x escapes."""

    message: Parked
    headers: dict[str, Any]
    body: str


@dataclass(frozen=True)
class Resolved:
    """What became of one message; `error` says why nothing did."""

    id: str
    done: bool
    error: str | None = None


def draw_overview(overview: Overview) -> RenderableType:
    """Return the queues, each with its first messages below it, and the parked messages."""
    queues = table("queue", "depth", "message id", "event", "attempt", "died of", title="Dead-letter queues")
    for queue in overview.queues:
        queues.add_row(*cells(queue.name, "no such queue" if queue.depth is None else queue.depth))
        for letter in queue.first:
            event = letter.event_type or f"unreadable, {letter.size} bytes"
            queues.add_row(*cells(None, None, letter.message_id, event, letter.attempt, letter.died_of))
    if not overview.parked:
        return Group(queues, styled("\nNo parked messages."))
    waiting = table("id", "parked (UTC)", "queue", "reason", "resolved", title="Parked messages")
    for message in overview.parked:
        resolved = f"{message.resolution} {moment(message.resolved_at)}" if message.resolved_at else None
        reason = harmless(message.reason, limit=_REASON_SHOWN)
        waiting.add_row(*cells(message.id, moment(message.parked_at), message.queue, reason, resolved))
    return Group(queues, styled(""), waiting)


def draw_content(content: Content) -> RenderableType:
    """Return a parked message: its facts, its headers, its body."""
    facts = table("", "")
    facts.show_header = False
    message = content.message
    for name, value in vars(message).items():
        facts.add_row(*cells(name.replace("_", " "), moment(value) if isinstance(value, datetime) else value))
    for name, value in content.headers.items():
        facts.add_row(*cells(f"header {name}", value))
    return Group(facts, styled(""), styled(content.body))


def draw_results(results: list[Resolved], what: str) -> RenderableType:
    """Return what became of each message; `what` says what was wanted."""
    if not results:
        return styled(f"There is nothing to be {what}: no message is parked.")
    drawn = table("id", "")
    for result in results:
        drawn.add_row(*cells(result.id, what if result.done else result.error))
    return drawn
