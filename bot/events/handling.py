"""What surrounds every event: its row ends with an outcome, or says when it is tried again.

An event's own code raises typed errors and records nothing about retries. A permanent error settles the row, and
the message is ACKed; anything else sets the row's next attempt and is raised, so that the consumer NACKs.
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
from shared.messaging.envelope import AnyEvent, StatusTransitionDue
from shared.models import GameStatusSchedule, NotificationSchedule, Outcome
from shared.schedule.retry import Backoff, retry
from shared.schedule.settle import (
    DETAIL_LIMIT,
    SettledRow,
    Settlement,
    Table,
    log_settled,
    record_failure,
    settle,
    try_again,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Handling:
    """The handler of a consumer: finds the event's code and sees to its row."""

    sessions: Sessions
    backoff: Backoff
    handlers: Mapping[type[AnyEvent], Callable[[AnyEvent], Awaitable[None]]]
    log: logs.Logger = field(default_factory=lambda: logs.get(component="events"))

    async def __call__(self, event: AnyEvent) -> None:
        """Handle one event to the end.

        Raises:
            TransientError: it failed and is tried again when its row says.
        """
        try:
            await self.handlers[type(event)](event)
        except DeliveryDeferredError as error:
            await self._hold(event, error)
        except PermanentError as error:
            await self._settle(event, error)
        except (
            Exception
        ) as error:  # reason: whatever failed, its row must say when it is tried again; then it is raised
            await self._record(event, error)
            raise

    async def _hold(self, event: AnyEvent, error: DeliveryDeferredError) -> None:
        async def write(session: AsyncSession) -> None:
            await try_again(session, table_of(event), event.row_id, seconds=error.retry_after or 0.0)

        await self._written(event, write)

    async def _settle(self, event: AnyEvent, error: PermanentError) -> None:
        async def write(session: AsyncSession) -> list[SettledRow]:
            table, detail = table_of(event), str(error)[:DETAIL_LIMIT]
            return await settle(session, table, {event.row_id: Settlement(Outcome.UNDELIVERABLE, detail)})

        for row in await self._written(event, write):
            log_settled(row, level=logging.WARNING)

    async def _record(self, event: AnyEvent, error: Exception) -> None:
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        said = str(error) if isinstance(error, QuestbellError) else f"{type(error).__name__}: {error}"

        async def write(session: AsyncSession) -> None:
            await record_failure(
                session, table_of(event), event.row_id, backoff=self.backoff, error=said, retry_after=retry_after
            )

        await self._written(event, write)

    async def _written(self, event: AnyEvent, write: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Write down what became of a message, waiting for the database if it is away: an outage must not reject what
        it cannot write down, so the consumer holds its messages until then."""

        async def written() -> T:
            async with database.transaction(self.sessions) as session:
                return await write(session)

        def unwritten(why: TransientError) -> None:
            self.log.warning(
                "Failure not recorded yet",
                action="failure_unrecorded",
                notification_id=str(event.row_id),
                error=str(why),
            )

        return await retry(written, backoff=self.backoff, on_failure=unwritten)


def table_of(event: AnyEvent) -> Table:
    """Return the table of an event's row."""
    return GameStatusSchedule if isinstance(event, StatusTransitionDue) else NotificationSchedule
