"""Finds series by text, and suggests series and their dates."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.lookup import Choices, suggest_in_time
from bot.features.rights import manages_games
from bot.rendering.escaping import clean, escape
from shared import database
from shared.guild_settings import get_guild_settings
from shared.models import GameSeries, SeriesState
from shared.series.lifecycle import list_next
from shared.series.planning import resolve
from shared.series.rule import Rule
from shared.series.search import RUNNING, find_series, search_series

_SUGGESTIONS_LIMIT = 25
_NAME_LIMIT = 100
_DATES_LIMIT = 10
_STATES = {SeriesState.ACTIVE: "", SeriesState.PAUSED: " (paused)", SeriesState.ENDED: " (ended)"}


async def find_series_by_text(session: AsyncSession, text: str, *, guild_id: int) -> GameSeries:
    """Return the server's series with this id or with this text in its title.

    Raises:
        UserError: no series matches, or several do.
    """
    try:
        series = await find_series(session, UUID(text), guild_id=guild_id)
        found = [series] if series is not None else []
    except ValueError:
        found = list(await search_series(session, guild_id, clean(text), limit=_SUGGESTIONS_LIMIT))
    exact = [series for series in found if series.title.casefold() == clean(text).casefold()] or found
    running = [series for series in exact if series.state in RUNNING] or exact
    if len(running) == 1:
        return running[0]
    if running:
        raise UserError(f"{len(running)} series match that title. Pick one from the list that appears as you type.")
    raise UserError(
        f"I can't find a series called “{escape(text, limit=80)}”. "
        "Pick one from the list that appears as you type, or see `/series list`."
    )


async def suggest_series(interaction: Interaction, current: str) -> Choices:
    """Return the series whose titles contain the text."""
    return await suggest_in_time(lambda: _find_choices(interaction, current, states=frozenset(SeriesState)))


async def suggest_running_series(interaction: Interaction, current: str) -> Choices:
    """Return the matching series that have not ended and that the user may change."""
    return await suggest_in_time(lambda: _find_choices(interaction, current, states=RUNNING, only_own=True))


async def suggest_own_series(interaction: Interaction, current: str) -> Choices:
    """Return the matching series that the user may change, also those that have ended."""
    return await suggest_in_time(lambda: _find_choices(interaction, current, states=set(SeriesState), only_own=True))


async def suggest_dates(interaction: Interaction, _current: str) -> Choices:
    """Return the next dates of the series that is entered already."""

    async def work() -> Choices:
        async with database.transaction(interaction.client.sessions) as session:
            entered = getattr(interaction.namespace, "series", None) or ""
            try:
                series = await find_series_by_text(session, entered, guild_id=interaction.guild_id or 0)
            except UserError:
                return []
            dates = await list_next(session, series, limit=_DATES_LIMIT)
        return [
            app_commands.Choice(
                name=format_local(series, local) + ("" if game is None else " · announced"), value=local.isoformat()
            )
            for local, game in dates.items()
        ]

    return await suggest_in_time(work)


def format_local(series: GameSeries, local: datetime) -> str:
    """Return "Fri 4 Dec 2026, 20:00 (Europe/Berlin)", for texts in which Discord doesn't render `<t:…>`."""
    shown = resolve(local, ZoneInfo(series.zone)).astimezone(ZoneInfo(series.zone))
    return f"{shown:%a} {shown.day} {shown:%b %Y, %H:%M} ({series.zone})"


async def _find_choices(
    interaction: Interaction, text: str, *, states: frozenset[SeriesState] | set[SeriesState], only_own: bool = False
) -> Choices:
    async with database.transaction(interaction.client.sessions) as session:
        settings = await get_guild_settings(session, interaction.guild_id or 0)
        host_id = interaction.user.id if only_own and not manages_games(interaction, settings) else None
        found = await search_series(
            session,
            interaction.guild_id or 0,
            clean(text),
            states=states,
            host_id=host_id,
            limit=_SUGGESTIONS_LIMIT,
        )
    return [app_commands.Choice(name=_format_choice(series), value=str(series.id)) for series in found]


def _format_choice(series: GameSeries) -> str:
    meaning = f" · {Rule.parse(series.rule).describe()}{_STATES[series.state]}"[: _NAME_LIMIT - 20]
    title, room = clean(series.title), _NAME_LIMIT - len(meaning)
    return (title if len(title) <= room else title[: room - 1] + "…") + meaning
