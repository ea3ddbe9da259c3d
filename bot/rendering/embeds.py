"""Games as embeds. Every edit renders the game's current state in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bot.rendering.escaping import escape, escape_description, utf16_length
from bot.rendering.formatting import describe_offsets, format_mention, format_role, format_timestamp
from bot.rendering.payload import (
    EMBED_TITLE_LIMIT,
    FIELD_LIMIT,
    UNTITLED,
    Payload,
    allowed_mentions,
    message_link,
    signup_buttons,
)
from bot.rendering.place import format_place
from bot.rendering.slots import format_slot, format_slot_of, slot_count, slot_menu
from shared.formatting import format_duration, plural
from shared.game_search import ListedGame
from shared.models import Answer, Game, GameStatus
from shared.series.rule import Rule
from shared.signup_rules import closing_time
from shared.slots import Seats, count_free_seats

_DESCRIPTION_LIMIT = 2000
"""Below Discord's 4096, so that the whole embed stays within 6000."""
_EMBED_LIMIT = 6000
"""Of all texts of an embed."""
_NO_SLOT = "No slot yet"
_UNCONFIRMED = "❔"
_OFFERED = "⏳"
_ONE_LINE_EACH = 10
"""Larger rosters are shown as running text."""
_WAITLIST_LIMIT = 700
_OTHERS_LIMIT = 400
_CO_HOSTS_LIMIT = 200
"""These stay below Discord's 1024, so that the whole embed stays within 6000 however many answer."""
_LIST_LIMIT = 4000
"""Of the 4096 characters of an embed's description."""


@dataclass(frozen=True)
class Responder:
    """A user without a seat, their answer, and the slot for which they wait."""

    user_id: int
    answer: Answer
    slot: str | None = None


@dataclass(frozen=True, kw_only=True)
class GamePeople:
    """The people whom a game's embed shows besides its host."""

    seats: Seats = field(default_factory=dict)
    """The players, in the order of joining, with their slots."""
    responses: Sequence[Responder] = ()
    """The answers of users without a seat, in the order they answered."""
    unconfirmed: Collection[int] = ()
    """The players who have not confirmed a new time."""
    offered: Collection[int] = ()
    """The players who have not taken an offered seat yet."""
    co_hosts: Sequence[int] = ()


NOBODY = GamePeople()


@dataclass(frozen=True)
class StatusStyle:
    """A status's colour, on the embed's edge, and its line of text."""

    colour: int
    line: str


STATUS_STYLES = {
    GameStatus.SCHEDULED: StatusStyle(0xD9A441, "🗓️ **Scheduled**"),
    GameStatus.IN_PROGRESS: StatusStyle(0x3BA55D, "🟢 **In progress**"),
    GameStatus.COMPLETED: StatusStyle(0x7A818C, "🏁 **Completed**"),
    GameStatus.CANCELLED: StatusStyle(0xB83B3B, "❌ **Cancelled**"),
}


def announcement_message(
    game: Game, people: GamePeople = NOBODY, *, is_closed: bool = False, nonce: str = ""
) -> Payload:
    """Return a game's announcement. `nonce` identifies a delivered message.

    Once sign-ups are closed, Join is only for players who have yet to confirm a new time or to take an offered seat.
    """
    can_join = not is_closed or bool(people.unconfirmed) or bool(people.offered)
    buttons = signup_buttons(game.id, nonce=nonce, can_join=can_join)
    is_open = game.status is GameStatus.SCHEDULED
    return {
        "embeds": [game_embed(game, people)],
        "components": [*buttons, *slot_menu(game, people.seats, can_join=can_join)] if is_open else [],
        "allowed_mentions": allowed_mentions(()),
    }


def game_embed(game: Game, people: GamePeople = NOBODY) -> Payload:
    """Return the embed with all details of a game."""
    embed: Payload = {
        "title": _title(game),
        "description": _description(game, people),
        "color": STATUS_STYLES[game.status].colour,
        "fields": _details(game, people.co_hosts),
        "footer": {"text": "Times are shown in your time zone."},
    }
    answers = _answers(game, people.responses)
    left = _EMBED_LIMIT - _embed_length(embed) - _fields_length(answers)
    embed["fields"] += [*_rosters(game, people, room=left), *answers]
    return embed


def game_list_embed(games: Sequence[ListedGame]) -> Payload:
    """Return the embed that lists games, cut where it is full."""
    return {
        "title": "🎲 Upcoming games",
        "description": format_list([_list_line(game) for game in games])
        or "No games planned yet. To plan one, use `/game create`.",
        "color": STATUS_STYLES[GameStatus.SCHEDULED].colour,
    }


def format_heading(title: str, game: Game | ListedGame | None) -> str:
    """Return the title of an entry of a list, as a link to the game's announcement once it is posted."""
    text = escape(title, limit=150) or UNTITLED
    link = None if game is None else message_link(game)
    return f"**[{text}]({link})**" if link else f"**{text}**"


def format_list(entries: Sequence[str]) -> str:
    """Return entries as the description of an embed, and how many more there are where it is full."""
    shown: list[str] = []
    room = _LIST_LIMIT
    for entry in entries:
        room -= utf16_length(entry) + 2
        if room < 0:
            shown.append(f"and {len(entries) - len(shown)} more")
            break
        shown.append(entry)
    return "\n\n".join(shown)


def seat_count(game: Game | ListedGame, player_count: int) -> str:
    """Return "3/5", or "3" for a game without a limit."""
    return f"{player_count}/{game.capacity}" if game.capacity is not None else str(player_count)


def _title(game: Game) -> str:
    title = escape(game.title, limit=EMBED_TITLE_LIMIT - 8) or UNTITLED
    return f"🎲 ~~{title}~~" if game.status is GameStatus.CANCELLED else f"🎲 {title}"


def _when(game: Game) -> str:
    start, end = format_timestamp(game.scheduled_at, "F"), format_timestamp(game.ends_at, "t")
    return f"{start} to {end}\n{format_timestamp(game.scheduled_at, 'R')}"


def _description(game: Game, people: GamePeople) -> str:
    line = STATUS_STYLES[game.status].line
    free = count_free_seats(game, people.seats)
    if game.status is GameStatus.SCHEDULED and free is not None:
        line += f" · {plural(free, 'seat')} left" if free > 0 else " · full, but you can join the waitlist"
    if game.series_rule is not None:
        line += f"\n🔁 {Rule.parse(game.series_rule).describe()}"
    if people.unconfirmed and game.status is GameStatus.SCHEDULED:
        line += f"\n{_UNCONFIRMED} {plural(len(people.unconfirmed), 'player')} yet to confirm the new time"
    if people.offered and game.status is GameStatus.SCHEDULED:
        line += f"\n{_OFFERED} {plural(len(people.offered), 'player')} yet to take an offered seat"
    text = escape_description(game.description, limit=_DESCRIPTION_LIMIT)
    return f"{line}\n\n{text}" if text else line


def _details(game: Game, co_hosts: Sequence[int]) -> list[Payload]:
    """Return the fields that a host has filled in."""
    return [
        _field("When", _when(game)),
        *_place(game),
        *_closing(game),
        _field("Duration", format_duration(game.duration), inline=True),
        _field("Host", format_mention(game.host_id), inline=True),
        *_co_hosts(co_hosts),
        _field("Reminders", describe_offsets(game.reminder_offsets).capitalize(), inline=True),
        *_limits(game),
    ]


def _rosters(game: Game, people: GamePeople, *, room: int) -> list[Payload]:
    """Return a field for the players, or one for each slot, which share the room that is left."""
    marks = dict.fromkeys(people.unconfirmed, _UNCONFIRMED) | dict.fromkeys(people.offered, _OFFERED)
    if game.slots:
        return _slot_rosters(game, people.seats, marks, room=room)
    return [_field(f"Players {seat_count(game, len(people.seats))}", _roster(list(people.seats), marks))]


def _answers(game: Game, responses: Sequence[Responder]) -> list[Payload]:
    """Return the fields of the users who answered and have no seat."""
    users = {answer: [it.user_id for it in responses if it.answer is answer] for answer in Answer}
    return [
        *_waitlist(game, {it.user_id: it.slot for it in responses if it.answer is Answer.WAITLISTED}),
        *_others("Maybe", users[Answer.MAYBE]),
        *_others("Can't", users[Answer.DECLINED]),
    ]


def _co_hosts(user_ids: Sequence[int]) -> list[Payload]:
    if not user_ids:
        return []
    value = fold(list(map(format_mention, user_ids)), separator=" ", limit=_CO_HOSTS_LIMIT)
    return [_field("Co-host" if len(user_ids) == 1 else "Co-hosts", value, inline=True)]


def _place(game: Game) -> list[Payload]:
    place = format_place(game.place or "")
    return [_field("Place", place)] if place else []


def _closing(game: Game) -> list[Payload]:
    """Return until when users can join, which the relative time also says afterwards."""
    closes_at = closing_time(game)
    if closes_at is None:
        return []
    return [_field("Sign-ups", f"until {format_timestamp(closes_at, 'f')} ({format_timestamp(closes_at, 'R')})")]


def _limits(game: Game) -> list[Payload]:
    """Return who can join, and how many must."""
    fields = []
    if game.required_role_id is not None:
        fields.append(_field("Only for", format_role(game.required_role_id), inline=True))
    if game.minimum_players is not None:
        fields.append(_field("Needs", f"at least {plural(game.minimum_players, 'player')}", inline=True))
    return fields


def _roster(players: Sequence[int], marks: Mapping[int, str], *, limit: int = FIELD_LIMIT) -> str:
    if not players:
        return "Nobody yet"
    separator = "\n" if len(players) <= _ONE_LINE_EACH else " "
    names = [f"{format_mention(user)} {marks[user]}" if user in marks else format_mention(user) for user in players]
    return fold(names, separator=separator, limit=limit)


def _slot_rosters(game: Game, seats: Seats, marks: Mapping[int, str], *, room: int) -> list[Payload]:
    """Return a field for each slot, and one for players without a slot, which share the room that is left."""
    groups: list[tuple[str, list[int]]] = []
    for slot in game.slots:
        players = [user for user, name in seats.items() if name == slot.name]
        groups.append((f"{format_slot(slot)} {slot_count(slot, len(players))}", players))
    known = {slot.name for slot in game.slots}
    if rest := [user for user, name in seats.items() if name not in known]:
        groups.append((f"{_NO_SLOT} {len(rest)}", rest))
    room -= sum(utf16_length(title) for title, _ in groups)
    values: dict[int, str] = {}
    for at in sorted(range(len(groups)), key=lambda at: len(groups[at][1])):  # small ones leave room for the others
        limit = min(FIELD_LIMIT, room // (len(groups) - len(values)))
        values[at] = _roster(groups[at][1], marks, limit=limit)
        room -= utf16_length(values[at])
    return [_field(title, values[at], inline=True) for at, (title, _) in enumerate(groups)]


def _waitlist(game: Game, waiting: Seats) -> list[Payload]:
    if not waiting:
        return []
    lines: list[str] = []
    numbers: Counter[str | None] = Counter()
    for user_id, name in waiting.items():
        numbers[name] += 1
        slot = f" · {shown}" if (shown := format_slot_of(game, name)) else ""
        lines.append(f"{numbers[name]}. {format_mention(user_id)}{slot}")
    return [_field(f"Waitlist {len(waiting)}", fold(lines, separator="\n", limit=_WAITLIST_LIMIT))]


def _others(name: str, user_ids: Sequence[int]) -> list[Payload]:
    if not user_ids:
        return []
    value = fold(list(map(format_mention, user_ids)), separator=" ", limit=_OTHERS_LIMIT)
    return [_field(f"{name} {len(user_ids)}", value, inline=True)]


def fold(entries: Sequence[str], *, separator: str, limit: int) -> str:
    """Return as many entries as fit, and how many do not."""
    room = limit - utf16_length(f"{separator}and {len(entries)} more")
    shown: list[str] = []
    for entry in entries:
        room -= utf16_length(entry + separator)
        if room < 0:
            return separator.join([*shown, f"and {len(entries) - len(shown)} more"])
        shown.append(entry)
    return separator.join(shown)


def _embed_length(embed: Payload) -> int:
    """Return how many characters an embed has for Discord."""
    texts = (embed["title"], embed["description"], embed["footer"]["text"])
    return sum(map(utf16_length, texts)) + _fields_length(embed["fields"])


def _fields_length(fields: Sequence[Payload]) -> int:
    return sum(utf16_length(field["name"]) + utf16_length(field["value"]) for field in fields)


def _list_line(game: ListedGame) -> str:
    number = game.player_count
    count = plural(number, "player") if game.capacity is None else f"{seat_count(game, number)} players"
    when = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    return f"{format_heading(game.title, game)} · {count}\n{when}"


def _field(name: str, value: str, *, inline: bool = False) -> Payload:
    return {"name": name, "value": value, "inline": inline}
