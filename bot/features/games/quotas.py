"""Checks that one host does not crowd out all others."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.rendering.formatting import format_mention
from shared.formatting import plural
from shared.game_search import count_open_games


async def require_quota(session: AsyncSession, interaction: Interaction, *, host_id: int, added: int = 1) -> None:
    """Check that a host may have so many more open games on the server.

    Raises:
        UserError: the host or the server would have too many.
    """
    limits = interaction.client.limits
    count = await count_open_games(session, interaction.guild_id or 0, host_id=host_id)
    if count.of_host + added > limits.per_host:
        who = "You already have" if host_id == interaction.user.id else f"{format_mention(host_id)} already has"
        raise UserError(
            f"{who} {plural(count.of_host, 'open game')} on this server, and {limits.per_host} is the limit "
            "for one host. Wait until one is over, or cancel one with `/game cancel`."
        )
    if count.on_server + added > limits.per_server:
        raise UserError(
            f"This server already has {plural(count.on_server, 'open game')}, and {limits.per_server} is the limit. "
            "Wait until one is over, or ask a host to cancel one. `/game list` shows them."
        )
