"""Sends one notification to its recipients.

Each send checks the notification and commits `sending` in one transaction, makes one HTTP request with a time-out
shorter than the lease, and commits the result. What is sent must be right as of the commit of `sending`. A crash before
it sends nothing. A crash after it leaves a row that the nonce makes safe to send again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from bot.delivery.batch import Batch
from bot.delivery.circuit_breaker import CircuitBreaker
from bot.delivery.direct_messages import DmChannels
from bot.delivery.errors import DeliveryDeferredError, DeliveryRefusedError
from bot.delivery.find_message import Search, find_message
from bot.delivery.leases import (
    Attempt,
    Deferred,
    DeliveryRequest,
    PendingRecipient,
    Prepared,
    SendAttempt,
    UncertainAttempt,
    acquire,
    prepare,
)
from bot.delivery.obstacles import UNKNOWN_RESULT, describe_obstacle, pause_until_lifted
from bot.delivery.rate_limits import RateLimiter, ReservedRequest
from bot.delivery.results import AttemptResult, FallbackToChannel, NotSent, Reconciled, Sent, record
from bot.notifications import CONTENT, NotificationContext
from bot.notifications.rows import Delivery
from shared import logs, metrics
from shared.database import Sessions
from shared.discord.client import PERMISSION_REQUESTS, DiscordClient
from shared.discord.errors import (
    CLOSED_DMS,
    NO_SHARED_SERVER,
    THREAD_ARCHIVED,
    UNKNOWN_CHANNEL,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
)
from shared.errors import TransientError
from shared.models import DeliveryState, RecipientKind
from shared.schedule.retry import Backoff, retry
from shared.settings import Timing

_CLOSED_DMS = (CLOSED_DMS, NO_SHARED_SERVER)
REFUSED_AGAIN = 10.0
"""The fewest seconds until a refused recipient is tried again together with deferred ones."""


class Sender:
    """Sends notifications. Safe for many tasks and processes at once."""

    def __init__(self, sessions: Sessions, client: DiscordClient, limiter: RateLimiter, timing: Timing) -> None:
        self.sessions = sessions
        self.timing = timing
        self._client = client
        self._limiter = limiter
        client.on_limit = limiter.learn
        self._backoff = Backoff.of(timing)
        self._breaker = CircuitBreaker(client.ping, backoff=self._backoff)
        self._dms = DmChannels(sessions, client, limiter, self._breaker)
        self._prepare: Batch[DeliveryRequest, Prepared] = Batch(sessions, partial(prepare, timing=timing))
        self._acquire: Batch[PendingRecipient, Attempt | None] = Batch(sessions, partial(acquire, timing=timing))
        self._record: Batch[AttemptResult, None] = Batch(sessions, record)

    async def send(self, notification_id: UUID, kinds: Collection[str]) -> NotificationContext | None:
        """Send a notification of one of `kinds` to every recipient who has not received it.

        One failure does not affect others. A posted announcement is not sent again. Return the context, or None if
        there is nothing to send.

        Raises:
            DeliveryDeferredError: some recipients must wait for `retry_after` seconds.
            TransientError: sending to some recipients failed.
        """
        await self._breaker.wait_until_closed()
        reserved = self._limiter.try_acquire()
        try:
            busy_channels = None if reserved is None else reserved.busy_channels
            prepared = await self._prepare(DeliveryRequest(notification_id, kinds, busy_channels))
            await self._complete_all(prepared.attempts, reserved)
        finally:
            if reserved is not None:
                reserved.release()
        return prepared.context

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        """Edit a message, in an archived thread too. Reminders take priority. Raises as `DiscordClient`."""
        await self._breaker.wait_until_closed()
        async with self._limiter.admit(channel_id, urgent=False):
            with self._breaker.record(channel_id):
                try:
                    return await self._client.edit_message(channel_id, message_id, payload)
                except RequestRejectedError as error:
                    if error.code != THREAD_ARCHIVED:
                        raise
                with suppress(RequestRejectedError):  # the edit says again what is wrong
                    await self._client.unarchive_thread(channel_id)
                return await self._client.edit_message(channel_id, message_id, payload)

    async def _complete_all(
        self, attempts: Sequence[Attempt | PendingRecipient], reserved: ReservedRequest | None
    ) -> None:
        if len(attempts) == 1:  # most often, and then no task is needed
            await self._complete(attempts[0], reserved)
        else:
            work = (self._complete(attempt, reserved) for attempt in attempts)
            _raise_decisive(await asyncio.gather(*work, return_exceptions=True))

    async def _complete(self, attempt: Attempt | PendingRecipient, reserved: ReservedRequest | None) -> None:
        match attempt:
            case PendingRecipient():
                async with self._limiter.admit(attempt.delivery.recipient_id):
                    acquired = await self._acquire(attempt)
                    if isinstance(acquired, SendAttempt):
                        await self._send(acquired)
                    elif acquired is not None:
                        await self._handle_conflict(acquired)
            case SendAttempt():
                await self._send(attempt, reserved)
            case _:
                await self._handle_conflict(attempt)

    async def _handle_conflict(self, attempt: UncertainAttempt | Deferred) -> None:
        if isinstance(attempt, Deferred):
            raise DeliveryDeferredError(attempt.reason, retry_after=attempt.retry_after)
        await self._reconcile(attempt)

    async def _send(self, attempt: SendAttempt, reserved: ReservedRequest | None = None) -> None:
        """Make the request and record its result. With `reserved`, it is not admitted yet.

        Raises:
            DeliveryDeferredError: nothing failed, but new players need another message.
            TransientError: it failed, or must wait.
        """
        notification_id, lease = attempt.context.notification.id, attempt.lease
        try:
            if reserved is None:
                message_id = await self._request(attempt)
            else:
                async with self._limiter.admit(attempt.delivery.recipient_id, reserved=reserved):
                    message_id = await self._request(attempt)
        except RequestRejectedError as error:
            await self._record_rejection(attempt, error)
        except (TemporarilyUnavailableError, DeliveryDeferredError) as error:
            await self._commit(NotSent(notification_id, lease, DeliveryState.PENDING, str(error)))
            raise
        except UncertainResultError as error:
            await self._commit(NotSent(notification_id, lease, DeliveryState.SENDING, str(error)))
            raise
        else:
            await self._commit(Sent(notification_id, attempt.delivery.id, message_id))
            _log_delivered(attempt, message_id=message_id)
        if attempt.left_out:
            raise DeliveryDeferredError("new players need another message", retry_after=0.0)

    async def _request(self, attempt: SendAttempt) -> int:
        delivery = attempt.delivery
        if delivery.recipient_kind is RecipientKind.CHANNEL:
            return await self._create_message(attempt, delivery.recipient_id)
        urgent = CONTENT[attempt.context.notification.kind].is_urgent
        channel_id, is_new = await self._dms.find(delivery.recipient_id, urgent=urgent)
        try:
            return await self._create_message(attempt, channel_id)
        except RequestRejectedError as error:
            if is_new or error.code in _CLOSED_DMS:
                raise
        # The channel that we remember may be another bot's, or deleted.
        return await self._create_message(attempt, await self._dms.reopen(delivery.recipient_id, urgent=urgent))

    async def _create_message(self, attempt: SendAttempt, channel_id: int) -> int:
        if asyncio.get_running_loop().time() > attempt.deadline:
            raise TemporarilyUnavailableError("the process was delayed; too little of the lease is left to send")
        with self._breaker.record(channel_id):
            nonce = attempt.delivery.nonce
            return await self._client.create_message(channel_id, attempt.message.payload, nonce=nonce)

    async def _record_rejection(self, attempt: SendAttempt, rejected: RequestRejectedError) -> None:
        """Record a rejection.

        Raises:
            DeliveryDeferredError: an earlier attempt may have been sent, or the channel is notified now.
            DeliveryRefusedError: a person may lift the obstacle before the game begins.
        """
        context, lease, error = attempt.context, attempt.lease, str(rejected)
        notification_id = context.notification.id
        is_user = attempt.delivery.recipient_kind is RecipientKind.USER
        pause = None if is_user else pause_until_lifted(rejected, context, self.timing)
        if pause is None and not lease.is_first:
            await self._commit(NotSent(notification_id, lease, DeliveryState.SENDING, error))
            raise DeliveryDeferredError("an earlier attempt may have been sent", retry_after=self.timing.nonce_window)
        if is_user and not CONTENT[context.notification.kind].is_private:
            user_id, channel_id = attempt.delivery.recipient_id, context.game.channel_id
            is_closed = rejected.code in _CLOSED_DMS
            await self._commit(FallbackToChannel(notification_id, lease, error, user_id, channel_id, is_closed))
            raise DeliveryDeferredError("the player is notified in the channel instead", retry_after=0.0)
        state = DeliveryState.FAILED if pause is None else DeliveryState.PENDING
        warning = describe_obstacle(rejected, is_retried=pause is not None)
        is_deleted = rejected.code == UNKNOWN_CHANNEL and not is_user
        await self._commit(NotSent(notification_id, lease, state, error, warning, is_channel_deleted=is_deleted))
        if pause is not None:
            raise DeliveryRefusedError(error, retry_after=pause)

    async def _reconcile(self, attempt: UncertainAttempt) -> None:
        """Search the channel for an old attempt. After an inconclusive search it is `unknown` and never repeated.

        Raises:
            DeliveryDeferredError: a message might still appear, or it was never sent and is retried now.
        """
        age = attempt.seconds_since_lease
        if age < self.timing.nonce_window:
            raise DeliveryDeferredError("a recent attempt might appear", retry_after=self.timing.nonce_window - age)
        notification, delivery = attempt.context.notification, attempt.delivery
        try:
            found = await self._search(delivery, since=attempt.since)
        except RequestRejectedError as error:
            pause = None if attempt.context.is_stale else pause_until_lifted(error, attempt.context, self.timing)
            if pause is not None:
                raise DeliveryRefusedError(str(error), retry_after=pause) from error
            found = Search.INCONCLUSIVE  # a channel that cannot be read proves nothing
        log = logs.get(notification_id=str(notification.id), game_id=str(notification.game_id))
        log.info("Looked for an earlier attempt", action="looked_up", found=str(found))
        if found is Search.NOT_FOUND:
            await self._commit(Reconciled(notification.id, delivery.id, DeliveryState.PENDING))
            raise DeliveryDeferredError("it was never sent, so it is retried", retry_after=0.0)
        if found is Search.INCONCLUSIVE:
            await self._commit(Reconciled(notification.id, delivery.id, DeliveryState.UNKNOWN, UNKNOWN_RESULT))
        else:
            await self._commit(Sent(notification.id, delivery.id, found))
        if attempt.context.is_stale:
            raise DeliveryDeferredError("its result is known, so it can be settled", retry_after=0.0)

    async def _search(self, delivery: Delivery, *, since: datetime) -> int | Search:
        """Search a recipient's channel for a message. Raises as `DiscordClient`."""
        if delivery.recipient_kind is RecipientKind.CHANNEL:
            channel_id = delivery.recipient_id
        else:
            channel_id, _ = await self._dms.find(delivery.recipient_id, urgent=True)
        try:
            return await find_message(
                partial(self._read_page, channel_id),
                delivery.nonce,
                since=since,
                may_read=partial(self._may_read, channel_id),
            )
        except RequestRejectedError as error:
            if error.code != UNKNOWN_CHANNEL:
                raise
            return Search.NOT_FOUND  # a deleted channel holds no message

    async def _read_page(self, channel_id: int, before: int | None) -> list[dict[str, Any]]:
        await self._limiter.acquire_request()
        with self._breaker.record(channel_id):
            return await self._client.list_messages(channel_id, before=before)

    async def _may_read(self, channel_id: int) -> bool:
        for _ in range(PERMISSION_REQUESTS):
            await self._limiter.acquire_request()
        with self._breaker.record(channel_id):
            return await self._client.may_read_history(channel_id)

    async def _commit(self, result: AttemptResult) -> None:
        """Commit the result of an attempt, waiting while the database is unavailable: a known result is never dropped.

        The consumer's prefetch limits how many wait. When the process ends, the row is still `sending`, and the next
        attempt looks for the message.
        """
        await retry(lambda: self._record(result), backoff=self._backoff)


def _raise_decisive(results: Iterable[BaseException | None]) -> None:
    """Raise the error that decides the next attempt: a bug, then a failure, then the shortest deferral."""
    errors = [result for result in results if result is not None]
    deferred = [error for error in errors if isinstance(error, DeliveryDeferredError)]
    deferred.sort(key=lambda error: error.retry_after or 0.0)
    failed = [error for error in errors if isinstance(error, TransientError) and error not in deferred]
    unexpected = [error for error in errors if not isinstance(error, TransientError)]
    if deferred:
        # A refused recipient is tried again slowly, but the deferred ones do not wait for it.
        soonest = max(REFUSED_AGAIN, deferred[0].retry_after or 0.0)
        for refused in failed:
            if isinstance(refused, DeliveryRefusedError):
                refused.retry_after = min(refused.retry_after or soonest, soonest)
    for error in (*unexpected, *failed, *deferred):
        raise error


def _log_delivered(attempt: SendAttempt, *, message_id: int) -> None:
    notification, latency = attempt.context.notification, attempt.context.latency().total_seconds()
    metrics.DELIVERY_LATENCY.labels(notification.kind).observe(max(0.0, latency))
    logs.get().info(
        "Delivered",
        action="delivered",
        event_type=notification.kind,
        notification_id=str(notification.id),
        game_id=str(notification.game_id),
        attempt=notification.attempts,
        recipient=attempt.delivery.recipient_id,
        message_id=message_id,
        latency_ms=round(latency * 1000),
    )
