"""Tells a user that a seat became free and is theirs, where they get their reminders."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.notifications.reminder import make_closed_dms_note, make_server_note
from bot.rendering import leave_button, promotion_message
from shared.models import NotificationDelivery, RecipientKind


def _list_recipients(context: NotificationContext) -> list[Recipient]:
    person = context.addressee
    if person is None:
        return []
    if person.wants_dm and not person.has_closed_dms:
        return [Recipient(RecipientKind.USER, person.user_id)]
    return [Recipient(RecipientKind.CHANNEL, context.game.channel_id, mentions=(person.user_id,))]


def _make_message(context: NotificationContext, delivery: NotificationDelivery, _is_first: bool) -> Message:
    mentions = tuple(delivery.mentions)
    notes = (make_server_note(context, delivery), make_closed_dms_note(context, delivery, mentions))
    payload = promotion_message(context.game, players=context.roster, mentions=mentions, notes=notes)
    return Message({**payload, "components": leave_button(context.game.id, nonce=delivery.nonce)}, mentions)


PROMOTION = NotificationContent(_list_recipients, _make_message)
