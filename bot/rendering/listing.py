"""The list of a server's coming sessions, as one embed."""

from __future__ import annotations

from collections.abc import Sequence

from bot.rendering.announcements import LOOKS, seats
from bot.rendering.formatting import format_timestamp
from bot.rendering.payload import Payload, message_link
from bot.rendering.text import escaped, length
from shared.formatting import plural
from shared.models import Game, GameStatus

_LIMIT = 4000
"""Of an embed's 4096 characters."""


def listing(games: Sequence[Game]) -> Payload:
    """Return the embed that lists games, with their participants loaded, in the order given; cut where it is full."""
    lines: list[str] = []
    room = _LIMIT
    for game in games:
        line = _line(game)
        room -= length(line) + 2
        if room < 0:
            lines.append(f"and {len(games) - len(lines)} more")
            break
        lines.append(line)
    return {
        "title": "🎲 Upcoming games",
        "description": "\n\n".join(lines) or "No games planned yet. Create one with `/game create`.",
        "color": LOOKS[GameStatus.SCHEDULED].colour,
    }


def _line(game: Game) -> str:
    title = escaped(game.title, limit=150) or "Untitled game"
    link = message_link(game)
    players = [participant.user_id for participant in game.participants]
    return (f"**[{title}]({link})**" if link else f"**{title}**") + (
        f" · {plural(len(players), 'player') if game.capacity is None else seats(game, players) + ' players'}"
        f"\n{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    )
