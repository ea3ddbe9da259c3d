"""Asks the host whether to cancel a game that too few have joined, where the host learns of drop-outs."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import list_host, make_notes
from bot.notifications.rows import Delivery
from bot.rendering import minimum_buttons, minimum_message


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    mentions = tuple(delivery.mentions)
    notes = make_notes(context, delivery, mentions)
    payload = minimum_message(context.game, players=context.roster, mentions=mentions, notes=notes)
    return Message({**payload, "components": minimum_buttons(context.game.id, nonce=delivery.nonce)}, mentions)


MINIMUM = NotificationContent(list_host, _make_message, is_urgent=False)
