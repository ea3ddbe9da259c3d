"""A game's announcement, which is posted once and then edited. It mentions nobody."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.notifications.rows import Delivery
from bot.rendering import GamePeople, Payload, announcement_message, disabled_button
from shared.models import RecipientKind
from shared.signup_rules import is_past_closing


def render_announcement(context: NotificationContext, *, nonce: str = "") -> Payload:
    """Return the message that shows the game as it is in the context."""
    people = GamePeople(
        seats=context.slots,
        responses=context.responses,
        unconfirmed=context.unconfirmed,
        offered=context.offered,
        co_hosts=context.co_hosts,
    )
    is_closed = is_past_closing(context.game, now=context.now)
    return announcement_message(context.game, people, is_closed=is_closed, nonce=nonce)


def _list_recipients(context: NotificationContext) -> list[Recipient]:
    return [Recipient(RecipientKind.CHANNEL, context.game.channel_id)]


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    payload = render_announcement(context, nonce=delivery.nonce)
    if not payload["components"]:
        payload["components"] = disabled_button("Sign-ups closed", nonce=delivery.nonce)
    return Message(payload)


ANNOUNCEMENT = NotificationContent(_list_recipients, _make_message)
