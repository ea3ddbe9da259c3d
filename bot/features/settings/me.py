"""A user's settings for all servers: time zone, where reminders arrive, an extra reminder, and no reminders at all.

The DM channel is opened immediately, because Discord limits how many a bot opens and a reminder might have to wait.
"""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import aiohttp
import discord
from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.interactions import Reply, respond, respond_in_transaction, run_once
from bot.features.times import find_time_zone, parse_reminder_offsets
from shared import logs
from shared.formatting import format_duration
from shared.users import OwnSettings, change_own_settings, read_own_settings, remember_dm_channel

OPEN_TIMEOUT = 5.0
"""Seconds."""
SERVER_ZONE = "server"
"""What a user enters to use the server's time zone again."""


class ReminderDestination(enum.StrEnum):
    """Where a user gets reminders."""

    CHANNEL = "channel"
    DM = "dm"


DESTINATIONS = [
    app_commands.Choice(name="In the channel", value=ReminderDestination.CHANNEL.value),
    app_commands.Choice(name="By DM", value=ReminderDestination.DM.value),
]
"""The choices that Discord shows. An enum as option type would show its member names in capitals."""
SWITCH = [app_commands.Choice(name="On", value="on"), app_commands.Choice(name="Off", value="off")]


@dataclass(frozen=True, kw_only=True)
class OwnOptions:
    """The options of `/settings me` as the user entered them. None is not entered."""

    zone: str | None
    where: str | None
    extra_reminder: str | None
    reminders: str | None


async def answer_own_settings(interaction: Interaction, options: OwnOptions) -> None:
    """Change what the user entered, and show all settings."""
    if options == OwnOptions(zone=None, where=None, extra_reminder=None, reminders=None):
        await respond_in_transaction(interaction, lambda session: _show(session, interaction))
    else:
        await respond(interaction, lambda: _change(interaction, options))


async def _show(session: AsyncSession, interaction: Interaction) -> Reply:
    return Reply(describe_settings(await read_own_settings(session, interaction.user.id), now=datetime.now(UTC)))


async def _change(interaction: Interaction, options: OwnOptions) -> Reply:
    changes = await asyncio.to_thread(_parse_options, options)
    channel_id = await _open_dm_channel(interaction) if changes.get("wants_dm") else None

    async def save(session: AsyncSession) -> str:
        settings = await change_own_settings(session, interaction.user.id, **changes)
        if channel_id is not None:
            await remember_dm_channel(session, interaction.user.id, channel_id=channel_id)
        return describe_settings(settings, now=datetime.now(UTC))

    return await run_once(interaction, save)


def describe_settings(settings: OwnSettings, *, now: datetime) -> str:
    """Return a user's settings, a line for each."""
    return "\n".join(
        [
            "**Your settings** on all servers",
            _describe_zone(settings, now=now),
            _describe_destination(settings),
            _describe_extra_reminder(settings),
            "-# To change one, use `/settings me` and fill in its option.",
        ]
    )


def _describe_zone(settings: OwnSettings, *, now: datetime) -> str:
    if settings.zone is None:
        return "🕒 I read the times that you enter in the server's time zone."
    there = now.astimezone(ZoneInfo(settings.zone))
    return f"🕒 I read the times that you enter in {settings.zone}, where it's {there:%H:%M}."


def _describe_destination(settings: OwnSettings) -> str:
    if settings.reminders_off:
        return "🔕 I don't remind you. I still tell you about new times and cancellations."
    if not settings.wants_dm:
        return "🔔 I remind you with a mention in the game's channel."
    if settings.has_closed_dms:
        return (
            "🔔 I couldn't DM you, so I mention you in the game's channel. "
            "Allow DMs from the server, then choose *By DM* again."
        )
    return "🔔 I remind you by DM. If that fails, I mention you in the game's channel."


def _describe_extra_reminder(settings: OwnSettings) -> str:
    if settings.extra_offset_minutes is None:
        return "⏰ You get no extra reminder."
    before = format_duration(timedelta(minutes=settings.extra_offset_minutes))
    paused = " Not while reminders are off." if settings.reminders_off else ""
    return f"⏰ You get an extra reminder {before} before each of your games.{paused}"


def _parse_options(options: OwnOptions) -> dict[str, str | int | bool | None]:
    """Return the columns to change.

    Raises:
        UserError: the zone or the reminder is invalid.
    """
    changes: dict[str, str | int | bool | None] = {}
    if options.zone is not None:
        is_server = options.zone.strip().casefold() == SERVER_ZONE
        changes["zone"] = None if is_server else find_time_zone(options.zone)
    if options.where is not None:
        changes["wants_dm"] = options.where == ReminderDestination.DM
    if options.extra_reminder is not None:
        changes["extra_offset_minutes"] = _parse_extra_reminder(options.extra_reminder)
    if options.reminders is not None:
        changes["reminders_off"] = options.reminders == "off"
    return changes


def _parse_extra_reminder(text: str) -> int | None:
    offsets = parse_reminder_offsets(text)
    if len(offsets) > 1:
        raise UserError("You can have one extra reminder. Enter one time, such as `2h`, or `none`.")
    return offsets[0] if offsets else None


async def _open_dm_channel(interaction: Interaction) -> int | None:
    """Return the user's DM channel, or None if it can't be opened. The first reminder tries again."""
    try:
        async with asyncio.timeout(OPEN_TIMEOUT):
            return (await interaction.user.create_dm()).id
    except (discord.HTTPException, discord.RateLimited, aiohttp.ClientError, OSError, TimeoutError) as error:
        logs.get(interaction_id=interaction.id).info("No DM channel yet", action="dm_unopened", error=repr(error))
        return None
