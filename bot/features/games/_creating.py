"""`/game create`: what a host wrote becomes a session, and the host hears how it was read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import discord

from bot.features.answering import Answer
from bot.features.errors import UserError
from bot.features.retrying import persistently
from bot.features.times import parse_duration, parse_offsets, parse_when
from bot.rendering.escaping import clean, escape, is_blank
from bot.rendering.formatting import format_timestamp
from shared import database
from shared.database import Sessions
from shared.formatting import format_duration, join_words
from shared.games import NewGame, create_game, guild_zone
from shared.models import Game
from shared.schedule.populate import reminder_times

if TYPE_CHECKING:
    from bot.features.answering import Interaction

DEFAULT_DURATION = "3h"
DEFAULT_REMINDERS = "1h, 0"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The options of the command, as the host wrote them."""

    title: str
    when: str
    duration: str
    players: int | None
    reminders: str
    description: str


async def create(interaction: Interaction, wish: Wish) -> Answer:
    """Create the session. The announcement is posted by the delivery side, from a row that this writes.

    Raises:
        UserError: something cannot be read, or the bot may not post in this channel.
    """
    sessions = interaction.client.sessions
    _require_permission_to_post(interaction)
    zone = await persistently(lambda: _zone(sessions, guild_id=interaction.guild_id or 0))
    new = await _read(interaction, wish, zone=zone)
    game, moment = await persistently(lambda: _store(sessions, new))
    return Answer(confirmation(game, moment=moment))


def confirmation(game: Game, *, moment: datetime) -> str:
    """Return what the host hears: when it is, what will be told and when, and what is too late to be told."""
    coming = reminder_times(game, after=moment)
    past = [offset for offset in game.reminder_offsets if offset not in coming]
    lines = [
        f"**{escape(game.title, limit=200)}** is set for {format_timestamp(game.scheduled_at, 'F')} "
        f"({format_timestamp(game.scheduled_at, 'R')}), for {format_duration(game.duration)}. "
        f"I'm posting it in <#{game.channel_id}>."
    ]
    lines += [
        f"🔔 {_before(offset)}: {format_timestamp(at, 'f')}" for offset, at in sorted(coming.items(), reverse=True)
    ]
    if not game.reminder_offsets:
        lines.append("🔕 No reminders will be sent.")
    if past:
        lines.append(f"🔕 Too late to send: {join_words(map(_before, past)).lower()}.")
    if game.zone == "UTC":
        lines.append("-# This server's time zone is UTC. Change it with `/game timezone`.")
    return "\n".join(lines)


def _require_permission_to_post(interaction: Interaction) -> None:
    granted = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    needed = {
        "View Channel": granted.view_channel,
        "Send Messages": granted.send_messages_in_threads if in_thread else granted.send_messages,
        "Embed Links": granted.embed_links,
    }
    missing = [name for name, has in needed.items() if not (has or granted.administrator)]
    if missing:
        permissions = "permission" if len(missing) == 1 else "permissions"
        raise UserError(
            f"I can't post in this channel: I'm missing the {join_words(missing)} {permissions}. "
            "Use another channel, or ask an admin to fix this."
        )


async def _read(interaction: Interaction, wish: Wish, *, zone: str) -> NewGame:
    title = clean(wish.title)
    if is_blank(title):
        raise UserError("The title can't be empty. Enter what you're going to play, such as `Curse of Strahd`.")
    return NewGame(
        guild_id=interaction.guild_id or 0,
        channel_id=interaction.channel_id or 0,
        host_id=interaction.user.id,
        title=title,
        description=clean(wish.description, keep_lines=True),
        scheduled_at=await asyncio.to_thread(parse_when, wish.when, zone=zone, now=datetime.now(UTC)),
        zone=zone,
        duration=parse_duration(wish.duration),
        capacity=wish.players,
        reminder_offsets=parse_offsets(wish.reminders),
        interaction_id=interaction.id,
    )


async def _zone(sessions: Sessions, *, guild_id: int) -> str:
    async with database.transaction(sessions) as session:
        return await guild_zone(session, guild_id)


async def _store(sessions: Sessions, new: NewGame) -> tuple[Game, datetime]:
    async with database.transaction(sessions) as session:
        game = await create_game(session, new)
        return game, await database.now(session)


def _before(offset: int) -> str:
    return f"{format_duration(timedelta(minutes=offset)).capitalize()} before" if offset else "At the start"
