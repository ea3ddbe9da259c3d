"""Handles every event and gives its row an outcome or the time of its next attempt.

A permanent error settles the row, and the message is ACKed. Any other error sets the next attempt and is raised, so
that the consumer NACKs.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.errors import DeliveryDeferredError
from shared import database, logs
from shared.database import Sessions
from shared.errors import PermanentError, QuestbellError, TransientError
from shared.messaging.envelope import AnyEvent, StatusTransitionDue, check_kind
from shared.models import GameStatusSchedule, NotificationSchedule, Outcome
from shared.schedule.retry import Backoff, retry
from shared.schedule.settle import (
    DETAIL_LIMIT,
    Settlement,
    Table,
    find_kinds,
    log_settled,
    record_failure,
    settle,
    try_again,
)

T = TypeVar("T")


@dataclass(frozen=True)
class EventHandler:
    """Passes each event to the code of its type, and records the result in its row."""

    sessions: Sessions
    backoff: Backoff
    handlers: Mapping[type[AnyEvent], Callable[[AnyEvent], Awaitable[bool]]]
    """Each returns whether there was anything to do."""
    log: logs.Logger = field(default_factory=lambda: logs.get(component="events"))

    async def __call__(self, event: AnyEvent) -> None:
        """Handle one event. Its row decides everything.

        Raises:
            TransientError: it failed and is retried at the time in its row.
            EnvelopeError: it contradicts its row, which stays as it is.
        """
        try:
            has_work = await self.handlers[type(event)](event)
        except DeliveryDeferredError as error:
            await self._defer(event, seconds=error.retry_after or 0.0)
        except PermanentError as error:
            await self._settle(event, detail=str(error)[:DETAIL_LIMIT])
        except Exception as error:
            # The row must say when it is retried, whatever failed.
            await self._record(event, error)
            raise
        else:
            if not has_work:
                await self._explain(event)

    async def _explain(self, event: AnyEvent) -> None:
        """Log why an event changes nothing: its row is settled, not due yet, or only a newer release knows its kind."""
        kinds = await self._write(event, lambda session: find_kinds(session, [event.row_id]))
        kind = kinds.get(event.row_id)
        check_kind(event, kind)
        self.log.info("Dropped", action="dropped", notification_id=str(event.row_id), kind=kind)

    async def _defer(self, event: AnyEvent, *, seconds: float) -> None:
        table = find_table(event)
        await self._write(event, lambda session: try_again(session, table, event.row_id, seconds=seconds))

    async def _settle(self, event: AnyEvent, *, detail: str) -> None:
        settlement = {event.row_id: Settlement(Outcome.UNDELIVERABLE, detail)}
        for row in await self._write(event, lambda session: settle(session, find_table(event), settlement)):
            log_settled(row, level=logging.WARNING)

    async def _record(self, event: AnyEvent, error: Exception) -> None:
        text = str(error) if isinstance(error, QuestbellError) else f"{type(error).__name__}: {error}"
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        await self._write(
            event,
            lambda session: record_failure(
                session, find_table(event), event.row_id, backoff=self.backoff, error=text, retry_after=retry_after
            ),
        )

    async def _write(self, event: AnyEvent, write: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Write to an event's row, waiting while the database is unavailable, so that an outage rejects no messages."""

        async def commit() -> T:
            async with database.transaction(self.sessions) as session:
                return await write(session)

        def log_failure(error: TransientError) -> None:
            self.log.warning(
                "Failure not recorded yet",
                action="failure_unrecorded",
                notification_id=str(event.row_id),
                error=str(error),
            )

        return await retry(commit, backoff=self.backoff, on_failure=log_failure)


def find_table(event: AnyEvent) -> Table:
    """Return the table of an event's row."""
    return GameStatusSchedule if isinstance(event, StatusTransitionDue) else NotificationSchedule
