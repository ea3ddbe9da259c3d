"""A session's announcement: the message that players see, join by, and that follows the session to its end.

It shows the state of the game as it is now and is rendered anew for every edit; nothing is patched into an older one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.rendering.buttons import signup
from bot.rendering.formatting import format_mention, format_timestamp
from bot.rendering.payload import EMBED_TITLE_LIMIT, FIELD_LIMIT, Payload, pings
from bot.rendering.text import escaped, length
from shared.formatting import format_duration, plural
from shared.models import Game, GameStatus

_DESCRIPTION_LIMIT = 2000
"""Below Discord's 4096, so that a session fits a screen and all of the embed stays within 6000."""
_LINES_LIMIT = 10
"""Up to this many players stand one a line; more flow."""


@dataclass(frozen=True)
class Look:
    """How a status appears: the colour of the embed's edge, and a line."""

    colour: int
    line: str


LOOKS = {
    GameStatus.SCHEDULED: Look(0xD9A441, "🗓️ **Scheduled**"),
    GameStatus.IN_PROGRESS: Look(0x3BA55D, "🟢 **In progress**"),
    GameStatus.COMPLETED: Look(0x7A818C, "🏁 **Completed**"),
    GameStatus.CANCELLED: Look(0xB83B3B, "❌ **Cancelled**"),
}


def announcement(game: Game, players: Sequence[int]) -> Payload:
    """Return the message that announces a game, with its roster in the order of joining and, while open, buttons."""
    return {
        "embeds": [card(game, players)],
        "components": signup(game.id) if game.status is GameStatus.SCHEDULED else [],
        "allowed_mentions": pings(()),
    }


def card(game: Game, players: Sequence[int]) -> Payload:
    """Return the embed that shows everything of a game."""
    look = LOOKS[game.status]
    return {
        "title": _title(game),
        "description": _description(game, players),
        "color": look.colour,
        "fields": [
            _field("When", f"{format_timestamp(game.scheduled_at, 'F')}\n{format_timestamp(game.scheduled_at, 'R')}"),
            _field("Duration", format_duration(game.duration), inline=True),
            _field("Host", format_mention(game.host_id), inline=True),
            _field(f"Players {seats(game, players)}", _roster(players)),
        ],
        "footer": {"text": "Times are shown in your time zone."},
    }


def seats(game: Game, players: Sequence[int]) -> str:
    """Return "3/5", or "3" for a game without a limit."""
    return f"{len(players)}/{game.capacity}" if game.capacity is not None else str(len(players))


def _title(game: Game) -> str:
    title = escaped(game.title, limit=EMBED_TITLE_LIMIT - 8) or "Untitled game"
    return f"🎲 ~~{title}~~" if game.status is GameStatus.CANCELLED else f"🎲 {title}"


def _description(game: Game, players: Sequence[int]) -> str:
    line = LOOKS[game.status].line
    if game.status is GameStatus.SCHEDULED and game.capacity is not None:
        free = game.capacity - len(players)
        line += f" · {plural(free, 'seat')} left" if free > 0 else " · full"
    text = escaped(game.description, limit=_DESCRIPTION_LIMIT, lines=True)
    return f"{line}\n\n{text}" if text else line


def _roster(players: Sequence[int]) -> str:
    if not players:
        return "Nobody yet"
    separator = "\n" if len(players) <= _LINES_LIMIT else " "
    room = FIELD_LIMIT - length(f"{separator}and {len(players)} more")
    shown: list[str] = []
    for player in players:
        name = format_mention(player)
        room -= length(name + separator)
        if room < 0:
            return separator.join([*shown, f"and {len(players) - len(shown)} more"])
        shown.append(name)
    return separator.join(shown)


def _field(name: str, value: str, *, inline: bool = False) -> Payload:
    return {"name": name, "value": value, "inline": inline}
