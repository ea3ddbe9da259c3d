"""`/game timezone`: the clocks by which a server's times are read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.features import zones
from bot.features.answering import Answer
from bot.features.errors import UserError
from bot.features.retrying import persistently
from shared import database
from shared.games import set_guild_zone

if TYPE_CHECKING:
    from bot.features.answering import Interaction


async def set_zone(interaction: Interaction, text: str) -> Answer:
    """Set the server's zone; sessions that exist keep theirs.

    Raises:
        UserError: there is no such zone, or the person does not manage the server.
    """
    granted = interaction.permissions
    if not (granted.manage_guild or granted.administrator):
        raise UserError("Only members with the Manage Server permission can set the time zone.")
    zone = await asyncio.to_thread(zones.find, text)

    async def work() -> None:
        async with database.transaction(interaction.client.sessions) as session:
            await set_guild_zone(session, interaction.guild_id or 0, zone=zone)

    await persistently(work)
    clock = datetime.now(UTC).astimezone(ZoneInfo(zone))
    return Answer(
        f"Times on this server are now in {zone} (currently {clock:%H:%M}). "
        "Games that are already planned keep their times."
    )
