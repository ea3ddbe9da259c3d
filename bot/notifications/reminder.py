"""Reminders, and the parts that they share with other notifications."""

from __future__ import annotations

from collections.abc import Sequence

from bot.notifications.content import Message, NotificationContent, NotificationContext, Recipient
from bot.notifications.rows import Delivery
from bot.rendering import (
    Payload,
    add_snooze_buttons,
    disabled_button,
    leave_button,
    reminder_message,
    roster_note,
    server_note,
    split_into_chunks,
)
from bot.rendering.payload import MENTIONS_LIMIT
from bot.rendering.reminder_messages import CLOSED_DMS, NOBODY, NOTIFIED_BY_DM
from shared.models import RecipientKind


def list_recipients(context: NotificationContext) -> list[Recipient]:
    """Return the recipients of the audience. The channel is one of them also if nobody is mentioned there.

    The host is reminded like a player, because without the host there is no game.
    """
    recipients = list_audience(context)
    if any(recipient.kind is RecipientKind.CHANNEL for recipient in recipients):
        return recipients
    return [Recipient(RecipientKind.CHANNEL, context.game.channel_id), *recipients]


def list_audience(context: NotificationContext) -> list[Recipient]:
    """Return the channel, once per chunk of people to mention, and the people who get a direct message instead."""
    by_dm = [person.user_id for person in context.audience if person.wants_dm and not person.has_closed_dms]
    mentioned = [user for user in context.user_ids if user not in by_dm]
    in_channel = list_in_channel(context.game.channel_id, mentioned)
    return [*in_channel, *(Recipient(RecipientKind.USER, user) for user in by_dm)]


def list_in_channel(channel_id: int, user_ids: Sequence[int], *, first_chunk: int = 0) -> list[Recipient]:
    """Return the channel, once per chunk of people to mention."""
    return [
        Recipient(RecipientKind.CHANNEL, channel_id, mentions=chunk, chunk=number)
        for number, chunk in enumerate(split_into_chunks(user_ids), first_chunk)
    ]


def list_addressee(context: NotificationContext) -> list[Recipient]:
    """Return the only recipient of a notification for one user: by direct message, or in the channel."""
    person = context.addressee
    if person is None:
        return []
    if person.wants_dm and not person.has_closed_dms:
        return [Recipient(RecipientKind.USER, person.user_id)]
    return [Recipient(RecipientKind.CHANNEL, context.game.channel_id, mentions=(person.user_id,))]


def list_host(context: NotificationContext) -> list[Recipient]:
    """Return the host, by direct message also if they chose mentions: only they need to know."""
    host = context.host
    if host.has_closed_dms:
        return [Recipient(RecipientKind.CHANNEL, context.game.channel_id, mentions=(host.user_id,))]
    return [Recipient(RecipientKind.USER, host.user_id)]


def select_mentions(context: NotificationContext, delivery: Delivery, is_first: bool) -> tuple[int, ...]:
    """Return the people whom a message mentions now.

    Players who have left, or want no reminders, are omitted. New players are added to the channel's last message,
    unless it may have been sent. Those for whom it has no room get another message.
    """
    remaining = [user for user in delivery.mentions if user in context.user_ids]
    newcomers = context.newcomers(delivery) if is_first else []
    return (*remaining, *newcomers[: MENTIONS_LIMIT - len(remaining)])


def make_notes(context: NotificationContext, delivery: Delivery, mentions: Sequence[int]) -> tuple[str, str]:
    """Return the notes at the end of every message: the server in a direct message, and whose direct messages are
    closed."""
    return _make_server_note(context, delivery), _make_closed_dms_note(context, delivery, mentions)


def _make_closed_dms_note(context: NotificationContext, delivery: Delivery, mentions: Sequence[int]) -> str:
    """Return the note for people whose DMs are closed, or an empty text."""
    known = (*context.people, *context.earlier_players)
    closed = {person.user_id for person in known if person.has_closed_dms}
    return CLOSED_DMS if delivery.chunk > 0 and mentions and closed.issuperset(mentions) else ""


def _make_server_note(context: NotificationContext, delivery: Delivery) -> str:
    """Return the note that names the server in a DM, or an empty text."""
    return server_note(context.guild_name) if delivery.recipient_kind is RecipientKind.USER else ""


def make_buttons(context: NotificationContext, delivery: Delivery) -> list[Payload]:
    """Return "Can't make it", or a disabled button if the message is for nobody who could press it."""
    if not context.roster:
        return disabled_button("Nobody has signed up", nonce=delivery.nonce)
    if delivery.recipient_kind is RecipientKind.USER and delivery.recipient_id not in context.roster:
        return disabled_button("You're the host", nonce=delivery.nonce)
    return leave_button(context.game.id, nonce=delivery.nonce)


def make_reminder_buttons(context: NotificationContext, delivery: Delivery) -> list[Payload]:
    """Return the buttons of any reminder: those that snooze it until before the start, then the usual one."""
    left = context.game.scheduled_at - context.now
    return add_snooze_buttons(make_buttons(context, delivery), context.game.id, left=left)


def _make_message(context: NotificationContext, delivery: Delivery, is_first: bool) -> Message:
    mentions = select_mentions(context, delivery, is_first)
    payload = reminder_message(
        context.game,
        offset_minutes=context.notification.offset_minutes or 0,
        mentions=mentions,
        now=context.now,
        notes=(
            _describe_players(context, delivery, mentions),
            roster_note(context.game, context.roster, mentions=mentions) if context.roster else "",
            *make_notes(context, delivery, mentions),
        ),
    )
    return Message({**payload, "components": make_reminder_buttons(context, delivery)}, mentions)


def _describe_players(context: NotificationContext, delivery: Delivery, mentions: Sequence[int]) -> str:
    if not context.roster:
        return NOBODY
    is_quiet_channel = delivery.recipient_kind is RecipientKind.CHANNEL and not mentions
    return NOTIFIED_BY_DM if is_quiet_channel and context.audience else ""


REMINDER = NotificationContent(list_recipients, _make_message)
