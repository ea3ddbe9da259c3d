"""The transactions before a request, each for many deliveries.

The first delivery row is created with its lease if the rate limiter has capacity. Other leases are acquired later,
after another check. The lock order is game, schedule row, delivery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery import ledger
from bot.delivery.batch import LOCKED, GameLock
from bot.delivery.eligibility import check
from bot.delivery.ledger import FINAL, Lease, LeaseConflict
from bot.notifications import CONTENT, Message, NotificationContext
from bot.notifications.reminder import list_in_channel
from bot.notifications.rows import Delivery
from bot.rendering.payload import MENTIONS_LIMIT
from shared.models import DeliveryState, NotificationKind, RecipientKind
from shared.schedule.notices import HOST_KINDS
from shared.schedule.settle import settle_attempted
from shared.settings import Timing


@dataclass(frozen=True)
class DeliveryRequest:
    """A notification to deliver."""

    notification_id: UUID
    kinds: Collection[str]
    """The kinds of notification that its message may name."""
    busy_channels: frozenset[int] | None = None
    """Recipients that must wait, or None if all must wait."""


@dataclass(frozen=True)
class PendingRecipient:
    """A recipient without a lease so far."""

    notification_id: UUID
    delivery: Delivery


@dataclass(frozen=True)
class SendAttempt:
    """A committed lease, and the message to send."""

    context: NotificationContext
    delivery: Delivery
    lease: Lease
    message: Message
    deadline: float
    """The latest start of the request, by the event loop's clock."""
    left_out: Sequence[int] = ()
    """New players for whom the message has no room, and who get another."""


@dataclass(frozen=True)
class UncertainAttempt:
    """An attempt without a result that must not be repeated, because Discord may have forgotten its nonce, or because
    the notification is no longer valid."""

    context: NotificationContext
    delivery: Delivery
    since: datetime
    seconds_since_lease: float


@dataclass(frozen=True)
class Deferred:
    """A lease that cannot be acquired for `retry_after` seconds."""

    reason: str
    retry_after: float


Attempt = SendAttempt | UncertainAttempt | Deferred


@dataclass(frozen=True)
class Prepared:
    """A notification's context, None once it is settled, and the work left."""

    context: NotificationContext | None = None
    attempts: Sequence[Attempt | PendingRecipient] = ()


async def prepare(
    session: AsyncSession, requests: Sequence[DeliveryRequest], *, wait: bool = False, timing: Timing
) -> list[Prepared | GameLock]:
    """Create the delivery rows, and acquire each first lease whose request need not wait."""
    deadline = _compute_deadline(timing)
    checked = await check(session, {request.notification_id for request in requests}, wait=wait)
    named = [_find_named(request, checked) for request in requests]
    contexts, leases = await _create_deliveries(session, zip(requests, named, strict=True), timing)
    found = [None if context is None else contexts[context.notification.id] for context in named]
    pending = [_list_pending(context, leases) for context in found]
    complete = [
        context.notification.id
        for context in contexts.values()
        if context.deliveries and not _select_unfinished(context)
    ]
    await settle_attempted(session, complete)
    first = [
        recipients.pop(0) if recipients and _may_send_now(request, recipients[0].delivery.recipient_id) else None
        for request, recipients in zip(requests, pending, strict=True)
    ]
    attempts = await _acquire(session, first, contexts, timing, deadline, leases)
    return [
        LOCKED
        if checked.get(request.notification_id) is LOCKED
        else Prepared(context, [*([attempt] if attempt else []), *recipients])
        for request, context, attempt, recipients in zip(requests, found, attempts, pending, strict=True)
    ]


async def acquire(
    session: AsyncSession, recipients: Sequence[PendingRecipient], *, wait: bool = False, timing: Timing
) -> list[Attempt | GameLock | None]:
    """Acquire leases. The notifications are checked again, because minutes may have passed."""
    deadline = _compute_deadline(timing)
    checked = await check(session, {recipient.notification_id for recipient in recipients}, wait=wait)
    attempts = await _acquire(session, recipients, _select_valid(checked), timing, deadline, {})
    return [
        LOCKED if checked.get(recipient.notification_id) is LOCKED else attempt
        for recipient, attempt in zip(recipients, attempts, strict=True)
    ]


def _compute_deadline(timing: Timing) -> float:
    return asyncio.get_running_loop().time() + timing.lease - timing.request_timeout


def _select_valid(checked: Mapping[UUID, NotificationContext | GameLock]) -> dict[UUID, NotificationContext]:
    return {id_: context for id_, context in checked.items() if isinstance(context, NotificationContext)}


async def _create_deliveries(
    session: AsyncSession, requests: Iterable[tuple[DeliveryRequest, NotificationContext | None]], timing: Timing
) -> tuple[dict[UUID, NotificationContext], dict[UUID, Lease]]:
    """Create the delivery rows that are missing. The first of a notification gets its lease if it need not wait."""
    contexts, recipients, leased = {}, {}, set()
    for request, context in requests:
        if context is None:
            continue
        id_ = context.notification.id
        contexts[id_] = context
        if context.deliveries or context.is_stale or _is_posted(context):
            continue
        if id_ not in recipients:
            recipients[id_] = CONTENT[context.notification.kind].recipients(context)
        if recipients[id_] and _may_send_now(request, recipients[id_][0].id):
            leased.add(id_)
    created, leases = await ledger.create_deliveries(session, recipients, timing, leased=leased)
    for id_, deliveries in created.items():
        contexts[id_] = replace(contexts[id_], deliveries=deliveries)
    return contexts, leases


def _is_posted(context: NotificationContext) -> bool:
    """Return whether it is a posted announcement, which is edited and not sent."""
    return context.notification.kind is NotificationKind.ANNOUNCEMENT and context.game.message_id is not None


def _select_unfinished(context: NotificationContext) -> list[Delivery]:
    return [delivery for delivery in context.deliveries if delivery.state not in FINAL]


def _find_named(
    request: DeliveryRequest, checked: Mapping[UUID, NotificationContext | GameLock]
) -> NotificationContext | None:
    """Return the notification of a request, unless its message claims that it is of another kind."""
    context = checked.get(request.notification_id)
    return context if isinstance(context, NotificationContext) and context.notification.kind in request.kinds else None


def _list_pending(context: NotificationContext | None, leases: Container[UUID]) -> list[PendingRecipient]:
    """Return the recipients that are left, the one with a lease first."""
    if context is None or _is_posted(context):
        return []
    pending = [
        PendingRecipient(context.notification.id, delivery)
        for delivery in _select_unfinished(context)
        if not context.is_stale or delivery.state is DeliveryState.SENDING
    ]
    return sorted(pending, key=lambda recipient: recipient.delivery.id not in leases)


def _may_send_now(request: DeliveryRequest, recipient_id: int) -> bool:
    return request.busy_channels is not None and recipient_id not in request.busy_channels


async def _acquire(
    session: AsyncSession,
    recipients: Sequence[PendingRecipient | None],
    contexts: Mapping[UUID, NotificationContext],
    timing: Timing,
    deadline: float,
    held: Mapping[UUID, Lease],
) -> list[Attempt | None]:
    """Set the deliveries to `sending`, except those whose leases are held. The messages must be right as of this
    moment."""
    found = [_find_current(recipient, contexts) for recipient in recipients]
    valid = {delivery.id: (delivery, context) for delivery, context in filter(None, found)}
    gone = {
        id_: delivery.notification_id
        for id_, (delivery, context) in valid.items()
        if not context.is_stale and _has_everyone_left(delivery, context)
    }
    withheld = gone.keys() | {id_ for id_, (_, context) in valid.items() if context.is_stale}
    crowded = {delivery.notification_id for delivery, context in valid.values() if _may_leave_out(delivery, context)}
    await ledger.lock_notifications(session, {*gone.values(), *crowded})
    wanted = [delivery for id_, (delivery, _) in valid.items() if id_ not in withheld and id_ not in held]
    acquired, conflicts = await ledger.acquire_leases(session, wanted, timing)
    leases = {**held, **acquired}
    conflicts |= await ledger.read_lease_conflicts(session, withheld)
    if gone:
        await ledger.delete_pending(session, gone.keys())
        await settle_attempted(session, set(gone.values()))
    attempts: list[Attempt | None] = []
    for current in found:
        if current is None:
            attempts.append(None)
            continue
        delivery, context = current
        # A batch may contain the same delivery twice. Only one gets the lease.
        lease = leases.pop(delivery.id, None)
        if lease is not None:
            message = CONTENT[context.notification.kind].message(context, delivery, lease.is_first)
            left_out = context.left_out(delivery, message.mentions) if lease.is_first else ()
            attempts.append(SendAttempt(context, delivery, lease, message, deadline, left_out))
        else:
            attempts.append(_handle_conflict(context, delivery, conflicts.get(delivery.id)))
    await _write_mentions(session, attempts)
    await _create_for_left_out(session, attempts, timing)
    return attempts


def _find_current(
    recipient: PendingRecipient | None, contexts: Mapping[UUID, NotificationContext]
) -> tuple[Delivery, NotificationContext] | None:
    """Return the delivery as it is now, because another attempt may have changed its mentions.

    One that was turned into a delivery in the channel is left to the attempt that turned it.
    """
    if recipient is None or recipient.notification_id not in contexts:
        return None
    context, read = contexts[recipient.notification_id], recipient.delivery
    for delivery in context.deliveries:
        if (delivery.id, delivery.recipient_id) == (read.id, read.recipient_id):
            return delivery, context
    return None


def _has_everyone_left(delivery: Delivery, context: NotificationContext) -> bool:
    """Return whether nobody is left to notify. The channel's first message is always sent, unless it is for a former
    host or for those whom it mentions."""
    if context.notification.kind in HOST_KINDS:
        return context.game.host_id not in (delivery.recipient_id, *delivery.mentions)
    content = CONTENT[context.notification.kind]
    if content.is_private:
        return False
    people = set(context.user_ids)
    if delivery.recipient_kind is RecipientKind.USER:
        return delivery.recipient_id not in people
    is_for_mentioned = delivery.chunk > 0 or (content.is_for_mentioned and bool(delivery.mentions))
    return is_for_mentioned and not (people & set(delivery.mentions) or context.newcomers(delivery))


def _may_leave_out(delivery: Delivery, context: NotificationContext) -> bool:
    """Return whether the message may have no room for all new players."""
    return len(delivery.mentions) + len(context.newcomers(delivery)) > MENTIONS_LIMIT


def _handle_conflict(
    context: NotificationContext, delivery: Delivery, conflict: LeaseConflict | None
) -> Attempt | None:
    if conflict is None or conflict.since is None or conflict.state in FINAL:
        return None
    if conflict.seconds > 0:
        return Deferred("another process is sending", retry_after=max(0.1, conflict.seconds))
    return UncertainAttempt(context, delivery, conflict.since, seconds_since_lease=-conflict.seconds)


async def _write_mentions(session: AsyncSession, attempts: Sequence[Attempt | None]) -> None:
    await ledger.write_mentions(
        session,
        {
            attempt.delivery.id: attempt.message.mentions
            for attempt in attempts
            if isinstance(attempt, SendAttempt)
            and attempt.lease.is_first
            and [*attempt.message.mentions] != [*attempt.delivery.mentions]
        },
    )


async def _create_for_left_out(session: AsyncSession, attempts: Sequence[Attempt | None], timing: Timing) -> None:
    """Create deliveries for the new players for whom the channel's last message has no room.

    Only the attempt with the lease of that message creates them. The notification is locked, so no direct message is
    turned into a delivery in the channel with the same chunk.
    """
    full = {it.context.notification.id: it for it in attempts if isinstance(it, SendAttempt) and it.left_out}
    if not full:
        return
    deliveries = await ledger.read_deliveries(session, full)
    recipients = {}
    for id_, attempt in full.items():
        next_chunk = 1 + max(delivery.chunk for delivery in deliveries[id_])
        recipients[id_] = list_in_channel(attempt.delivery.recipient_id, attempt.left_out, first_chunk=next_chunk)
    await ledger.create_deliveries(session, recipients, timing)
