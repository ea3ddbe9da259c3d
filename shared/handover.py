"""Hands games over to another host, in the caller's transaction.

What only a host gets follows from the game: reminders without a seat, drop-outs, warnings and the question about a
minimum. The former host keeps a seat, but nothing else.
"""

from __future__ import annotations

import enum
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from shared.audit import record_game_change, record_series_change
from shared.models import AuditAction, CoHost, Game, Participant
from shared.schedule.notices import redirect_to_host, refresh_announcement
from shared.schedule.personal import share_settings
from shared.schedule.populate import lock_game, populate_schedule
from shared.series.lifecycle import lock_series_games
from shared.series.occurrences import OPEN


class HandoverResult(enum.Enum):
    """Result of `hand_over_game` and `hand_over_series`."""

    HANDED_OVER = "handed over"
    UNCHANGED = "unchanged"
    OVER = "over"


async def hand_over_game(session: AsyncSession, game_id: UUID, *, user_id: int, actor_id: int) -> HandoverResult:
    """Make a user a game's host. One who was a co-host is none any more.

    Raises:
        TransientError: the user's settings are changing at this moment.
    """
    game = await lock_game(session, game_id)
    if game.status.is_final:
        return HandoverResult.OVER
    if game.host_id == user_id:
        return HandoverResult.UNCHANGED
    await share_settings(session, [user_id])
    game.host_id = user_id
    await session.execute(delete(CoHost).where(CoHost.game_id == game_id, CoHost.user_id == user_id))
    # A host need not confirm a new time. A seat that is only offered still has to be taken.
    unconfirmed = (Participant.game_id == game_id, Participant.user_id == user_id, Participant.offered_until.is_(None))
    await session.execute(update(Participant).where(*unconfirmed).values(is_confirmed=True))
    await session.flush()
    await redirect_to_host(session, game)
    await populate_schedule(session, game_id)
    await record_game_change(session, game, AuditAction.HANDED_OVER, actor_id=actor_id, user_id=user_id)
    await refresh_announcement(session, game)
    return HandoverResult.HANDED_OVER


async def hand_over_series(session: AsyncSession, game_id: UUID, *, user_id: int, actor_id: int) -> HandoverResult:
    """Make a user the host of a game, and of those that follow in its series, now and later.

    Raises:
        TransientError: a game was made meanwhile, or the user's settings are changing.
        ValueError: the game is of no series.
    """
    series_id = await session.scalar(select(Game.series_id).where(Game.id == game_id))
    if series_id is None:
        raise ValueError(f"game {game_id} is of no series")
    series, games = await lock_series_games(session, series_id)
    following = games[next((at for at, game in enumerate(games) if game.id == game_id), len(games)) :]
    if not following:
        return HandoverResult.OVER
    results = [await hand_over_game(session, game.id, user_id=user_id, actor_id=actor_id) for game in following]
    if series.host_id == user_id:
        return next((result for result in results if result is HandoverResult.HANDED_OVER), HandoverResult.UNCHANGED)
    series.host_id = user_id
    action = AuditAction.SERIES_HANDED_OVER
    await record_series_change(session, series, action, actor_id=actor_id, user_id=user_id)
    return HandoverResult.HANDED_OVER


async def count_following(session: AsyncSession, game: Game, *, user_id: int) -> int:
    """Return of how many games `hand_over_series` would make a user the host. Index: uq_game_occurrence."""
    is_following = (Game.series_id == game.series_id, Game.occurrence >= game.occurrence, Game.status.in_(OPEN))
    statement = select(func.count()).select_from(Game).where(*is_following, Game.host_id != user_id)
    return (await session.execute(statement)).scalar_one()
