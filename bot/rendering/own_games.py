"""The list of a user's games."""

from __future__ import annotations

from collections.abc import Sequence

from bot.rendering.embeds import STATUS_STYLES, format_heading, format_list, seat_count
from bot.rendering.escaping import clean, escape
from bot.rendering.formatting import format_timestamp
from bot.rendering.payload import Payload
from shared.game_search import OwnGame
from shared.models import GameStatus

_ANSWERS = {
    "going": "✅ You're going",
    "unconfirmed": "❔ You haven't confirmed the new time",
    "offered": "⏳ A seat is offered to you. To take it, press Join",
    "maybe": "🤔 Maybe",
    "waitlisted": "⏳ On the waitlist",
    "declined": "❌ You can't make it",
}
_NOTHING = "You have no upcoming games. `/game list` shows those of a server."


def own_games_embed(games: Sequence[OwnGame], *, shows_server: bool) -> Payload:
    """Return the embed that lists a user's games, cut where it is full."""
    return {
        "title": "🎲 Your upcoming games",
        "description": format_list([_format_game(game, shows_server=shows_server) for game in games]) or _NOTHING,
        "color": STATUS_STYLES[GameStatus.SCHEDULED].colour,
    }


def _format_game(game: OwnGame, *, shows_server: bool) -> str:
    heading = format_heading(game.title, game)
    when = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    roles = ["👑 You're the host"] if game.is_host else []
    roles += [_ANSWERS.get(game.answer, game.answer)] if game.answer else []
    name = clean(game.guild_name or "") if shows_server else ""
    server = f" · {escape(name, limit=80)}" if name else ""
    return f"{heading}{server}\n{when}\n{' · '.join([*roles, f'Players: {seat_count(game, game.player_count)}'])}"
