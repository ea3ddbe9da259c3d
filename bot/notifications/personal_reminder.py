"""A reminder for one player, extra or snoozed, where they get their reminders."""

from __future__ import annotations

from bot.notifications.content import Message, NotificationContent, NotificationContext
from bot.notifications.reminder import (
    list_addressee,
    make_notes,
    make_reminder_buttons,
    select_mentions,
)
from bot.notifications.rows import Delivery
from bot.rendering import personal_reminder_message


def _make_message(context: NotificationContext, delivery: Delivery, _is_first: bool) -> Message:
    mentions = select_mentions(context, delivery, is_first=False)
    payload = personal_reminder_message(
        context.game,
        due_at=context.notification.due_at,
        mentions=mentions,
        now=context.now,
        notes=make_notes(context, delivery, mentions),
    )
    return Message({**payload, "components": make_reminder_buttons(context, delivery)}, mentions)


PERSONAL_REMINDER = NotificationContent(list_addressee, _make_message)
