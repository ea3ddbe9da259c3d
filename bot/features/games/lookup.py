"""Finds games by text or button, and suggests games, times and time zones.

Discord waits three seconds for suggestions and shows no errors, so a failure suggests nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.repeats import list_repeats
from bot.features.rights import manages_games
from bot.features.times import format_zone_choice, give_examples, parse_start_time, search_time_zones
from bot.features.times import suggest_start_times as list_start_times
from bot.rendering.escaping import clean, escape
from shared import database, logs
from shared.errors import TransientError
from shared.game_search import search_games
from shared.games import find_game
from shared.guild_settings import get_guild_settings
from shared.models import Game
from shared.templates import list_templates
from shared.users import find_zone

Choices = list[app_commands.Choice[str]]

_SUGGESTIONS_LIMIT = 25
_NAME_LIMIT = 100
_TIMEOUT = 2.5


async def find_game_by_text(session: AsyncSession, text: str, *, guild_id: int, is_over: bool = False) -> Game:
    """Return the server's game with this id or with this text in its title. It may also be over if `is_over`.

    Raises:
        UserError: no game matches, or several do.
    """
    game_id = _parse_id(text)
    if game_id is not None and (game := await find_game(session, game_id, guild_id=guild_id)) is not None:
        return game
    found = await search_games(session, guild_id, clean(text), limit=_SUGGESTIONS_LIMIT, is_over=is_over)
    matches = [match for match in found if match.title.casefold() == clean(text).casefold()] or found
    if len(matches) == 1 and (game := await find_game(session, matches[0].id, guild_id=guild_id)) is not None:
        return game
    if matches:
        raise UserError(f"{len(matches)} games match that title. Pick one from the list that appears as you type.")
    raise UserError(
        f"I can't find an upcoming game called “{escape(text, limit=80)}”. "
        "Pick one from the list that appears as you type, or see `/game list`."
    )


async def require_game(session: AsyncSession, game_id: UUID, *, guild_id: int | None, has_roster: bool = True) -> Game:
    """Return the game of a button, with its players and responses if `has_roster`.

    Raises:
        UserError: it is deleted.
    """
    game = await find_game(session, game_id, guild_id=guild_id, has_roster=has_roster)
    if game is None:
        raise UserError("This game no longer exists. See `/game list` for upcoming games.")
    return game


async def suggest_start_times(interaction: Interaction, current: str) -> Choices:
    """Return each time that the text can mean, or why it means none. An empty text gets examples."""

    async def work() -> Choices:
        async with database.transaction(interaction.client.sessions) as session:
            zone = await find_zone(session, interaction.user.id, guild_id=interaction.guild_id or 0)
        now, locale = datetime.now(UTC), format_locale(interaction)
        return [
            app_commands.Choice(name=_join(text, meaning), value=value)
            for text in ([current] if current.strip() else give_examples(now, zone=zone))
            for meaning, value in list_start_times(text, zone=zone, now=now, locale=locale)
        ]

    return await suggest_in_time(work)


def format_locale(interaction: Interaction) -> str | None:
    """Return the server's locale, such as "en-US"."""
    return None if interaction.guild_locale is None else interaction.guild_locale.value


async def suggest_games(interaction: Interaction, current: str) -> Choices:
    """Return the upcoming games whose titles contain the text."""
    return await suggest_in_time(lambda: _matching_games(interaction, current))


async def suggest_manageable_games(interaction: Interaction, current: str) -> Choices:
    """Return the matching games that the user may change or cancel."""
    return await suggest_in_time(lambda: _matching_games(interaction, current, is_manageable=True))


async def suggest_games_with_history(interaction: Interaction, current: str) -> Choices:
    """Return the matching games that the user may change, or might have changed lately."""
    return await suggest_in_time(lambda: _matching_games(interaction, current, is_manageable=True, is_over=True))


async def suggest_repeats(interaction: Interaction, current: str) -> Choices:
    """Return the ways to repeat that the text can mean, from the start on that is entered already."""

    async def work() -> Choices:
        async with database.transaction(interaction.client.sessions) as session:
            zone = await find_zone(session, interaction.user.id, guild_id=interaction.guild_id or 0)
        now = datetime.now(UTC)
        entered = getattr(interaction.namespace, "when", None) or ""
        try:
            start = parse_start_time(entered, zone=zone, now=now, locale=format_locale(interaction)).at
        except UserError:
            start = now
        local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        return [
            app_commands.Choice(name=meaning[:_NAME_LIMIT], value=wording)
            for meaning, wording in list_repeats(current, start=local)
        ]

    return await suggest_in_time(work)


async def suggest_all_games(interaction: Interaction, current: str) -> Choices:
    """Return the matching games, also those that were lately over."""
    return await suggest_in_time(lambda: _matching_games(interaction, current, is_over=True))


async def suggest_templates(interaction: Interaction, current: str) -> Choices:
    """Return the server's templates whose names contain the text."""

    async def work() -> Choices:
        async with database.transaction(interaction.client.sessions) as session:
            templates = await list_templates(session, interaction.guild_id or 0)
        wanted = clean(current).casefold()
        return [
            app_commands.Choice(name=template.name[:_NAME_LIMIT], value=template.name)
            for template in templates
            if wanted in template.key
        ]

    return await suggest_in_time(work)


async def suggest_time_zones(_interaction: Interaction, current: str) -> Choices:
    """Return the time zones that the text can mean, with the time there now."""
    now = datetime.now(UTC)
    zones = search_time_zones(current, limit=_SUGGESTIONS_LIMIT)
    return [app_commands.Choice(name=format_zone_choice(zone, now=now), value=zone) for zone in zones]


async def _matching_games(
    interaction: Interaction, text: str, *, is_manageable: bool = False, is_over: bool = False
) -> Choices:
    guild_id = interaction.guild_id or 0
    async with database.transaction(interaction.client.sessions) as session:
        settings = await get_guild_settings(session, guild_id)
        zone = ZoneInfo(await find_zone(session, interaction.user.id, guild_id=guild_id))
        host_id = interaction.user.id if is_manageable and not manages_games(interaction, settings) else None
        games = await search_games(
            session, guild_id, clean(text), limit=_SUGGESTIONS_LIMIT, host_id=host_id, is_over=is_over
        )
    return [
        app_commands.Choice(name=_format_choice(game.title, game.scheduled_at, zone), value=str(game.id))
        for game in games
    ]


def _format_choice(text: str, at: datetime, zone: ZoneInfo) -> str:
    """Return a text with a local time, because Discord doesn't render `<t:…>` in suggestions."""
    local = at.astimezone(zone)
    return _join(text, f"{local:%a} {local.day} {local:%b %Y, %H:%M} ({zone.key})")


def _join(text: str, meaning: str) -> str:
    shown, room = clean(text), _NAME_LIMIT - len(f" · {meaning}")
    return f"{shown if len(shown) <= room else shown[: room - 1] + '…'} · {meaning}"


async def suggest_in_time(work: Callable[[], Awaitable[Choices]]) -> Choices:
    """Return the choices that `work` finds, or none after a failure."""
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await work()
    except (TransientError, TimeoutError) as error:
        logs.get().warning("No suggestions", action="suggestions_failed", error=str(error) or "timed out")
        return []


def _parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
