"""Hands a game over to another host. The answer is public, because it notifies the new host."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.lookup import find_game_by_text
from bot.features.games.quotas import require_quota
from bot.features.games.roster import Player, require_member
from bot.features.interactions import Reply, respond_publicly, run_once
from bot.features.rights import require_host
from bot.rendering.formatting import format_mention, format_title
from shared.handover import HandoverResult, count_following, hand_over_game, hand_over_series
from shared.models import Game, GameSeries
from shared.series.search import find_series


async def hand_over(interaction: Interaction, text: str, user: Player, *, following: bool) -> None:
    """Make a user the host of the game that the text means, and of those that follow in its series if `following`."""

    async def work(session: AsyncSession) -> str:
        return await _hand_over(session, interaction, text, user, following=following)

    async def answer() -> Reply:
        reply = await run_once(interaction, work)
        # A refusal may mention the same user, whom it must not notify.
        is_host_now = reply.text.startswith(_name_host(user.id))
        return replace(reply, mentions=(user.id,) if is_host_now else ())

    await respond_publicly(interaction, answer)


async def _hand_over(
    session: AsyncSession, interaction: Interaction, text: str, user: Player, *, following: bool
) -> str:
    game = await _find(session, interaction, text)
    await require_host(session, interaction, game, verb="hand over")
    require_member(user, verb="be a host")
    series = await _require_series(session, interaction, game) if following else None
    added = await count_following(session, game, user_id=user.id) if following else int(game.host_id != user.id)
    await require_quota(
        session, interaction, host_id=user.id, added=added, are_new=False, instead="choose somebody else"
    )
    change = hand_over_game if series is None else hand_over_series
    title = format_title(game.title)
    match await change(session, game.id, user_id=user.id, actor_id=interaction.user.id):
        case HandoverResult.OVER:
            raise UserError(f"{title} is over, so it can't be handed over any more.")
        case HandoverResult.UNCHANGED:
            raise UserError(f"That user is the host of {title} already. Choose somebody else.")
    if series is not None:
        return f"{_name_host(user.id)} {title} and of all games that follow in its series."
    only = "" if game.series_id is None else "\n-# Only of this game. To hand over the series too, use `following`."
    return f"{_name_host(user.id)} {title}.{only}"


def _name_host(user_id: int) -> str:
    return f"{format_mention(user_id)} is now the host of"


async def _find(session: AsyncSession, interaction: Interaction, text: str) -> Game:
    return await find_game_by_text(session, text, guild_id=interaction.guild_id or 0)


async def _require_series(session: AsyncSession, interaction: Interaction, game: Game) -> GameSeries:
    """Return the series of a game.

    Raises:
        UserError: it is of none, or the user may not change it.
    """
    series = None
    if game.series_id is not None:
        series = await find_series(session, game.series_id, guild_id=game.guild_id)
    if series is None:
        raise UserError(f"{format_title(game.title)} isn't part of a series. Leave `following` out.")
    await require_host(session, interaction, series, verb="hand over")
    return series
