"""The warning to the host that something about a game cannot be delivered."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.notifications.rows import Delivery
from bot.rendering import disabled_button, warning_message
from shared.models import RecipientKind


def _list_recipients(context: NotificationContext) -> list[Recipient]:
    return [Recipient(RecipientKind.USER, context.game.host_id)]


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    payload = warning_message(context.game, reason=context.notification.reason or "")
    return Message({**payload, "components": disabled_button("Not delivered", nonce=delivery.nonce)})


WARNING = NotificationContent(_list_recipients, _make_message, is_private=True, is_urgent=False)
