"""Reminders, and the recipients that reminders and cancellations share."""

from __future__ import annotations

from collections.abc import Sequence

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.rendering import leave_button, reminder_message, split_into_chunks
from bot.rendering.payload import MENTIONS_LIMIT
from bot.rendering.reminder_messages import CLOSED_DMS, NOBODY, NOTIFIED_BY_DM
from shared.models import NotificationDelivery, RecipientKind


def list_recipients(context: NotificationContext) -> list[Recipient]:
    """Return the channel, once per chunk of players, and the players who get a direct message instead."""
    by_dm = [player.user_id for player in context.players if player.wants_dm and not player.has_closed_dms]
    mentioned = [user for user in context.roster if user not in by_dm]
    in_channel = [
        Recipient(RecipientKind.CHANNEL, context.game.channel_id, mentions=chunk, chunk=number)
        for number, chunk in enumerate(split_into_chunks(mentioned) or [()])
    ]
    return [*in_channel, *(Recipient(RecipientKind.USER, user) for user in by_dm)]


def select_mentions(context: NotificationContext, delivery: NotificationDelivery, is_first: bool) -> tuple[int, ...]:
    """Return the players that a message mentions now.

    Players who have left are omitted. New players are added to the channel's last message, unless it may have been
    sent.
    """
    remaining = [user for user in delivery.mentions if user in context.roster]
    channel = [row for row in context.deliveries if row.recipient_kind is RecipientKind.CHANNEL]
    if not (is_first and channel and delivery.id == channel[-1].id):
        return tuple(remaining)
    newcomers = [user for user in context.roster if user not in context.contacted]
    return (*remaining, *newcomers[: MENTIONS_LIMIT - len(remaining)])


def make_closed_dms_note(context: NotificationContext, delivery: NotificationDelivery, mentions: Sequence[int]) -> str:
    """Return the note for players whose DMs are closed, or an empty text."""
    closed = {player.user_id for player in context.players if player.has_closed_dms}
    return CLOSED_DMS if delivery.chunk > 0 and mentions and closed.issuperset(mentions) else ""


def _make_message(context: NotificationContext, delivery: NotificationDelivery, is_first: bool) -> Message:
    mentions = select_mentions(context, delivery, is_first)
    payload = reminder_message(
        context.game,
        offset_minutes=context.notification.offset_minutes or 0,
        mentions=mentions,
        now=context.now,
        nobody=_choose_text_for_nobody(context, delivery),
        note=make_closed_dms_note(context, delivery, mentions),
    )
    return Message({**payload, "components": leave_button(context.game.id, nonce=delivery.nonce)}, mentions)


def _choose_text_for_nobody(context: NotificationContext, delivery: NotificationDelivery) -> str:
    if delivery.recipient_kind is RecipientKind.USER:
        return ""
    return NOTIFIED_BY_DM if context.players else NOBODY


REMINDER = NotificationContent(list_recipients, _make_message)
