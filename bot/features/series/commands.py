"""The `/series` commands."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import discord
from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.creation import MOST_PLAYERS
from bot.features.games.editing import DETAIL_DESCRIPTIONS
from bot.features.games.history import ENTRIES_LIMIT
from bot.features.games.limits import read_role
from bot.features.games.lookup import suggest_repeats
from bot.features.games.place import MOST_CHARACTERS
from bot.features.games.quotas import require_quota
from bot.features.interactions import Reply, respond_in_transaction, respond_once
from bot.features.repeats import confirm_dates
from bot.features.rights import require_host
from bot.features.series.editing import NO_REGULARS, EditSeriesOptions, edit_series_from_options
from bot.features.series.lookup import (
    find_series_by_text,
    suggest_dates,
    suggest_own_series,
    suggest_running_series,
    suggest_series,
)
from bot.rendering import series_embed, series_list_embed
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_timestamp, format_title
from bot.rendering.history import history_message
from shared.audit import list_series_entries
from shared.models import Game, GameSeries, PauseReason
from shared.series.lifecycle import (
    SkipResult,
    end_series,
    list_next,
    list_next_of_many,
    pause_series,
    resume_series,
    skip_occurrence,
)
from shared.series.occurrences import count_missing, read_exceptions
from shared.series.planning import resolve
from shared.series.search import RUNNING, search_series

_LIST_LIMIT = 25
_DATES_SHOWN = 5
_PICK_A_DATE = "Pick a date from the list that appears as you type, or leave `date` out for the next one."


class SeriesCommands(app_commands.Group):
    """See and change the games that repeat."""

    def __init__(self) -> None:
        super().__init__(
            name="series",
            description="See and change the games that repeat.",
            guild_only=True,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )

    @app_commands.command(name="list")
    async def list_series(self, interaction: Interaction) -> None:
        """Show the games that repeat on this server."""

        async def work(session: AsyncSession) -> Reply:
            found = await search_series(session, interaction.guild_id or 0, states=RUNNING, limit=_LIST_LIMIT)
            dates = await list_next_of_many(session, found, limit=1)
            return Reply(embeds=[series_list_embed([(series, dates[series.id]) for series in found])])

        await respond_in_transaction(interaction, work)

    @app_commands.command()
    @app_commands.describe(series="The title of the series")
    @app_commands.autocomplete(series=suggest_series)
    async def show(self, interaction: Interaction, series: str) -> None:
        """Show a series and its next dates."""

        async def work(session: AsyncSession) -> Reply:
            found = await find_series_by_text(session, series, guild_id=interaction.guild_id or 0)
            exceptions = (await read_exceptions(session, [found])).get(found.id, {})
            dates = await list_next(session, found, limit=_DATES_SHOWN)
            return Reply(embeds=[series_embed(found, dates, exceptions)])

        await respond_in_transaction(interaction, work)

    @app_commands.command()
    @app_commands.describe(
        series="The title of the series",
        time="The new time of day: “8pm”, “19:30”. Everyone in a game that is announced is notified",
        repeat="How it repeats from now on: “every friday”, “every 2 weeks”, “monthly on the 15th, 10 times”",
        open_at_once="How many coming games are announced at once",
        carry_over="Whether the players of a game have seats in the next one",
        regulars=f"Who has a seat in each new game: “@Aiko @Ben”, or “{NO_REGULARS}”",
        **DETAIL_DESCRIPTIONS | {"duration": "How long each game lasts: “3h”, “90m”"},
    )
    @app_commands.rename(
        minimum_check="minimum-check", nudge_role="nudge-role", open_at_once="open-at-once", carry_over="carry-over"
    )
    @app_commands.autocomplete(series=suggest_running_series, repeat=suggest_repeats)
    async def edit(
        self,
        interaction: Interaction,
        series: str,
        time: app_commands.Range[str, 1, 50] | None = None,
        repeat: app_commands.Range[str, 1, 100] | None = None,
        title: app_commands.Range[str, 1, 100] | None = None,
        duration: app_commands.Range[str, 1, 50] | None = None,
        players: app_commands.Range[int, 0, MOST_PLAYERS] | None = None,
        slots: app_commands.Range[str, 1, 600] | None = None,
        reminders: app_commands.Range[str, 1, 100] | None = None,
        description: app_commands.Range[str, 1, 1000] | None = None,
        closes: app_commands.Range[str, 1, 50] | None = None,
        offer: app_commands.Range[str, 1, 50] | None = None,
        role: discord.Role | None = None,
        place: app_commands.Range[str, 1, MOST_CHARACTERS] | None = None,
        minimum: app_commands.Range[int, 0, MOST_PLAYERS] | None = None,
        minimum_check: app_commands.Range[str, 1, 50] | None = None,
        nudge: app_commands.Range[str, 1, 50] | None = None,
        nudge_role: discord.Role | None = None,
        open_at_once: app_commands.Range[int, 1, 4] | None = None,
        carry_over: bool | None = None,
        regulars: app_commands.Range[str, 1, 2000] | None = None,
    ) -> None:
        """Change all games of a series from now on. To change one, use /game edit."""
        options = EditSeriesOptions(
            series=series,
            time=time,
            repeat=repeat,
            title=title,
            duration=duration,
            players=players,
            slots=slots,
            reminders=reminders,
            description=description,
            closes=closes,
            offer=offer,
            role=read_role(interaction, role),
            place=place,
            minimum=minimum,
            minimum_check=minimum_check,
            nudge=nudge,
            nudge_role=read_role(interaction, nudge_role),
            open_at_once=open_at_once,
            carry_over=carry_over,
            regulars=regulars,
        )
        await respond_once(interaction, lambda session: edit_series_from_options(session, interaction, options))

    @app_commands.command()
    @app_commands.describe(series="The title of the series", date="Which date to leave out (default: the next one)")
    @app_commands.autocomplete(series=suggest_running_series, date=suggest_dates)
    async def skip(self, interaction: Interaction, series: str, date: str | None = None) -> None:
        """Leave out one date of a series. If its game is announced, it is cancelled."""

        async def work(session: AsyncSession) -> str:
            found = await _find_own(session, interaction, series, verb="change")
            title = format_title(found.title)
            local = await _choose_date(session, found, date)
            at = format_timestamp(resolve(local, ZoneInfo(found.zone)), "F")
            match await skip_occurrence(session, found.id, local, actor_id=interaction.user.id):
                case SkipResult.CANCELLED:
                    text = f"The game of {title} on {at} is cancelled. I'm letting the players know."
                case SkipResult.LEFT_OUT:
                    text = f"{title} leaves out {at}."
                case SkipResult.ALREADY_LEFT_OUT:
                    text = f"{title} leaves out {at} already."
                case SkipResult.STARTED:
                    raise UserError("That game has started. To cancel it, use `/game cancel`.")
                case SkipResult.NO_SUCH_DATE:
                    raise UserError(f"{title} has no game then. {_PICK_A_DATE}")
            return f"{text} {await _describe_next(session, found)}"

        await respond_once(interaction, work)

    @app_commands.command()
    @app_commands.describe(series="The title of the series")
    @app_commands.autocomplete(series=suggest_running_series)
    async def pause(self, interaction: Interaction, series: str) -> None:
        """Announce no more games of a series until you resume it."""

        async def work(session: AsyncSession) -> str:
            found = await _find_own(session, interaction, series, verb="pause")
            title = format_title(found.title)
            if not await pause_series(session, found.id, actor_id=interaction.user.id):
                return f"{title} is {found.state.value} already."
            return f"{title} is paused. {await _describe_open(session, found)} To go on, use `/series resume`."

        await respond_once(interaction, work)

    @app_commands.command()
    @app_commands.describe(series="The title of the series")
    @app_commands.autocomplete(series=suggest_own_series)
    async def resume(self, interaction: Interaction, series: str) -> None:
        """Go on with a series that is paused or has ended."""

        async def work(session: AsyncSession) -> str:
            found = await _find_own(session, interaction, series, verb="resume")
            title = format_title(found.title)
            if found.pause_reason is PauseReason.CHANNEL_DELETED:
                raise UserError(
                    f"The channel of {title} was deleted, so it can't go on. "
                    "To repeat it in another channel, fill in `repeat` of `/game create` there."
                )
            added = await count_missing(session, found)
            await require_quota(session, interaction, host_id=found.host_id, added=added)
            is_active, made = await resume_series(session, found.id, actor_id=interaction.user.id)
            if not is_active:
                raise UserError(f"{title} has no more dates. Give it some with `repeat` of `/series edit` first.")
            announced = " I'm announcing the next game." if made else ""
            return f"{title} goes on.{announced} {await _describe_next(session, found)}"

        await respond_once(interaction, work)

    @app_commands.command()
    @app_commands.describe(series="The title of the series")
    @app_commands.autocomplete(series=suggest_running_series)
    async def end(self, interaction: Interaction, series: str) -> None:
        """End a series. Games that are announced stay."""

        async def work(session: AsyncSession) -> str:
            found = await _find_own(session, interaction, series, verb="end")
            title = format_title(found.title)
            if not await end_series(session, found.id, actor_id=interaction.user.id):
                return f"{title} has ended already."
            return f"{title} has ended. {await _describe_open(session, found)}"

        await respond_once(interaction, work)

    @app_commands.command()
    @app_commands.describe(series="The title of the series")
    @app_commands.autocomplete(series=suggest_own_series)
    async def history(self, interaction: Interaction, series: str) -> None:
        """Show who changed a series."""

        async def work(session: AsyncSession) -> Reply:
            found = await _find_own(session, interaction, series, verb="see the history of")
            entries = await list_series_entries(session, found.id, limit=ENTRIES_LIMIT)
            return Reply(history_message(found.title, entries))

        await respond_in_transaction(interaction, work)


async def _find_own(session: AsyncSession, interaction: Interaction, text: str, *, verb: str) -> GameSeries:
    found = await find_series_by_text(session, text, guild_id=interaction.guild_id or 0)
    await require_host(session, interaction, found, verb=verb)
    return found


async def _choose_date(session: AsyncSession, series: GameSeries, text: str | None) -> datetime:
    """Return the local time that `date` means, the next one if it is left out."""
    if text is None:
        upcoming = list(await list_next(session, series, limit=1))
        if not upcoming:
            raise UserError(f"{format_title(series.title)} has no more dates, so there's nothing to skip.")
        return upcoming[0]
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise UserError(f"“{escape(text, limit=60)}” isn't one of its dates. {_PICK_A_DATE}") from None


async def _describe_next(session: AsyncSession, series: GameSeries) -> str:
    return confirm_dates(await list_next(session, series), zone=ZoneInfo(series.zone))


async def _describe_open(session: AsyncSession, series: GameSeries) -> str:
    """Return what becomes of the games that are announced."""
    upcoming = await list_next(session, series)
    starts = [_start(series, *entry) for entry in upcoming.items() if entry[1] is not None]
    if not starts:
        return "No game is planned."
    game = "game" if len(starts) == 1 else "games"
    shown = ", ".join(format_timestamp(start, "F") for start in starts)
    return f"The {game} on {shown} stay{'s' if game == 'game' else ''} planned, unless you use `/game cancel`."


def _start(series: GameSeries, local: datetime, game: Game | None) -> datetime:
    return resolve(local, ZoneInfo(series.zone)) if game is None else game.scheduled_at
