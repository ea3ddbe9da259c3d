"""What Discord suggests while somebody types: how a time would be read, which sessions there are, which zones.

A suggestion has three seconds and no way to say that it failed, so trouble suggests nothing: the command itself
answers in full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from discord import app_commands

from bot.features import zones
from bot.features.errors import UserError
from bot.features.games import _cancelling
from bot.features.games._choosing import SEARCHED, titled
from bot.features.times import parse_when
from bot.rendering.escaping import clean
from shared import database, logs
from shared.errors import TransientError
from shared.games import guild_zone, upcoming_games
from shared.models import Game

if TYPE_CHECKING:
    from bot.features.answering import Interaction

Choices = list[app_commands.Choice[str]]

_MOST = 25
_NAME_LIMIT = 100
_TIMEOUT = 2.5
_EXAMPLES = ("tomorrow 8pm", "saturday 19:30", "in 2 hours", "in 15 minutes")


async def readings(interaction: Interaction, current: str) -> Choices:
    """Return how the text would be read by the server's clocks, or examples."""

    async def work() -> Choices:
        async with database.transaction(interaction.client.sessions) as session:
            zone = await guild_zone(session, interaction.guild_id or 0)
        texts = (current,) if current.strip() else _EXAMPLES
        return [choice for text in texts if (choice := await _reading(text, zone=zone))]

    return await _in_time(work)


async def any_game(interaction: Interaction, current: str) -> Choices:
    """Return the coming sessions with such a title."""
    return await _in_time(lambda: _games(interaction, current, wanted=lambda _game: True))


async def cancellable_game(interaction: Interaction, current: str) -> Choices:
    """Return the coming sessions with such a title that the person may cancel."""
    return await _in_time(
        lambda: _games(interaction, current, wanted=lambda game: _cancelling.may_cancel(interaction, game))
    )


async def zone(_interaction: Interaction, current: str) -> Choices:
    """Return the zones that hold the text."""
    found = await asyncio.to_thread(zones.matching, current, limit=_MOST)
    return [app_commands.Choice(name=name, value=name) for name in found]


async def _games(interaction: Interaction, text: str, *, wanted: Callable[[Game], bool]) -> Choices:
    guild_id = interaction.guild_id or 0
    async with database.transaction(interaction.client.sessions) as session:
        info = ZoneInfo(await guild_zone(session, guild_id))
        games = await upcoming_games(session, guild_id, limit=SEARCHED)
    found = [game for game in titled(games, text) if wanted(game)]
    return [
        app_commands.Choice(name=_named(game.title, game.scheduled_at, info), value=str(game.id))
        for game in found[:_MOST]
    ]


async def _reading(text: str, *, zone: str) -> app_commands.Choice[str] | None:
    try:
        at = await asyncio.to_thread(parse_when, text, zone=zone, now=datetime.now(UTC))
    except UserError:
        return None
    return app_commands.Choice(name=_named(text, at, ZoneInfo(zone)), value=text)


def _named(text: str, at: datetime, info: ZoneInfo) -> str:
    """Return a text and a time by the server's clocks: Discord renders no `<t:…>` in suggestions."""
    local = at.astimezone(info)
    when = f" · {local:%a} {local.day} {local:%b %Y, %H:%M} ({info.key})"
    shown, room = clean(text), _NAME_LIMIT - len(when)
    return (shown if len(shown) <= room else f"{shown[: room - 1]}…") + when


async def _in_time(work: Callable[[], Awaitable[Choices]]) -> Choices:
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await work()
    except (TransientError, TimeoutError) as error:
        logs.get().warning("No suggestions", action="suggestions_failed", error=str(error) or "timed out")
        return []
