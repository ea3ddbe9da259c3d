"""Tells the host by DM who has left. It also goes to hosts who chose mentions, because only they need to know."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import list_host, make_notes
from bot.notifications.rows import Delivery
from bot.rendering import disabled_button, drop_out_message


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    mentions, left = tuple(delivery.mentions), context.notification.user_ids
    payload = drop_out_message(
        context.game,
        left=[user for user in left if user not in context.roster] or left,
        players=context.roster,
        mentions=mentions,
        notes=make_notes(context, delivery, mentions),
    )
    return Message({**payload, "components": disabled_button("You're the host", nonce=delivery.nonce)}, mentions)


DROP_OUT = NotificationContent(list_host, _make_message, is_urgent=False)
