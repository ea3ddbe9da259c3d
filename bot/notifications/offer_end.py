"""Tells a user that the seat they were offered went to the next, where they get their reminders."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import list_addressee, make_notes
from bot.notifications.rows import Delivery
from bot.rendering import join_button, offer_end_message


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    mentions = tuple(delivery.mentions)
    notes = make_notes(context, delivery, mentions)
    payload = offer_end_message(context.game, due_at=context.notification.due_at, mentions=mentions, notes=notes)
    return Message({**payload, "components": join_button(context.game.id, nonce=delivery.nonce)}, mentions)


OFFER_END = NotificationContent(list_addressee, _make_message)
