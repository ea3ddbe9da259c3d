"""Tells a user that a seat became free and is theirs, where they get their reminders."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import list_addressee, make_notes
from bot.notifications.rows import Delivery
from bot.rendering import leave_button, offer_buttons, promotion_message


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    mentions = tuple(delivery.mentions)
    notes = make_notes(context, delivery, mentions)
    person = context.addressee
    slot, until = (None, None) if person is None else (person.slot, person.offered_until)
    payload = promotion_message(
        context.game, players=context.roster, slot=slot, offered_until=until, mentions=mentions, notes=notes
    )
    buttons = leave_button if until is None else offer_buttons
    return Message({**payload, "components": buttons(context.game.id, nonce=delivery.nonce)}, mentions)


PROMOTION = NotificationContent(list_addressee, _make_message)
