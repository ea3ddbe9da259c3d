"""Reads the options of `/game create`, and creates the game from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.limits import (
    describe_limits,
    parse_check,
    parse_closing,
    require_open_sign_ups,
    require_possible_minimum,
)
from bot.features.games.lookup import format_locale
from bot.features.games.nudges import describe_nudge, parse_nudge, require_mentionable, require_possible_nudge
from bot.features.games.offers import parse_offer
from bot.features.games.place import parse_place
from bot.features.games.quotas import require_quota
from bot.features.games.slots import parse_slots
from bot.features.posting import require_permission_to_post, require_permission_to_post_in
from bot.features.repeats import is_once, make_series
from bot.features.rights import require_creator
from bot.features.times import parse_duration, parse_reminder_offsets, parse_start_time
from bot.rendering.escaping import clean, escape, is_blank
from bot.rendering.formatting import format_timestamp, format_title
from shared import database
from shared.formatting import format_duration, join_words
from shared.games import NewGame, create_game, remember_guild_name
from shared.guild_settings import GuildSettings, get_guild_settings
from shared.models import Game
from shared.schedule.notices import find_announcement_time
from shared.schedule.populate import reminder_times
from shared.slots import count_seats
from shared.users import find_zone

DEFAULT_DURATION = "3h"
DEFAULT_REMINDERS = "1h, 0"
READ_IN_UTC = "-# I read times in UTC. To change that, use `/settings me`, or `/settings server` for all"


MOST_PLAYERS = 500
_NO_LIMIT = {"", "none", "no limit", "unlimited", "-", "0"}


@dataclass(frozen=True, kw_only=True)
class CreateGameOptions:
    """The options as the host entered them, also invalid ones. Empty means left out."""

    title: str = ""
    when: str = ""
    duration: str = ""
    players: str = ""
    slots: str = ""
    reminders: str = ""
    description: str = ""
    repeat: str = ""
    template: str = ""
    announce: str = ""
    closes: str = ""
    offer: str = ""
    role: str = ""
    """Its id."""
    place: str = ""
    minimum: str = ""
    minimum_check: str = ""
    nudge: str = ""
    nudge_role: str = ""
    """Its id."""
    entered_at: str = ""
    """When the host entered them, which "in 2 hours" and "tomorrow" are read from. Empty is now."""
    zone: str = ""
    """The time zone of the times, as it was when the host entered them. Empty is the present one."""

    @classmethod
    def load(cls, saved: Mapping[str, Any]) -> Self:
        """Return the options of a draft, without those that only another release knows."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in saved.items() if name in known})


async def choose_place(session: AsyncSession, interaction: Interaction) -> tuple[GuildSettings, int]:
    """Return the server's settings and the channel of a new game.

    Raises:
        UserError: the user may not create games or has too many, or the bot can't post there.
    """
    settings = await get_guild_settings(session, interaction.guild_id or 0)
    require_creator(interaction, settings)
    channel_id = _choose_channel(interaction, settings)
    await require_quota(session, interaction, host_id=interaction.user.id)
    return settings, channel_id


async def plan_game(
    session: AsyncSession, interaction: Interaction, options: CreateGameOptions, *, request_id: int
) -> NewGame:
    """Return the game that the options describe.

    Raises:
        UserError: an option is invalid, the user may not create games or has too many, or the bot can't post there.
    """
    settings, channel_id = await choose_place(session, interaction)
    zone = options.zone or await find_zone(session, interaction.user.id, guild_id=interaction.guild_id or 0)
    return _parse_options(interaction, options, settings, zone=zone, channel_id=channel_id, request_id=request_id)


async def create_from_options(
    session: AsyncSession, interaction: Interaction, options: CreateGameOptions, *, request_id: int
) -> str:
    """Create the game, and return the confirmation. The delivery code posts its announcement.

    Raises:
        UserError: an option is invalid, the user may not create games, or the bot can't post there.
    """
    game = await create_game(session, await plan_game(session, interaction, options, request_id=request_id))
    if interaction.guild is not None and interaction.guild.name:
        await remember_guild_name(session, game.guild_id, name=interaction.guild.name)
    repeats = [] if is_once(options.repeat) else await make_series(session, game, options.repeat)
    return "\n".join([await confirm_creation(session, game), *repeats])


async def confirm_creation(session: AsyncSession, game: Game) -> str:
    """Return the host's confirmation, with the reminders that will be sent or are too late."""
    now, announce_at = await database.now(session), await find_announcement_time(session, game.id)
    posting = "I'm posting it" if announce_at is None else f"On {format_timestamp(announce_at, 'F')}, I'll post it"
    lines = [
        f"{format_title(game.title)} is set for {format_timestamp(game.scheduled_at, 'F')} "
        f"({format_timestamp(game.scheduled_at, 'R')}) and lasts {format_duration(game.duration)}. "
        f"{posting} in <#{game.channel_id}>.",
        *describe_schedule(game, now=now, announce_at=announce_at),
    ]
    if reminder_times(game, after=announce_at or now):
        lines.append("-# You get the reminders too. To take a seat yourself, press Join.")
    if game.zone == "UTC":
        lines.append(f"{READ_IN_UTC}.")
    return "\n".join(lines)


def describe_schedule(game: Game, *, now: datetime, announce_at: datetime | None = None) -> list[str]:
    """Return a line for each reminder that will be sent, one for those that will not, and one for the nudge and each
    limit."""
    in_time = reminder_times(game, after=now)
    upcoming = in_time if announce_at is None else reminder_times(game, after=announce_at)
    too_late = [offset for offset in game.reminder_offsets if offset not in in_time]
    too_early = [offset for offset in game.reminder_offsets if offset in in_time and offset not in upcoming]
    lines = []
    for offset, at in sorted(upcoming.items(), reverse=True):
        lines.append(f"🔔 {_format_offset(offset)}: {format_timestamp(at, 'f')}")
    if not game.reminder_offsets:
        lines.append("🔕 No reminders.")
    if too_late:
        lines.append(f"🔕 Too late to send: {join_words(map(_format_offset, too_late)).lower()}.")
    if too_early:
        early = join_words(map(_format_offset, too_early)).lower()
        lines.append(f"🔕 Not sent, because the game isn't announced by then: {early}.")
    nudge = describe_nudge(game, now=now, announce_at=announce_at)
    return [*lines, *nudge, *describe_limits(game, now=now, announce_at=announce_at)]


def parse_title(text: str) -> str:
    """Return a title as it is stored.

    Raises:
        UserError: nothing of it can be seen.
    """
    title = clean(text)
    if is_blank(title):
        raise UserError("The title is empty. Enter what you're going to play, such as `Curse of Strahd`.")
    return title


def parse_seats(text: str, *, otherwise: str = "no limit") -> int | None:
    """Return how many players can join, None if all can, which a refusal calls `otherwise`.

    Raises:
        UserError: the text is no number, or too large a number.
    """
    entered = clean(text).casefold()
    if entered in _NO_LIMIT:
        return None
    if entered.isdecimal() and 1 <= int(entered) <= MOST_PLAYERS:
        return int(entered)
    raise UserError(
        f"I don't understand the number of players “{escape(text, limit=40)}”. "
        f"Enter a number from 1 to {MOST_PLAYERS}, or leave it out for {otherwise}."
    )


def parse_description(text: str) -> str:
    """Return a description as it is stored, empty if there is none.

    Raises:
        UserError: nothing of it can be seen.
    """
    if text and is_blank(text):
        raise UserError("The description has no visible text. Enter some, or leave it out.")
    return clean(text, keep_lines=True)


def _choose_channel(interaction: Interaction, settings: GuildSettings) -> int:
    """Return the server's channel for games, or where the command was used if it has none."""
    here = interaction.channel_id or 0
    if settings.channel_id in (None, here):
        require_permission_to_post(interaction)
        return here
    advice = "Ask an admin to let me post there, or to choose another channel with `/settings server`."
    require_permission_to_post_in(interaction, settings.channel_id, advice=advice)
    return settings.channel_id


def choose_reminder_offsets(entered: str, settings: GuildSettings) -> tuple[int, ...]:
    """Return the reminders that the host entered, or else the server's or the bot's default."""
    if not entered and settings.reminder_offsets is not None:
        return settings.reminder_offsets
    return parse_reminder_offsets(entered or DEFAULT_REMINDERS)


def _parse_options(
    interaction: Interaction,
    options: CreateGameOptions,
    settings: GuildSettings,
    *,
    zone: str,
    channel_id: int,
    request_id: int,
) -> NewGame:
    title, now = parse_title(options.title), datetime.now(UTC)
    closes_minutes, capacity = parse_closing(options.closes), parse_seats(options.players)
    slots = parse_slots(options.slots)
    seats = count_seats(capacity, slots)
    minimum = parse_seats(options.minimum, otherwise="no minimum")
    minimum_minutes = parse_check(options.minimum_check) if options.minimum_check else None
    require_possible_minimum(minimum, minimum_minutes, seats=seats)
    nudge_minutes, nudge_role_id = parse_nudge(options.nudge), int(options.nudge_role) if options.nudge_role else None
    require_possible_nudge(nudge_minutes, nudge_role_id, closes_minutes)
    require_mentionable(interaction, nudge_role_id)
    entered_at = datetime.fromisoformat(options.entered_at) if options.entered_at else now
    start = parse_start_time(options.when, zone=zone, now=entered_at, locale=format_locale(interaction))
    if start.at <= now:
        raise UserError("The time that you entered has passed meanwhile. Enter a later one, such as `tomorrow 8pm`.")
    require_open_sign_ups(start.at, closes_minutes, now=now)
    announce_at = None
    if options.announce:
        announce_at = _parse_announcement(interaction, options.announce, zone=zone, now=entered_at, start=start.at)
    return NewGame(
        guild_id=interaction.guild_id or 0,
        channel_id=channel_id,
        host_id=interaction.user.id,
        title=title,
        description=parse_description(options.description),
        place=parse_place(options.place),
        scheduled_at=start.at,
        zone=zone,
        duration=choose_duration(start.duration, options.duration or None) or parse_duration(DEFAULT_DURATION),
        capacity=capacity,
        slots=slots,
        reminder_offsets=choose_reminder_offsets(options.reminders, settings),
        required_role_id=int(options.role) if options.role else None,
        closes_minutes=closes_minutes,
        minimum_players=minimum,
        minimum_minutes=minimum_minutes,
        offer_minutes=parse_offer(options.offer),
        nudge_minutes=nudge_minutes,
        nudge_role_id=nudge_role_id,
        interaction_id=request_id,
        announce_at=announce_at,
    )


def _parse_announcement(interaction: Interaction, text: str, *, zone: str, now: datetime, start: datetime) -> datetime:
    at = parse_start_time(text, zone=zone, now=now, locale=format_locale(interaction)).at
    if at >= start:
        raise UserError("The game starts before it would be announced. Enter an earlier time for `announce`.")
    return at


def choose_duration(from_when: timedelta | None, entered: str | None) -> timedelta | None:
    """Return the duration that `when` or `duration` says, if any."""
    if entered is None:
        return from_when
    duration = parse_duration(entered)
    if from_when not in (None, duration):
        raise UserError(
            f"`when` says that the game lasts {format_duration(from_when)}, and `duration` says "
            f"{format_duration(duration)}. Leave one of them out."
        )
    return duration


def _format_offset(offset: int) -> str:
    return f"{format_duration(timedelta(minutes=offset)).capitalize()} before" if offset else "At the start"
