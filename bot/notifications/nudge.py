"""Asks those who have not answered: the host's role in the channel, or the players of earlier games.

Players of earlier games are asked where they get their reminders. They have no seat, so they are not the game's people.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.notifications.reminder import list_audience, make_notes, select_mentions
from bot.notifications.rows import Delivery
from bot.rendering import nudge_buttons, nudge_message
from shared.models import RecipientKind
from shared.slots import count_free_seats


def _list_recipients(context: NotificationContext) -> Sequence[Recipient]:
    if context.game.nudge_role_id is not None:
        return [Recipient(RecipientKind.CHANNEL, context.game.channel_id)]
    return list_audience(context)


def _make_message(context: NotificationContext, delivery: Delivery, is_first: bool) -> Message:
    role_id = context.game.nudge_role_id
    mentions = () if role_id is not None else select_mentions(context, delivery, is_first)
    payload = nudge_message(
        context.game,
        free_seats=count_free_seats(context.game, context.slots),
        role_id=role_id,
        mentions=mentions,
        notes=make_notes(context, delivery, mentions),
    )
    return Message({**payload, "components": nudge_buttons(context.game.id, nonce=delivery.nonce)}, mentions)


NUDGE = NotificationContent(_list_recipients, _make_message, is_for_mentioned=True, is_urgent=False)
