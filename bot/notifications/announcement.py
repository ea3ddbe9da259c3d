"""The first post of a game's announcement. It mentions nobody."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.rendering import announcement_message, disabled_button
from shared.models import NotificationDelivery, RecipientKind


def _list_recipients(context: NotificationContext) -> list[Recipient]:
    return [Recipient(RecipientKind.CHANNEL, context.game.channel_id)]


def _make_message(context: NotificationContext, delivery: NotificationDelivery, _is_first: bool) -> Message:
    payload = announcement_message(
        context.game,
        context.roster,
        context.responses,
        slots=context.slots,
        unconfirmed=context.unconfirmed,
        nonce=delivery.nonce,
    )
    if not payload["components"]:
        payload["components"] = disabled_button("Sign-ups closed", nonce=delivery.nonce)
    return Message(payload)


ANNOUNCEMENT = NotificationContent(_list_recipients, _make_message)
