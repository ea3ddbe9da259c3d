"""What surrounds every event: its row ends with an outcome, or says when it is tried again.

An event's own code raises typed errors and records nothing about retries. A permanent error settles the row, and
the message is ACKed; anything else sets the row's next attempt and is raised, so that the consumer NACKs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from questbell.bot.delivery.refusals import HeldError
from questbell.shared import database, logging, metrics
from questbell.shared.database import Sessions
from questbell.shared.errors import PermanentError, QuestbellError, TransientError
from questbell.shared.messaging.envelope import AnyEvent, StatusTransitionDue
from questbell.shared.models import GameStatusSchedule, NotificationSchedule, Outcome
from questbell.shared.schedule.retry import Backoff, insist
from questbell.shared.schedule.settle import Table, record_failure, settle, source_of, try_again


@dataclass(frozen=True)
class Handling:
    """The handler of a consumer: finds the event's code and sees to its row."""

    sessions: Sessions
    backoff: Backoff
    handlers: Mapping[type[AnyEvent], Callable[[AnyEvent], Awaitable[None]]]
    log: logging.Logger = field(default_factory=lambda: logging.get(component="events"))

    async def __call__(self, event: AnyEvent) -> None:
        """Handle one event to the end.

        Raises:
            TransientError: it failed and is tried again when its row says.
        """
        try:
            await self.handlers[type(event)](event)
        except HeldError as error:
            async with database.transaction(self.sessions) as session:
                await try_again(session, table_of(event), event.row_id, seconds=error.retry_after or 0.0)
        except PermanentError as error:
            await self._settle(event, error)
        except (
            Exception
        ) as error:  # reason: whatever failed, its row must say when it is tried again; then it is raised
            await self._record(event, error)
            raise

    async def _settle(self, event: AnyEvent, error: PermanentError) -> None:
        async with database.transaction(self.sessions) as session:
            await settle(
                session, table_of(event), [event.row_id], outcome=Outcome.UNDELIVERABLE, detail=str(error)[:500]
            )
        metrics.SETTLED.labels(source_of(table_of(event)), Outcome.UNDELIVERABLE).inc()
        self.log.warning(
            "Undeliverable",
            action="settled",
            event_type=event.event_type,
            notification_id=str(event.row_id),
            game_id=str(event.game_id),
            outcome=Outcome.UNDELIVERABLE,
            detail=str(error),
        )

    async def _record(self, event: AnyEvent, error: Exception) -> None:
        """Record a failure, waiting for the database if it is away: an outage must not reject what it cannot write
        down, so the consumer holds its messages until then."""
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        said = str(error) if isinstance(error, QuestbellError) else f"{type(error).__name__}: {error}"

        async def write() -> None:
            async with database.transaction(self.sessions) as session:
                await record_failure(
                    session, table_of(event), event.row_id, backoff=self.backoff, error=said, retry_after=retry_after
                )

        def unwritten(why: TransientError) -> None:
            self.log.warning(
                "Failure not recorded yet",
                action="failure_unrecorded",
                notification_id=str(event.row_id),
                error=str(why),
            )

        await insist(write, backoff=self.backoff, failed=unwritten)


def table_of(event: AnyEvent) -> Table:
    """Return the table of an event's row."""
    return GameStatusSchedule if isinstance(event, StatusTransitionDue) else NotificationSchedule
