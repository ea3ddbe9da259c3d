"""The buttons that snooze a reminder. Their ids carry the game and the delay, so they work after a restart."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.errors import UserError
from bot.features.interactions import respond_once
from bot.rendering.formatting import format_timestamp, format_title
from bot.rendering.payload import SNOOZE_DELAYS, SNOOZE_ID
from shared.errors import PermanentError
from shared.models import Game, GameStatus
from shared.schedule.personal import snooze_reminder
from shared.schedule.populate import lock_game
from shared.signup import list_players
from shared.users import OwnSettings, read_own_settings

_TEMPLATE = rf"{SNOOZE_ID}(?P<game>[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}):(?P<minutes>\d{{1,4}})"
_CLOSED = {
    GameStatus.IN_PROGRESS: "has started already.",
    GameStatus.COMPLETED: "is over.",
    GameStatus.CANCELLED: "is cancelled.",
}


class SnoozeButton(discord.ui.DynamicItem[discord.ui.Button[Any]], template=_TEMPLATE):
    """Reminds the user who presses it again after a while."""

    def __init__(self, game_id: UUID, minutes: int) -> None:
        label, custom_id = SNOOZE_DELAYS.get(minutes, "Snooze"), f"{SNOOZE_ID}{game_id}:{minutes}"
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id))
        self.game_id = game_id
        self.delay = timedelta(minutes=minutes)

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction[Any], _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the pressed button."""
        return cls(UUID(match["game"]), int(match["minutes"]))

    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Snooze."""
        await respond_once(interaction, lambda session: self._snooze(session, interaction.user.id))

    async def _snooze(self, session: AsyncSession, user_id: int) -> str:
        game, settings = await self._lock_game(session), await read_own_settings(session, user_id)
        await _require_reminders(session, game, user_id, settings)
        due_at = await snooze_reminder(session, game, user_id=user_id, delay=self.delay)
        title = format_title(game.title)
        if due_at is None:
            starts = _CLOSED.get(game.status, f"starts {format_timestamp(game.scheduled_at, 'R')}, before that.")
            raise UserError(f"{title} {starts} I won't remind you again.")
        where = "by DM" if settings.is_reached_by_dm else f"in <#{game.channel_id}>"
        return f"I'll remind you of {title} again at {format_timestamp(due_at, 't')}, {where}."

    async def _lock_game(self, session: AsyncSession) -> Game:
        try:
            return await lock_game(session, self.game_id)
        except PermanentError:
            raise UserError("This game no longer exists. See `/my-games` for your upcoming games.") from None


async def _require_reminders(session: AsyncSession, game: Game, user_id: int, settings: OwnSettings) -> None:
    """Check that a user is in a game, and wants reminders.

    Raises:
        UserError: there is nothing to snooze.
    """
    if user_id != game.host_id and user_id not in await list_players(session, game.id):
        raise UserError(
            f"You're not in {format_title(game.title)}, so I don't remind you. To join, press Join in its post."
        )
    if settings.reminders_off:
        raise UserError("You turned reminders off. To turn them on, use `/settings me`.")
