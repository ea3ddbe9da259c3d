"""The cancellation message, for the same recipients as a reminder."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import list_recipients, make_notes, select_mentions
from bot.notifications.rows import Delivery
from bot.rendering import cancellation_message, disabled_button


def _make_message(context: NotificationContext, delivery: Delivery, is_first: bool) -> Message:
    mentions = select_mentions(context, delivery, is_first)
    notes = make_notes(context, delivery, mentions)
    payload = cancellation_message(context.game, mentions=mentions, notes=notes)
    return Message({**payload, "components": disabled_button("Cancelled", nonce=delivery.nonce)}, mentions)


CANCELLATION = NotificationContent(list_recipients, _make_message)
