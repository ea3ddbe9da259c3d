"""The messages that ping: reminders, cancellations, new times, drop-outs, promotions, nudges and questions.

They are plain content, because only mentions in the content notify and a phone shows the first line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.rendering.embeds import fold, seat_count
from bot.rendering.escaping import clean, escape, utf16_length
from bot.rendering.formatting import format_mention, format_role, format_timestamp
from bot.rendering.payload import (
    CONTENT_LIMIT,
    MENTIONS_LIMIT,
    SUPPRESS_EMBEDS,
    UNTITLED,
    Payload,
    allowed_mentions,
    allowed_role,
    message_link,
)
from bot.rendering.place import format_place, is_channel
from bot.rendering.slots import format_slot_of
from shared.formatting import format_duration, join_words, plural
from shared.models import Game

NOBODY = "Nobody has signed up yet."
NOTIFIED_BY_DM = "I'm reminding the players by DM."
CONFIRM = "Can you make it? Please press a button. You keep your seat until you say no."
CLOSED_DMS = "-# I couldn't DM you. Allow DMs from this server, then choose DMs again with `/settings me`."

_TITLE_LIMIT = 200
_LEAST_TITLE = 20
_SERVER_LIMIT = 100
_MOST_NAMES = 20
_ROSTER_LIMIT = 250
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_LATE = 2 * _MINUTE
"""A reminder that is at least this late says so."""


def split_into_chunks(user_ids: Sequence[int], size: int = MENTIONS_LIMIT) -> list[tuple[int, ...]]:
    """Return the unique users, in order and in groups that one message may ping."""
    unique = tuple(dict.fromkeys(user_ids))
    return [unique[start : start + size] for start in range(0, len(unique), size)]


def reminder_message(
    game: Game, *, offset_minutes: int, mentions: Sequence[int], now: datetime, notes: Sequence[str] = ()
) -> Payload:
    """Return the reminder of a game as of `now`, due `offset_minutes` before the start.

    It pings exactly `mentions`, at most `MENTIONS_LIMIT`.
    """
    sentence = f"🔔 **{{title}}** {_format_start(game, now=now)}."
    late = _format_lateness(game, due_at=game.scheduled_at - offset_minutes * _MINUTE, now=now)
    return _compose(game, sentence, mentions, notes=(_format_place(game, now=now), late, *notes))


def personal_reminder_message(
    game: Game, *, due_at: datetime, mentions: Sequence[int], now: datetime, notes: Sequence[str] = ()
) -> Payload:
    """Return a reminder that one player asked for. It pings exactly `mentions`."""
    sentence = f"⏰ **{{title}}** {_format_start(game, now=now)}."
    late = _format_lateness(game, due_at=due_at, now=now)
    return _compose(game, sentence, mentions, notes=(_format_place(game, now=now), late, *notes))


def cancellation_message(game: Game, *, mentions: Sequence[int], notes: Sequence[str] = ()) -> Payload:
    """Return the cancellation notice. It pings exactly `mentions`, at most `MENTIONS_LIMIT`."""
    sentence = f"❌ **{{title}}** on {format_timestamp(game.scheduled_at, 'F')} has been cancelled."
    return _compose(game, sentence, mentions, notes=notes)


def change_message(game: Game, *, mentions: Sequence[int], notes: Sequence[str] = ()) -> Payload:
    """Return the notice of a new time. It pings exactly `mentions`, at most `MENTIONS_LIMIT`."""
    sentence = f"📅 **{{title}}** has a new time: {format_timestamp(game.scheduled_at, 'F')}."
    return _compose(game, sentence, mentions, notes=notes)


def drop_out_message(
    game: Game, *, left: Sequence[int], players: Sequence[int], mentions: Sequence[int], notes: Sequence[str] = ()
) -> Payload:
    """Return the host's notice of the players who have left. It pings exactly `mentions`."""
    shown = [format_mention(user) for user in left[:_MOST_NAMES]]
    if len(left) > _MOST_NAMES:
        shown.append(f"{len(left) - _MOST_NAMES} more")
    sentence = (
        f"👋 {join_words(shown)} can't make it to **{{title}}** on {format_timestamp(game.scheduled_at, 'F')}. "
        f"Players: {seat_count(game, len(players))}."
    )
    return _compose(game, sentence, mentions, notes=notes)


def promotion_message(
    game: Game,
    *,
    players: Sequence[int],
    slot: str | None = None,
    offered_until: datetime | None = None,
    mentions: Sequence[int],
    notes: Sequence[str] = (),
) -> Payload:
    """Return the notice to a user who has got a seat from the waitlist, or is offered one until a time.

    It pings exactly `mentions`.
    """
    shown = format_slot_of(game, slot)
    play = "You play" if offered_until is None else "You'd play"
    as_slot = f"{play} as {shown}. ".replace("{", "{{").replace("}", "}}") if shown else ""
    whose = "it's yours" if offered_until is None else "you can have it"
    sentence = (
        f"🎉 A seat is free, and {whose}: **{{title}}** on {format_timestamp(game.scheduled_at, 'F')}. "
        f"{as_slot}Players: {seat_count(game, len(players))}."
    )
    if offered_until is not None:
        until = f"{format_timestamp(offered_until, 'f')} ({format_timestamp(offered_until, 'R')})"
        notes = (f"Press **Take it** by {until}, or the seat goes to the next in line.", *notes)
    return _compose(game, sentence, mentions, notes=notes)


def offer_end_message(game: Game, *, due_at: datetime, mentions: Sequence[int], notes: Sequence[str] = ()) -> Payload:
    """Return the notice to a user who did not take a seat until it was due. It pings exactly `mentions`."""
    sentence = (
        f"⌛ You didn't take the seat by {format_timestamp(due_at, 'f')}, so it's no longer yours: **{{title}}** "
        f"on {format_timestamp(game.scheduled_at, 'F')}. To wait for another, press Join."
    )
    return _compose(game, sentence, mentions, notes=notes)


def roster_note(game: Game, players: Sequence[int], *, mentions: Sequence[int]) -> str:
    """Return the line of who plays. It names them, which pings nobody, unless the message mentions them all."""
    count = f"Players: {seat_count(game, len(players))}"
    if not players or set(players) <= set(mentions):
        return f"{count}."
    return f"{count} · {fold(list(map(format_mention, players)), separator=' ', limit=_ROSTER_LIMIT)}"


def minimum_message(
    game: Game, *, players: Sequence[int], mentions: Sequence[int], notes: Sequence[str] = ()
) -> Payload:
    """Return the question to a host whose game too few have joined. It pings exactly `mentions`."""
    sentence = (
        f"👥 Only {len(players)} of {plural(game.minimum_players or 0, 'player')}: **{{title}}** "
        f"on {format_timestamp(game.scheduled_at, 'F')}. Do you want to cancel it?"
    )
    return _compose(game, sentence, mentions, notes=notes)


def nudge_message(
    game: Game,
    *,
    free_seats: int | None,
    role_id: int | None = None,
    mentions: Sequence[int] = (),
    notes: Sequence[str] = (),
) -> Payload:
    """Return the question to those who have not answered. It pings exactly `mentions`, or the role instead.

    Without a number of `free_seats`, everybody can join.
    """
    free = "" if free_seats is None else f" {plural(free_seats, 'seat')} {'is' if free_seats == 1 else 'are'} free."
    sentence = (
        f"📣 Can you make it to **{{title}}** on {format_timestamp(game.scheduled_at, 'F')} "
        f"({format_timestamp(game.scheduled_at, 'R')})?{free}"
    )
    if role_id is None:
        return _compose(game, sentence, mentions, notes=notes)
    payload = _compose(game, sentence, (), notes=(format_role(role_id), *notes))
    return {**payload, "allowed_mentions": allowed_role(role_id)}


def server_note(name: str) -> str:
    """Return the line that names a server, or an empty text if its name is not known."""
    return f"-# Server: {escape(name, limit=_SERVER_LIMIT)}" if clean(name) else ""


def warning_message(game: Game, *, reason: str) -> Payload:
    """Return the warning to a host that something about the game cannot be delivered. It pings nobody."""
    sentence = f"⚠️ **{{title}}** on {format_timestamp(game.scheduled_at, 'F')} in <#{game.channel_id}>:"
    return _compose(game, sentence, (), notes=(reason,))


def _format_start(game: Game, *, now: datetime) -> str:
    """Return when the game starts, to the nearest minute. Nothing in it changes or contradicts a late reader's clock.

    `questbell recover` finds a game's messages by the timestamp.
    """
    minutes = _minutes_left(game, now=now)
    if minutes <= 0:
        return "starts now"
    distance = minutes * _MINUTE
    span = format_duration(distance)
    if distance >= _DAY:
        return f"starts in {span}, on {format_timestamp(game.scheduled_at, 'F')}"
    return f"starts in {span}, at {format_timestamp(game.scheduled_at, 't')}"


def _format_place(game: Game, *, now: datetime) -> str:
    """Return the line of the place, empty if there is none."""
    place = format_place(game.place or "")
    if is_channel(place) and _minutes_left(game, now=now) <= 0:
        return f"Join in {place}."
    return f"📍 {place}" if place else ""


def _minutes_left(game: Game, *, now: datetime) -> int:
    return round((game.scheduled_at - now) / _MINUTE)


def _format_lateness(game: Game, *, due_at: datetime, now: datetime) -> str:
    """Return the line of a late reminder, empty after the start."""
    late = now - due_at
    if late < _LATE or now >= game.scheduled_at:
        return ""
    return f"-# Sorry, this reminder is {format_duration(round(late / _MINUTE) * _MINUTE)} late."


def _compose(game: Game, sentence: str, mentions: Sequence[int], *, notes: Sequence[str]) -> Payload:
    user_ids = tuple(dict.fromkeys(mentions))
    if len(user_ids) > MENTIONS_LIMIT:
        raise ValueError(f"one message pings at most {MENTIONS_LIMIT} users, not {len(user_ids)}")
    pings = " ".join(map(format_mention, user_ids))
    link = message_link(game) or ""
    room, rest = _fit_lines(sentence, pings, *notes, link)
    if room < _LEAST_TITLE:  # mentions and title matter more than notes
        room, rest = _fit_lines(sentence, pings, link)
    title = escape(game.title, limit=min(_TITLE_LIMIT, room)) or UNTITLED
    return {
        "content": sentence.format(title=title) + rest,
        "flags": SUPPRESS_EMBEDS,
        "allowed_mentions": allowed_mentions(user_ids),
    }


def _fit_lines(sentence: str, *lines: str) -> tuple[int, str]:
    """Return the length left for the title, and the lines as text."""
    rest = "".join(f"\n{line}" for line in lines if line)
    return CONTENT_LIMIT - utf16_length(sentence.format(title="")) - utf16_length(rest), rest
