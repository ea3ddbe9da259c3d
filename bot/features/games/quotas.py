"""Checks that one host does not crowd out all others."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.rendering.formatting import format_mention
from shared.formatting import plural
from shared.game_search import count_open_games


async def require_quota(
    session: AsyncSession,
    interaction: Interaction,
    *,
    host_id: int,
    added: int = 1,
    are_new: bool = True,
    instead: str | None = None,
) -> None:
    """Check that a host may have so many more open games on the server, which has them already unless they `are_new`.

    `instead` is what else the user can do.

    Raises:
        UserError: the host or the server would have too many.
    """
    if added <= 0:
        return
    limits = interaction.client.limits
    count = await count_open_games(session, interaction.guild_id or 0, host_id=host_id)
    of_host, on_server = count.of_host + added, count.on_server + added
    if of_host > limits.per_host:
        who = "You" if host_id == interaction.user.id else format_mention(host_id)
        excess = (
            f"{who} would have {plural(of_host, 'open game')} on this server, "
            f"and the limit is {limits.per_host} for one host."
        )
        advice = "Wait until one is over, or cancel one with `/game cancel`."
    elif are_new and on_server > limits.per_server:
        excess = f"This server would have {plural(on_server, 'open game')}, and the limit is {limits.per_server}."
        advice = "Wait until one is over, or ask a host to cancel one. `/game list` shows them."
    else:
        return
    raise UserError(f"{excess} {advice}" + (f" Or {instead}." if instead else ""))
