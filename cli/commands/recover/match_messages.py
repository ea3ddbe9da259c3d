"""Matches channel messages to notifications after a restore.

The nonce of a notification's first message in the channel follows from its id. Other messages, such as those of a row
that the backup lacks or of an older release, are identified by emoji, start, title and link. Words such as "starts in
10 minutes" were rejected because a late message has others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.discord.history import ChannelMessage
from shared.models import NotificationKind
from shared.schedule.notices import BEGUN_AFTER

CLOCK_SKEW = timedelta(seconds=5)
"""How far Discord's clock may be behind the database's."""

EMOJI = {
    NotificationKind.REMINDER: "🔔",
    NotificationKind.PERSONAL_REMINDER: "⏰",
    NotificationKind.CANCELLATION: "❌",
    NotificationKind.CHANGE: "📅",
    NotificationKind.DROP_OUT: "👋",
    NotificationKind.PROMOTION: "🎉",
    NotificationKind.MINIMUM: "👥",
    NotificationKind.NUDGE: "📣",
    NotificationKind.OFFER_END: "⌛",
    NotificationKind.WARNING: "⚠️",
}
"""The first character of each kind's messages."""
_LINK = re.compile(r"/channels/\d+/\d+/(\d+)")
_BOLD = re.compile(r"\*\*(.*)\*\*")
"""The title, in the first line. Asterisks in a title are escaped."""
_CUT = "…"


@dataclass(frozen=True)
class UncertainRow:
    """An open notification that may have been sent since the backup."""

    id: UUID
    kind: NotificationKind
    due_at: datetime
    game_id: UUID
    game_scheduled_at: datetime
    title: str
    channel_id: int
    announcement_id: int | None = None
    nonces: tuple[str, ...] = ()
    user_id: int | None = None
    """The only user whom it is for. Its message in the channel mentions them."""


def match_messages(rows: Sequence[UncertainRow], messages: Sequence[ChannelMessage]) -> dict[UUID, ChannelMessage]:
    """Return which of a game's rows were sent, each with its first message.

    A known nonce decides. Otherwise a message belongs to the latest due row of its kind, because an earlier reminder is
    never sent after a later one is due.
    """
    rows_by_nonce = {nonce: row.id for row in rows for nonce in row.nonces}
    latest_first = sorted(rows, key=lambda row: row.due_at, reverse=True)
    found: dict[UUID, ChannelMessage] = {}
    for message in sorted(messages, key=lambda message: message.id):
        row_id = rows_by_nonce.get(message.nonce or "")
        if row_id is None:
            due_at_most = message.created_at + CLOCK_SKEW
            row_id = next((row.id for row in latest_first if row.due_at <= due_at_most and matches(message, row)), None)
        if row_id is not None:
            found.setdefault(row_id, message)
    return found


def matches(message: ChannelMessage, row: UncertainRow) -> bool:
    """Return whether a message fits a row's game and kind. It may belong to another reminder."""
    emoji = EMOJI.get(row.kind)
    if emoji is None or not message.content.startswith(emoji):
        return False
    if row.user_id is not None and f"<@{row.user_id}>" not in message.content:
        return False
    links = _LINK.findall(message.content)
    if links and row.announcement_id is not None and str(row.announcement_id) not in links:
        return False
    return _has_start(message, row) and _has_title(message, row.title)


def is_announcement_of(message: ChannelMessage, game_id: UUID) -> bool:
    """Return whether a message has the game's id in its buttons."""
    return any(custom_id.endswith(str(game_id)) for custom_id in message.custom_ids)


def _has_start(message: ChannelMessage, row: UncertainRow) -> bool:
    """Return whether a message names the row's start, or says that the game starts now and was sent then."""
    if "<t:" in message.content:
        return f"<t:{int(row.game_scheduled_at.timestamp())}:" in message.content
    return abs(message.created_at - row.game_scheduled_at) <= BEGUN_AFTER + CLOCK_SKEW


def _has_title(message: ChannelMessage, title: str) -> bool:
    """Return whether a message shows a title, which the bot may cut."""
    bold = _BOLD.search(message.content.partition("\n")[0])
    if bold is None:
        return False
    shown, whole = _letters(bold[1]), _letters(title)
    return shown == whole or (bold[1].endswith(_CUT) and whole.startswith(shown))


def _letters(text: str) -> str:
    """Return letters and digits, which escaping does not change."""
    return "".join(filter(str.isalnum, text)).casefold()
