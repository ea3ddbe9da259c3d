"""Finds games by text, and suggests games, times and time zones.

Discord waits three seconds for suggestions and shows no errors, so a failure suggests nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.times import format_zone_choice, give_examples, search_time_zones
from bot.features.times import suggest_start_times as list_start_times
from bot.rendering.escaping import clean, escape
from shared import database, logs
from shared.errors import TransientError
from shared.games import find_game, get_guild_zone, list_upcoming_games
from shared.models import Game

Choices = list[app_commands.Choice[str]]

SEARCH_LIMIT = 200
"""Upcoming games of a server that are searched, the soonest first."""
_SUGGESTIONS_LIMIT = 25
_NAME_LIMIT = 100
_TIMEOUT = 2.5


async def find_game_by_text(session: AsyncSession, text: str, *, guild_id: int) -> Game:
    """Return the server's game with this id or with this text in its title.

    Raises:
        UserError: no game matches, or several do.
    """
    game_id = _parse_id(text)
    if game_id is not None and (game := await find_game(session, game_id, guild_id=guild_id)) is not None:
        return game
    games = await list_upcoming_games(session, guild_id, limit=SEARCH_LIMIT)
    exact = [game for game in games if _fold(game.title) == _fold(text)]
    matches = exact or filter_by_title(games, text)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UserError(f"{len(matches)} games match that title. Pick one from the list that appears as you type.")
    raise UserError(
        f"I can't find an upcoming game called “{escape(text, limit=80)}”. "
        "Pick one from the list that appears as you type, or see `/game list`."
    )


def filter_by_title(games: Sequence[Game], text: str) -> list[Game]:
    """Return the games whose titles contain a text, ignoring case."""
    return [game for game in games if _fold(text) in _fold(game.title)]


def may_cancel(interaction: Interaction, game: Game) -> bool:
    """Return whether the user is the host or has the permission Manage Events or Manage Server."""
    granted = interaction.permissions
    manages = granted.manage_events or granted.manage_guild or granted.administrator
    return manages or interaction.user.id == game.host_id


async def suggest_start_times(interaction: Interaction, current: str) -> Choices:
    """Return each time that the text can mean, or why it means none. An empty text gets examples."""

    async def work() -> Choices:
        async with database.transaction(interaction.client.sessions) as session:
            zone = await get_guild_zone(session, interaction.guild_id or 0)
        now, locale = datetime.now(UTC), format_locale(interaction)
        return [
            app_commands.Choice(name=_join(text, meaning), value=value)
            for text in ([current] if current.strip() else give_examples(now, zone=zone))
            for meaning, value in list_start_times(text, zone=zone, now=now, locale=locale)
        ]

    return await _suggest_in_time(work)


def format_locale(interaction: Interaction) -> str | None:
    """Return the server's locale, such as "en-US"."""
    return None if interaction.guild_locale is None else interaction.guild_locale.value


async def suggest_games(interaction: Interaction, current: str) -> Choices:
    """Return the upcoming games whose titles contain the text."""
    return await _suggest_in_time(lambda: _matching_games(interaction, current, include=lambda _game: True))


async def suggest_cancellable_games(interaction: Interaction, current: str) -> Choices:
    """Return the matching games that the user may cancel."""
    return await _suggest_in_time(
        lambda: _matching_games(interaction, current, include=lambda game: may_cancel(interaction, game))
    )


async def suggest_time_zones(_interaction: Interaction, current: str) -> Choices:
    """Return the time zones that the text can mean, with the time there now."""
    now = datetime.now(UTC)
    zones = search_time_zones(current, limit=_SUGGESTIONS_LIMIT)
    return [app_commands.Choice(name=format_zone_choice(zone, now=now), value=zone) for zone in zones]


async def _matching_games(interaction: Interaction, text: str, *, include: Callable[[Game], bool]) -> Choices:
    guild_id = interaction.guild_id or 0
    async with database.transaction(interaction.client.sessions) as session:
        zone = ZoneInfo(await get_guild_zone(session, guild_id))
        games = await list_upcoming_games(session, guild_id, limit=SEARCH_LIMIT)
    matches = [game for game in filter_by_title(games, text) if include(game)]
    return [
        app_commands.Choice(name=_format_choice(game.title, game.scheduled_at, zone), value=str(game.id))
        for game in matches[:_SUGGESTIONS_LIMIT]
    ]


def _format_choice(text: str, at: datetime, zone: ZoneInfo) -> str:
    """Return a text with a local time, because Discord doesn't render `<t:…>` in suggestions."""
    local = at.astimezone(zone)
    return _join(text, f"{local:%a} {local.day} {local:%b %Y, %H:%M} ({zone.key})")


def _join(text: str, meaning: str) -> str:
    shown, room = clean(text), _NAME_LIMIT - len(f" · {meaning}")
    return f"{shown if len(shown) <= room else shown[: room - 1] + '…'} · {meaning}"


async def _suggest_in_time(work: Callable[[], Awaitable[Choices]]) -> Choices:
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await work()
    except (TransientError, TimeoutError) as error:
        logs.get().warning("No suggestions", action="suggestions_failed", error=str(error) or "timed out")
        return []


def _fold(text: str) -> str:
    return clean(text).casefold()


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
