"""The notice of a new time, for the same recipients as a reminder."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import (
    list_recipients,
    make_buttons,
    make_notes,
    select_mentions,
)
from bot.notifications.rows import Delivery
from bot.rendering import change_message, confirm_buttons
from bot.rendering.reminder_messages import CONFIRM


def _make_message(context: NotificationContext, delivery: Delivery, is_first: bool) -> Message:
    mentions = select_mentions(context, delivery, is_first)
    readers = (delivery.recipient_id, *mentions)
    asks = any(user in readers for user in context.unconfirmed)
    notes = (
        CONFIRM if asks else "",
        *make_notes(context, delivery, mentions),
    )
    payload = change_message(context.game, mentions=mentions, notes=notes)
    buttons = confirm_buttons(context.game.id, nonce=delivery.nonce) if asks else make_buttons(context, delivery)
    return Message({**payload, "components": buttons}, mentions)


CHANGE = NotificationContent(list_recipients, _make_message)
