"""The changes of a delivery by the bot's attempts: pending → sending → sent | failed | unknown.

It returns from sending to pending if Discord certainly did not accept the message. A delivery that need not wait is
created as `sending`. That is committed before the request, so such a row may have reached Discord. Settling, a handover
and `recover` also change rows: docs/states.md lists all changes.

Statements take many rows, because a commit must not cost more than the request.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.notifications import Recipient
from bot.notifications.rows import Delivery
from shared import metrics, sql
from shared.models import DeliveryState, NotificationDelivery, delivery_id
from shared.schedule.settle import DETAIL_LIMIT
from shared.settings import Timing

FINAL = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN)
_SQL = sql.load("delivery")
_DELIVERIES = _SQL["deliveries"].columns(
    recipient_kind=NotificationDelivery.recipient_kind.type, state=NotificationDelivery.state.type
)


@dataclass(frozen=True)
class Lease:
    """The right to send one delivery for a limited time. `attempt` is a fencing token that rises with each lease."""

    delivery_id: UUID
    attempt: int
    is_first: bool
    """Whether no earlier attempt may have been sent."""


@dataclass(frozen=True)
class LeaseConflict:
    """A delivery that is final, leased by another process, or left by a process that died."""

    state: DeliveryState
    seconds: float
    """Time left on the lease, negative after its end."""
    since: datetime | None
    """When the first attempt without a result began."""


async def create_deliveries(
    session: AsyncSession,
    recipients: Mapping[UUID, Sequence[Recipient]],
    timing: Timing,
    *,
    leased: Container[UUID] = (),
) -> tuple[dict[UUID, list[Delivery]], dict[UUID, Lease]]:
    """Create the delivery rows of notifications, and acquire the first lease of each notification in `leased`.

    Return the rows, and the leases.
    """
    deliveries = {id_: [_build_delivery(id_, recipient) for recipient in of_row] for id_, of_row in recipients.items()}
    rows = [row for of_row in deliveries.values() for row in of_row]
    if not rows:
        return deliveries, {}
    wanted = {of_row[0].id for id_, of_row in deliveries.items() if of_row and id_ in leased}
    parameters = {
        "ids": [row.id for row in rows],
        "notification_ids": [row.notification_id for row in rows],
        "recipient_kinds": [row.recipient_kind for row in rows],
        "recipient_ids": [row.recipient_id for row in rows],
        "chunks": [row.chunk for row in rows],
        "mentions": [_format_array(row.mentions) for row in rows],
        "leased": [row.id in wanted for row in rows],
        "lease": timedelta(seconds=timing.lease),
    }
    created = (await session.scalars(_SQL["create_deliveries"], parameters)).all()
    leases = {id_: Lease(id_, attempt=1, is_first=True) for id_ in wanted.intersection(created)}
    if len(created) < len(rows):  # another process created some of them
        deliveries = await read_deliveries(session, deliveries)
    return deliveries, leases


def _build_delivery(notification_id: UUID, recipient: Recipient) -> Delivery:
    return Delivery(
        id=delivery_id(notification_id, recipient.kind, recipient.id, chunk=recipient.chunk),
        notification_id=notification_id,
        recipient_kind=recipient.kind,
        recipient_id=recipient.id,
        chunk=recipient.chunk,
        mentions=recipient.mentions,
    )


def _format_array(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


async def read_deliveries(session: AsyncSession, notifications: Collection[UUID]) -> dict[UUID, list[Delivery]]:
    """Return each notification's deliveries in sending order."""
    deliveries: dict[UUID, list[Delivery]] = {notification: [] for notification in notifications}
    for row in await session.execute(_DELIVERIES, {"notification_ids": list(notifications)}):
        delivery = Delivery._make(row)
        deliveries[delivery.notification_id].append(delivery)
    return deliveries


async def acquire_leases(
    session: AsyncSession, deliveries: Sequence[Delivery], timing: Timing
) -> tuple[dict[UUID, Lease], dict[UUID, LeaseConflict]]:
    """Acquire leases. Final deliveries and those leased elsewhere are conflicts."""
    if not deliveries:
        return {}, {}
    parameters = {
        "ids": [delivery.id for delivery in deliveries],
        "recipient_ids": [delivery.recipient_id for delivery in deliveries],
        "lease": timedelta(seconds=timing.lease),
        "nonce_window": timedelta(seconds=timing.nonce_window),
    }
    acquired = await session.execute(_SQL["acquire_leases"], parameters)
    leases = {row.id: Lease(row.id, row.attempts, row.is_first) for row in acquired}
    if len(leases) == len(deliveries):
        return leases, {}
    others = [delivery.id for delivery in deliveries if delivery.id not in leases]
    return leases, await read_lease_conflicts(session, others)


async def read_lease_conflicts(session: AsyncSession, deliveries: Collection[UUID]) -> dict[UUID, LeaseConflict]:
    """Return the leases of the deliveries that are not pending."""
    if not deliveries:
        return {}
    return {
        row.id: LeaseConflict(DeliveryState(row.state), row.lease_seconds or 0.0, row.first_sending_at)
        for row in await session.execute(_SQL["lease_conflicts"], {"ids": list(deliveries)})
    }


async def write_mentions(session: AsyncSession, mentions: Mapping[UUID, Sequence[int]]) -> None:
    """Record the mentions of messages that were never sent before."""
    if mentions:
        parameters = {"ids": list(mentions), "mentions": [_format_array(users) for users in mentions.values()]}
        await session.execute(_SQL["write_mentions"], parameters)


async def delete_pending(session: AsyncSession, deliveries: Collection[UUID]) -> None:
    """Delete recipients that were never contacted and no longer need the notification."""
    await session.execute(_SQL["delete_pending"], {"ids": list(deliveries)})


async def lock_notifications(session: AsyncSession, notifications: Collection[UUID]) -> None:
    """Lock notifications that may be settled, before their deliveries."""
    if notifications:
        await session.execute(_SQL["lock_notifications"], {"ids": list(notifications)})


async def mark_sent(session: AsyncSession, messages: Mapping[UUID, int]) -> None:
    """Record that messages exist, even if another process has the lease now."""
    if messages:
        parameters = {"ids": list(messages), "message_ids": list(messages.values())}
        _count((await session.scalars(_SQL["mark_sent"], parameters)).all(), DeliveryState.SENT)


async def record_unsent(session: AsyncSession, attempts: Sequence[tuple[Lease, DeliveryState, str]]) -> None:
    """Record attempts without a message, each with its lease, the delivery's next state and the error.

    Such an attempt does not rule out an earlier one. Unless it was the first, the row stays `sending` and only the
    lease is released.
    """
    if not attempts:
        return
    is_unknown = {lease: state is DeliveryState.PENDING and not lease.is_first for lease, state, _ in attempts}
    parameters = {
        "ids": [lease.delivery_id for lease, _, _ in attempts],
        "attempts": [lease.attempt for lease, _, _ in attempts],
        "states": [DeliveryState.SENDING if is_unknown[lease] else state for lease, state, _ in attempts],
        "errors": [error[:DETAIL_LIMIT] for _, _, error in attempts],
    }
    states = (await session.scalars(_SQL["record_unsent"], parameters)).all()
    _count([state for state in states if state == DeliveryState.FAILED], DeliveryState.FAILED)


async def fall_back_to_channel(
    session: AsyncSession, lease: Lease, *, notification_id: UUID, user_id: int, channel_id: int, error: str
) -> None:
    """Notify the user in the channel after a direct message was certainly not sent. The row stays the same, so it is
    sent at most once."""
    parameters = {
        "id": lease.delivery_id,
        "attempt": lease.attempt,
        "notification_id": notification_id,
        "user_id": user_id,
        "channel_id": channel_id,
        "error": error[:DETAIL_LIMIT],
    }
    await session.execute(_SQL["fall_back_to_channel"], parameters)


async def resolve_uncertain(session: AsyncSession, states: Mapping[UUID, DeliveryState]) -> None:
    """Record search results, `pending` if never sent and `unknown` if inconclusive."""
    if states:
        parameters = {"ids": list(states), "states": list(states.values())}
        resolved = (await session.scalars(_SQL["resolve_uncertain"], parameters)).all()
        _count([state for state in resolved if state == DeliveryState.UNKNOWN], DeliveryState.UNKNOWN)


def _count(rows: Collection[object], state: DeliveryState) -> None:
    metrics.DELIVERIES.labels(state).inc(len(rows))
