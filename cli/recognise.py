"""Which message of a channel tells which notification, when the database has forgotten.

A restored backup lacks the ledger rows written since, and with them the nonces. What a message says must do: its sign
(a reminder and a cancellation begin with different ones), the moment of the session's start, which Discord's own
notation carries to the second, the title, and the link to the announcement where there is one. A test holds this
against what the bot writes. Words like "starts in 10 minutes" were rejected as a mark: a late message says others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from shared.discord.history import ChannelMessage
from shared.models import Game, NotificationKind, NotificationSchedule

CLOCKS = timedelta(seconds=5)
"""How far Discord's clock may be behind the database's: a message this much before a row's time may tell it."""

_SIGNS = {NotificationKind.REMINDER: "🔔", NotificationKind.CANCELLATION: "❌"}
_LINK = re.compile(r"/channels/\d+/\d+/(\d+)")
_BOLD = re.compile(r"\*\*(.*)\*\*")
"""The title, in the first line; asterisks of its own are escaped."""
_CUT = "…"


def announces(post: ChannelMessage, game_id: UUID) -> bool:
    """Return whether a message is the announcement of a game: its buttons carry the game's id."""
    return any(custom_id.endswith(str(game_id)) for custom_id in post.custom_ids)


def tells(post: ChannelMessage, row: NotificationSchedule, game: Game) -> bool:
    """Return whether a message tells what a row is about, whichever of the game's reminders that is."""
    sign = _SIGNS.get(row.kind)
    if sign is None or not post.content.startswith(sign):
        return False
    links = _LINK.findall(post.content)
    if links and game.message_id is not None and str(game.message_id) not in links:
        return False
    starts = f"<t:{int(row.game_scheduled_at.timestamp())}:"
    return starts in post.content and _names(post, game.title)


def told(
    rows: Sequence[NotificationSchedule], game: Game, posts: Sequence[ChannelMessage], *, nonces: Mapping[str, UUID]
) -> dict[UUID, ChannelMessage]:
    """Return which of a game's rows were told, each with the first message that tells it.

    Where the ledger survived, the nonce decides. Else a message tells the latest row of its kind that was due when it
    was made: the bot never tells an earlier reminder once a later one is due.
    """
    found: dict[UUID, ChannelMessage] = {}
    by_due = sorted(rows, key=lambda row: row.due_at, reverse=True)
    for post in sorted(posts, key=lambda it: it.id):
        row_id = nonces.get(post.nonce or "")
        if row_id is None:
            matching = (row.id for row in by_due if row.due_at <= post.created_at + CLOCKS and tells(post, row, game))
            row_id = next(matching, None)
        if row_id is not None:
            found.setdefault(row_id, post)
    return found


def _names(post: ChannelMessage, title: str) -> bool:
    """Return whether a message is about a title, of which the bot shows only the beginning when it is long."""
    found = _BOLD.search(post.content.partition("\n")[0])
    if found is None:
        return False
    shown, whole = _letters(found[1]), _letters(title)
    return shown == whole or (found[1].endswith(_CUT) and whole.startswith(shown))


def _letters(text: str) -> str:
    """Return the letters and digits of a text: what is left of a title whatever was escaped in it."""
    return "".join(filter(str.isalnum, text)).casefold()
