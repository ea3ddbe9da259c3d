"""Records the results of attempts in the last transaction of a delivery.

A crash before it leaves rows in `sending`, which is true because the result is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery import ledger
from bot.delivery.ledger import Lease
from shared import users
from shared.models import DeliveryState
from shared.schedule.settle import settle_attempted
from shared.schedule.warnings import warn_hosts
from shared.series.pausing import pause_without_channel


@dataclass(frozen=True)
class Sent:
    """Discord accepted the message, or it was found."""

    notification_id: UUID
    delivery_id: UUID
    message_id: int


@dataclass(frozen=True)
class NotSent:
    """There is no known message."""

    notification_id: UUID
    lease: Lease
    state: DeliveryState
    """`failed` if rejected for good, `pending` if certainly not sent, `sending` if it may have been."""
    error: str
    warning: str = ""
    """The warning to the host, if any."""
    is_channel_deleted: bool = False
    """Whether the game's channel is gone for good."""


@dataclass(frozen=True)
class FallbackToChannel:
    """A player who cannot be sent direct messages, and is notified in the channel."""

    notification_id: UUID
    lease: Lease
    error: str
    user_id: int
    channel_id: int
    has_closed_dms: bool
    """Whether the player accepts none, so that no more are tried."""


@dataclass(frozen=True)
class Reconciled:
    """A search result, `pending` if the message was certainly not sent and `unknown` if inconclusive."""

    notification_id: UUID
    delivery_id: UUID
    state: DeliveryState
    warning: str = ""
    """The warning to the host, if any."""


AttemptResult = Sent | NotSent | FallbackToChannel | Reconciled


async def record(session: AsyncSession, results: Sequence[AttemptResult], *, wait: bool = False) -> list[None]:
    """Record results, and settle notifications without unfinished recipients.

    It locks no game, so it ignores `wait`.
    """
    notifications = {result.notification_id for result in results}
    troubles = [it for it in results if isinstance(it, NotSent | Reconciled) and it.warning]
    # First, because a new row needs its game's lock, and then the locks of series.
    await warn_hosts(session, [(it.notification_id, it.warning) for it in troubles])
    deleted = {it.notification_id for it in results if isinstance(it, NotSent) and it.is_channel_deleted}
    await pause_without_channel(session, deleted)
    await ledger.lock_notifications(session, notifications)
    await ledger.mark_sent(session, {it.delivery_id: it.message_id for it in results if isinstance(it, Sent)})
    unsent = [(it.lease, it.state, it.error) for it in results if isinstance(it, NotSent)]
    await ledger.record_unsent(session, unsent)
    for result in results:
        if isinstance(result, FallbackToChannel):
            await _fall_back(session, result)
    await ledger.resolve_uncertain(session, {it.delivery_id: it.state for it in results if isinstance(it, Reconciled)})
    await settle_attempted(session, notifications)
    return [None] * len(results)


async def _fall_back(session: AsyncSession, result: FallbackToChannel) -> None:
    if result.has_closed_dms:
        await users.mark_dms_closed(session, result.user_id)
    await ledger.fall_back_to_channel(
        session,
        result.lease,
        notification_id=result.notification_id,
        user_id=result.user_id,
        channel_id=result.channel_id,
        error=result.error,
    )
