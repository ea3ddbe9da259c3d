"""Delivers notifications of every kind.

An announcement is posted once and then edited. Its row settles only if the revision shown is still the game's, so a
burst of joins takes a few edits and no change is missed.
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.eligibility import check_one
from bot.delivery.errors import DeliveryRefusedError
from bot.delivery.ledger import FINAL
from bot.delivery.obstacles import describe_obstacle, pause_until_lifted
from bot.delivery.sender import Sender
from bot.notifications import NotificationContext, render_announcement
from bot.notifications.rows import Delivery
from shared import database
from shared.discord.errors import UNKNOWN_CHANNEL, UNKNOWN_MESSAGE, RequestRejectedError
from shared.discord.ids import first_id_at
from shared.messaging.envelope import AnyEvent
from shared.models import DeliveryState, NotificationKind, NotificationSchedule, Outcome
from shared.offers import end_offer
from shared.schedule.notices import add_notice
from shared.schedule.populate import lock_game
from shared.schedule.settle import settle_and_log, try_again
from shared.schedule.warnings import warn_hosts
from shared.series.pausing import pause_without_channel


class NotificationHandler:
    """Handles `GameReminderDue`, `PersonalReminderDue`, `OfferEnded` and `NoticeDue`."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._sessions = sender.sessions

    async def deliver_notification(self, event: AnyEvent) -> bool:
        """Send the notification, or edit an announcement that is already posted. Return whether there was anything to
        do."""
        context = await self._sender.send(event.row_id, event.kinds)
        if context is None:
            return False
        if context.notification.kind is NotificationKind.ANNOUNCEMENT:
            if context.game.message_id is None:
                await self._adopt(context)
            else:
                await self._edit(context, context.game.message_id)
        return True

    async def end_offer(self, event: AnyEvent) -> bool:
        """Give a seat on that was not taken in time, and then notify the user who lost it.

        After a crash in between, the seat is given on already, and the next delivery only notifies.
        """
        async with database.transaction(self._sessions) as session:
            await end_offer(session, event.row_id)
        return await self.deliver_notification(event)

    async def _adopt(self, before: NotificationContext) -> None:
        """Record which message shows the game. After a crash, the next delivery finds it in the ledger."""
        async with database.transaction(self._sessions) as session:
            game = await lock_game(session, before.game.id)
            context = await check_one(session, before.notification.id)
            if context is None:
                return
            [delivery] = context.deliveries
            if delivery.state is not DeliveryState.SENT:
                if delivery.state in FINAL:
                    await _settle_undeliverable(session, context, detail=delivery.last_error)
                return
            game.message_id = delivery.message_id
            await session.flush()
            if all(row.state is DeliveryState.PENDING for row in before.deliveries) and not _is_older(delivery):
                await settle_if_current(session, before)
            else:  # an earlier attempt may have posted another state
                await try_again(session, NotificationSchedule, context.notification.id, seconds=0.0)

    async def _edit(self, context: NotificationContext, message_id: int) -> None:
        try:
            await self._sender.edit_message(context.game.channel_id, message_id, render_announcement(context))
        except RequestRejectedError as error:
            if error.code == UNKNOWN_MESSAGE:
                await self._replace(context, message_id)
            else:
                await self._record_rejection(context, error)
        else:
            async with database.transaction(self._sessions) as session:
                await settle_if_current(session, context)

    async def _record_rejection(self, context: NotificationContext, rejected: RequestRejectedError) -> None:
        """Tell the host that the announcement cannot be edited, and give up unless a person may lift the obstacle.

        Raises:
            DeliveryRefusedError: it is tried again.
        """
        notification, pause = context.notification, pause_until_lifted(rejected, context, self._sender.timing)
        async with database.transaction(self._sessions) as session:
            await lock_game(session, context.game.id)
            warning = describe_obstacle(rejected, is_retried=pause is not None)
            await warn_hosts(session, [(notification.id, warning)])
            if rejected.code == UNKNOWN_CHANNEL:
                await pause_without_channel(session, [notification.id])
            if pause is None:
                await _settle_undeliverable(session, context, detail=str(rejected))
        if pause is not None:
            raise DeliveryRefusedError(str(rejected), retry_after=pause)

    async def _replace(self, context: NotificationContext, deleted_id: int) -> None:
        """Post a deleted announcement again while users can still sign up, unless another delivery has."""
        async with database.transaction(self._sessions) as session:
            game = await lock_game(session, context.game.id)
            if game.status.is_final or context.deliveries:
                await _settle_undeliverable(session, context, detail="the announcement was deleted")
            else:
                if game.message_id == deleted_id:
                    game.message_id = None
                await try_again(session, NotificationSchedule, context.notification.id, seconds=0.0)


def _is_older(delivery: Delivery) -> bool:
    """Return whether a message is older than its row: the row of the attempt that sent it was lost in a fail-over.

    If Discord's clock is behind, it also seems so, and the announcement is edited once more than necessary.
    """
    message_id, created_at = delivery.message_id, delivery.created_at
    return message_id is not None and created_at is not None and message_id < first_id_at(created_at)


async def _settle_undeliverable(session: AsyncSession, context: NotificationContext, *, detail: str | None) -> None:
    row_ids = [context.notification.id]
    await settle_and_log(session, NotificationSchedule, row_ids, outcome=Outcome.UNDELIVERABLE, detail=detail)


async def settle_if_current(session: AsyncSession, shown: NotificationContext) -> None:
    """Settle the row if it shows the game's current revision. Otherwise make it due again.

    A delayed process may have overwritten a newer state whose row is settled, so a new row is added.
    """
    game = await lock_game(session, shown.game.id)
    if game.revision == shown.game.revision:
        await settle_and_log(session, NotificationSchedule, [shown.notification.id], outcome=Outcome.DELIVERED)
    else:
        await add_notice(session, [game], NotificationKind.ANNOUNCEMENT)
        await try_again(session, NotificationSchedule, shown.notification.id, seconds=0.0)
