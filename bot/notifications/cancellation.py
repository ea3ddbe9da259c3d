"""The message that a game is cancelled, to the same recipients as a reminder."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import closed_dms_note, current_mentions, recipients_of
from bot.rendering import cancellation_message, disabled_button
from shared.models import NotificationDelivery


def _message(context: NotificationContext, delivery: NotificationDelivery, is_first: bool) -> Message:
    mentions = current_mentions(context, delivery, is_first)
    payload = cancellation_message(context.game, mentions=mentions, note=closed_dms_note(context, delivery, mentions))
    return Message({**payload, "components": disabled_button("Cancelled", nonce=delivery.nonce)}, mentions)


CANCELLATION = NotificationContent(recipients_of, _message)
