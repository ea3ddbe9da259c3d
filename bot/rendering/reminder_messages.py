"""The messages that ping: reminders and cancellations.

They are plain content, because only mentions in the content notify, and because a phone's notification shows its
first line. One message pings at most `MENTIONS_LIMIT` people; `chunks` says who is in which.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.rendering.escaping import escape, utf16_length
from bot.rendering.formatting import format_mention, format_timestamp
from bot.rendering.payload import (
    CONTENT_LIMIT,
    MENTIONS_LIMIT,
    SUPPRESS_EMBEDS,
    Payload,
    allowed_mentions,
    message_link,
)
from shared.formatting import format_duration
from shared.models import Game

NOBODY = "Nobody has signed up yet."
NOTIFIED_BY_DM = "Players are being notified by DM."
CLOSED_DMS = "-# I couldn't DM you, so I'm mentioning you here. Change this with `/game remind-me`."

_TITLE_LIMIT = 200
_LEAST_TITLE = 20
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_LATE = 2 * _MINUTE
"""From here on a reminder says that it is late."""


def chunks(user_ids: Sequence[int], size: int = MENTIONS_LIMIT) -> list[tuple[int, ...]]:
    """Return the users, each once and in order, in groups that one message may ping."""
    once = tuple(dict.fromkeys(user_ids))
    return [once[start : start + size] for start in range(0, len(once), size)]


def reminder(
    game: Game, *, offset_minutes: int, mentions: Sequence[int], now: datetime, nobody: str = NOBODY, note: str = ""
) -> Payload:
    """Return the message that reminds of a game as it is `now`; asked for `offset_minutes` before, it may be late.

    It pings exactly `mentions`, at most `MENTIONS_LIMIT`; with nobody to ping it says `nobody`. A `note` comes below.
    """
    sentence = f"🔔 **{{title}}** {starting(game, now=now)}."
    late = _lateness(game, offset_minutes=offset_minutes, now=now)
    return _telling(game, sentence, mentions, nobody=nobody, notes=(late, note))


def cancellation(game: Game, *, mentions: Sequence[int], note: str = "") -> Payload:
    """Return the message that says that a game is off, to exactly `mentions`, at most `MENTIONS_LIMIT`."""
    sentence = f"❌ **{{title}}**, planned for {format_timestamp(game.scheduled_at, 'F')}, has been cancelled."
    return _telling(game, sentence, mentions, notes=(note,))


def starting(game: Game, *, now: datetime) -> str:
    """Return, to the nearest minute, "starts in 30 minutes, at …", "starts now (…)" or "started 4 minutes ago, at …".

    Discord renders the moment in each reader's time zone. `questbell recover` finds a game's messages by it.
    """
    minutes = round((game.scheduled_at - now) / _MINUTE)
    clock = format_timestamp(game.scheduled_at, "t")
    if minutes == 0:
        return f"starts now ({clock})"
    span = format_duration(abs(minutes) * _MINUTE)
    at = f"on {format_timestamp(game.scheduled_at, 'F')}" if abs(minutes) * _MINUTE >= _DAY else f"at {clock}"
    return f"starts in {span}, {at}" if minutes > 0 else f"started {span} ago, {at}"


def _lateness(game: Game, *, offset_minutes: int, now: datetime) -> str:
    """Return a line for a reminder that is late before its game; after the start, "started …" says it."""
    late = now - (game.scheduled_at - offset_minutes * _MINUTE)
    if late < _LATE or now >= game.scheduled_at:
        return ""
    return f"-# Sorry, this reminder is {format_duration(round(late / _MINUTE) * _MINUTE)} late."


def _telling(
    game: Game, sentence: str, mentions: Sequence[int], *, nobody: str = "", notes: Sequence[str] = ()
) -> Payload:
    told = tuple(dict.fromkeys(mentions))
    if len(told) > MENTIONS_LIMIT:
        raise ValueError(f"one message pings at most {MENTIONS_LIMIT} people, not {len(told)}: use chunks()")
    who, link = " ".join(map(format_mention, told)) or nobody, message_link(game) or ""
    room, rest = _room(sentence, who, *notes, link)
    if room < _LEAST_TITLE:  # whom it tells, and of what, goes before why
        room, rest = _room(sentence, who, link)
    title = escape(game.title, limit=min(_TITLE_LIMIT, room)) or "Untitled game"
    return {
        "content": sentence.format(title=title) + rest,
        "flags": SUPPRESS_EMBEDS,
        "allowed_mentions": allowed_mentions(told),
    }


def _room(sentence: str, *below: str) -> tuple[int, str]:
    """Return the characters that are left for the title above some lines, and the lines."""
    rest = "".join(f"\n{line}" for line in below if line)
    return CONTENT_LIMIT - utf16_length(sentence.format(title="")) - utf16_length(rest), rest
