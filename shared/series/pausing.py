"""Pauses the series whose games nobody could see any more, so that they do not make one after another.

The host is asked for nothing: the list of series says why, and a game that is open stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import record_series_change
from shared.models import AuditAction, Game, GameSeries, NotificationSchedule, PauseReason, SeriesState
from shared.series.occurrences import lock_series
from shared.series.search import RUNNING


async def pause_without_channel(session: AsyncSession, notifications: Collection[UUID]) -> None:
    """Pause the series of the notifications' games, whose channel was deleted.

    It locks series, so it goes after the locks of games and before those of rows.
    """
    if not notifications:
        return
    series_ids = (
        select(Game.series_id)
        .join(NotificationSchedule, NotificationSchedule.game_id == Game.id)
        .join(GameSeries, GameSeries.id == Game.series_id)
        .where(NotificationSchedule.id.in_(notifications), GameSeries.channel_id == Game.channel_id)
    )
    found = {series_id for series_id in await session.scalars(series_ids) if series_id is not None}
    await _pause(session, found, PauseReason.CHANNEL_DELETED)


async def pause_of_server(session: AsyncSession, guild_id: int) -> None:
    """Pause the series of a server from which the bot was removed."""
    is_running = (GameSeries.guild_id == guild_id, GameSeries.state.in_(RUNNING))
    await _pause(session, set(await session.scalars(select(GameSeries.id).where(*is_running))), PauseReason.BOT_REMOVED)


async def pause_elsewhere(
    session: AsyncSession, *, guild_ids: Collection[int], is_served: Callable[[int], bool]
) -> None:
    """Pause the series of all served servers but those that the bot is on. With a series on none of them, it is another
    bot, whose token was set by mistake."""
    is_active = GameSeries.state == SeriesState.ACTIVE
    found = await session.scalars(select(GameSeries.guild_id).where(is_active).distinct())
    servers = set(filter(is_served, found))
    if not servers.isdisjoint(guild_ids):
        for guild_id in sorted(servers.difference(guild_ids)):
            await pause_of_server(session, guild_id)


async def _pause(session: AsyncSession, series_ids: Collection[UUID], reason: PauseReason) -> None:
    """Pause series, and record the reason also of those that their hosts have paused. A deleted channel stays so."""
    for series in (await lock_series(session, series_ids)).values():
        if series.state is SeriesState.ENDED or series.pause_reason in (reason, PauseReason.CHANNEL_DELETED):
            continue
        series.state, series.pause_reason = SeriesState.PAUSED, reason
        changes = {"pause_reason": (None, reason.value)}
        await record_series_change(session, series, AuditAction.SERIES_PAUSED, actor_id=None, changes=changes)
