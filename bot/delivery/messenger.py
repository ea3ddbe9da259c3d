"""Telling the recipients of one notification, each in the order that makes it safe.

Wait for the limits; in one transaction decide whether it still holds and commit `sending`; one HTTP try, whose time-out
is shorter than the lease; commit what came of it. The commit of `sending` is the moment by which telling the wrong
thing is judged. A crash before it sends nothing; a crash after it leaves a row that the nonce makes safe to send
again. The transactions are shared with whoever else is telling something at the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

from bot.delivery.batch import Batch
from bot.delivery.breaker import Breaker
from bot.delivery.errors import DeliveryDeferredError
from bot.delivery.find_message import Search, find_message
from bot.delivery.limits import HeadStart, Limits
from bot.delivery.recording import (
    Ending,
    Failed,
    GivenBack,
    Redirected,
    Resolved,
    Sent,
    Unclear,
    record,
)
from bot.delivery.telling import Telling
from bot.delivery.turns import Abandoned, Asked, Begun, Locked, Step, Try, Wanted, begin, take_turns
from shared import database, logs, metrics, users
from shared.database import Sessions
from shared.discord.client import DiscordClient
from shared.discord.errors import (
    CLOSED_DMS,
    NO_SHARED_SERVER,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
)
from shared.errors import TransientError
from shared.models import DeliveryState, NotificationDelivery, RecipientKind
from shared.schedule.retry import Backoff, retry
from shared.settings import Timing


class Messenger:
    """Delivers notifications. Safe to use from any number of tasks and processes at once."""

    def __init__(self, sessions: Sessions, api: DiscordClient, limits: Limits, timing: Timing) -> None:
        self.sessions = sessions
        self.api = api
        self.limits = limits
        self.timing = timing
        self._backoff = Backoff.of(timing)
        self.breaker = Breaker(api.ping, backoff=self._backoff)
        self._begin: Batch[Asked, Begun | Locked] = Batch(sessions, partial(begin, timing=timing))
        self._take: Batch[Wanted, Step | Locked] = Batch(sessions, partial(take_turns, timing=timing))
        self._endings: Batch[Ending, None] = Batch(sessions, record)

    async def tell(self, row_id: UUID, game_id: UUID, telling: Telling) -> None:
        """Tell every recipient that was not told yet; one that fails does not keep the others from being told.

        Raises:
            DeliveryDeferredError: it is not our turn with some of them; it may be in `retry_after` seconds.
            TransientError: some recipients could not be told now.
        """
        await self.breaker.closed()
        head_start = HeadStart(self.limits)
        try:
            asked = Asked(row_id, game_id, telling, head_start)
            begun = await self._begun(asked)
            others = (self._tell_one(Wanted(asked, delivery)) for delivery in begun.others)
            told = await asyncio.gather(self._tell_first(begun.first, head_start), *others, return_exceptions=True)
        finally:
            head_start.end()
        _raise_worst(told)

    async def _begun(self, asked: Asked) -> Begun:
        begun = await self._begin(asked)
        while isinstance(begun, Locked):  # once: who waits for a game sees no other lock
            async with database.transaction(self.sessions) as session:
                [begun] = await begin(session, [asked], timing=self.timing, wait=True)
        return begun

    async def _tell_first(self, step: Step, head_start: HeadStart) -> None:
        with head_start.used():
            await self._act(step)

    async def _tell_one(self, wanted: Wanted) -> None:
        async with self.limits.slot(wanted.delivery.recipient_id):
            await self._act(await self._turn(wanted))

    async def _turn(self, wanted: Wanted) -> Step:
        step = await self._take(wanted)
        while isinstance(step, Locked):
            async with database.transaction(self.sessions) as session:
                [step] = await take_turns(session, [wanted], timing=self.timing, wait=True)
        return step

    async def _act(self, step: Step) -> None:
        match step:
            case Try():
                await self._send(step)
            case Abandoned():
                await self._resolve(step)
            case DeliveryDeferredError():
                raise step

    async def _send(self, turn: Try) -> None:
        """Make the one try, and record what came of it."""
        row_id, mine = turn.standing.row.id, turn.turn
        try:
            message_id = await self._request(turn)
        except RequestRejectedError as refused:
            await self._give_up(turn, refused)
        except (TemporarilyUnavailableError, DeliveryDeferredError) as error:
            await self._record(GivenBack(row_id, mine, str(error)))
            raise
        except UncertainResultError as error:
            await self._record(Unclear(row_id, mine, str(error)))
            raise
        else:
            await self._record(Sent(row_id, turn.delivery.id, message_id))
            _say_delivered(turn, message_id=message_id)

    async def _request(self, turn: Try) -> int:
        channel_id = await self._channel_of(turn.delivery)
        if asyncio.get_running_loop().time() > turn.deadline:
            raise TemporarilyUnavailableError("the process was held up; too little of the lease is left to send")
        with self.breaker.watching():
            return await self.api.create_message(channel_id, turn.message.payload, nonce=turn.nonce)

    async def _channel_of(self, delivery: NotificationDelivery) -> int:
        """Return where a recipient's messages go, opening direct messages the first time.

        Raises:
            RequestRejectedError, TemporarilyUnavailableError, DeliveryDeferredError: as `DiscordClient.open_dm` and
                `Limits.opening`; nothing is told by it.
        """
        if delivery.recipient_kind is RecipientKind.CHANNEL:
            return delivery.recipient_id
        user_id = delivery.recipient_id
        async with database.transaction(self.sessions) as session:
            known = await users.find_dm_channel(session, user_id)
        if known is not None:
            return known
        try:
            async with self.limits.opening():
                with self.breaker.watching():
                    opened = await self.api.open_dm(user_id)
        except UncertainResultError as error:
            raise TemporarilyUnavailableError(str(error)) from error
        async with database.transaction(self.sessions) as session:
            await users.remember_dm_channel(session, user_id, channel_id=opened)
        return opened

    async def _give_up(self, turn: Try, refused: RequestRejectedError) -> None:
        """Record that Discord will not tell a recipient; who has closed their direct messages is told in the channel.

        Raises:
            DeliveryDeferredError: the channel is to be told, at once.
        """
        delivery, row, said = turn.delivery, turn.standing.row, str(refused)
        closed = delivery.recipient_kind is RecipientKind.USER and refused.code in (CLOSED_DMS, NO_SHARED_SERVER)
        if not closed:
            return await self._record(Failed(row.id, turn.turn, said))
        if not turn.turn.fresh:  # the try before may have been told while they were open: the conversation will show it
            await self._record(Unclear(row.id, turn.turn, said))
            raise DeliveryDeferredError("an earlier try may have been sent", retry_after=self.timing.nonce_window)
        channel = turn.standing.game.channel_id
        await self._record(Redirected(row.id, turn.turn, said, user_id=delivery.recipient_id, channel_id=channel))
        raise DeliveryDeferredError("the channel is told instead", retry_after=0.0)

    async def _resolve(self, old: Abandoned) -> None:
        """Find out by the channel whether an old try was sent. If nobody can tell it is `unknown`, and never repeated.

        Raises:
            DeliveryDeferredError: a recent try might still appear; or it never appeared, and the row is retried now.
        """
        if old.quiet < self.timing.nonce_window:
            pause = self.timing.nonce_window - old.quiet
            raise DeliveryDeferredError("a recent try might still appear", retry_after=pause)
        row, delivery = old.standing.row, old.delivery
        try:
            channel_id = await self._channel_of(delivery)
            direct = delivery.recipient_kind is RecipientKind.USER
            found = await find_message(partial(self._page, channel_id), old.nonce, since=old.since, all_readable=direct)
        except RequestRejectedError:
            found = Search.INCONCLUSIVE  # a channel that cannot be read cannot tell
        log = logs.get(notification_id=str(row.id), game_id=str(row.game_id))
        log.info("Looked for an earlier try", action="looked_up", found=str(found))
        if found is Search.NOT_FOUND:
            await self._record(Resolved(row.id, delivery.id, DeliveryState.PENDING))
            raise DeliveryDeferredError("it was never sent, so it is tried anew", retry_after=0.0)
        if isinstance(found, Search):
            await self._record(Resolved(row.id, delivery.id, DeliveryState.UNKNOWN))
        else:
            await self._record(Sent(row.id, delivery.id, found))

    async def _page(self, channel_id: int, before: int | None) -> list[dict[str, Any]]:
        await self.limits.one_more()
        with self.breaker.watching():
            return await self.api.list_messages(channel_id, before=before)

    async def _record(self, ending: Ending) -> None:
        """Commit what came of a try, and the notification's outcome if that was the last recipient.

        What is known must not be forgotten for a hiccup of the database: it is tried again while the nonce is
        young, when a resend would be safe too.
        """
        await retry(lambda: self._endings(ending), backoff=self._backoff, within=self.timing.nonce_window)


def _raise_worst(results: Iterable[BaseException | None]) -> None:
    """Raise what the row's next attempt depends on: a mistake of ours, else a failure, else the shortest wait."""
    errors = [result for result in results if result is not None]
    held = [error for error in errors if isinstance(error, DeliveryDeferredError)]
    failed = [error for error in errors if isinstance(error, TransientError) and error not in held]
    unexpected = [error for error in errors if not isinstance(error, TransientError)]
    for error in (*unexpected, *failed, *sorted(held, key=lambda error: error.retry_after or 0.0)):
        raise error


def _say_delivered(turn: Try, *, message_id: int) -> None:
    row, late = turn.standing.row, turn.standing.lateness().total_seconds()
    metrics.DELIVERY_LATENCY.labels(row.kind).observe(max(0.0, late))
    logs.get().info(
        "Delivered",
        action="delivered",
        event_type=row.kind,
        notification_id=str(row.id),
        game_id=str(row.game_id),
        attempt=row.attempts,
        recipient=turn.delivery.recipient_id,
        message_id=message_id,
        latency_ms=round(late * 1000),
    )
