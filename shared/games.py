"""What can happen to a game, each as one transaction's worth of change.

Every action locks the game first, changes it, and lets the schedule and the notices follow in the same transaction:
whoever reads the database sees either none of it or all of it. Nothing here knows Discord.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from shared.models import Game, GameStatus, Guild, NotificationKind, Participant
from shared.schedule.notices import add_notice, refresh_announcement
from shared.schedule.populate import lock_game, populate_schedule


@dataclass(frozen=True, kw_only=True)
class NewGame:
    """What a host says of a session. `scheduled_at` is aware; `reminder_offsets` are minutes before it.

    `interaction_id` is Discord's id of the request: a request that arrives twice makes one game.
    """

    guild_id: int
    channel_id: int
    host_id: int
    title: str
    scheduled_at: datetime
    zone: str
    duration: timedelta
    description: str = ""
    capacity: int | None = None
    reminder_offsets: tuple[int, ...] = ()
    interaction_id: int | None = None


class Joining(enum.Enum):
    """What came of a wish to join."""

    JOINED = "joined"
    ALREADY_IN = "already in"
    FULL = "full"
    CLOSED = "closed"


async def guild_zone(session: AsyncSession, guild_id: int) -> str:
    """Return the IANA zone that a server set, "UTC" until it does."""
    zone = (await session.execute(select(Guild.zone).where(Guild.id == guild_id))).scalar_one_or_none()
    return zone or "UTC"


async def set_guild_zone(session: AsyncSession, guild_id: int, *, zone: str) -> None:
    """Set the zone in which a server's times are read from now on; sessions that exist keep theirs."""
    await session.execute(
        insert(Guild).values(id=guild_id, zone=zone).on_conflict_do_update(index_elements=["id"], set_={"zone": zone})
    )


async def create_game(session: AsyncSession, new: NewGame) -> Game:
    """Write a game with its schedule and ask for its announcement; return the one that this request made before, if
    any."""
    if new.interaction_id is not None:
        await session.execute(select(func.pg_advisory_xact_lock(new.interaction_id)))
        made = await session.execute(select(Game).where(Game.interaction_id == new.interaction_id))
        if (game := made.scalar_one_or_none()) is not None:
            return game
    await session.execute(insert(Guild).values(id=new.guild_id).on_conflict_do_nothing())
    game = Game(
        interaction_id=new.interaction_id,
        guild_id=new.guild_id,
        channel_id=new.channel_id,
        host_id=new.host_id,
        title=new.title,
        description=new.description,
        scheduled_at=new.scheduled_at,
        zone=new.zone,
        local_time=new.scheduled_at.astimezone(ZoneInfo(new.zone)).replace(tzinfo=None),
        duration=new.duration,
        capacity=new.capacity,
        reminder_offsets=sorted(set(new.reminder_offsets), reverse=True),
    )
    session.add(game)
    await session.flush()
    await populate_schedule(session, game.id)
    await add_notice(session, [game], NotificationKind.ANNOUNCEMENT)
    return game


async def reschedule_game(session: AsyncSession, game_id: UUID, *, scheduled_at: datetime) -> Game:
    """Move a game to another time; what was scheduled for the old one is superseded."""
    game = await lock_game(session, game_id)
    game.scheduled_at = scheduled_at
    game.local_time = scheduled_at.astimezone(ZoneInfo(game.zone)).replace(tzinfo=None)
    game.version += 1
    await populate_schedule(session, game_id)
    await refresh_announcement(session, game)
    return game


async def cancel_game(session: AsyncSession, game_id: UUID) -> bool:
    """Cancel a game and tell its players; return False when it is over or cancelled already."""
    game = await lock_game(session, game_id)
    if game.status.is_final:
        return False
    game.status = GameStatus.CANCELLED
    game.version += 1
    await populate_schedule(session, game_id)
    await refresh_announcement(session, game)
    await add_notice(session, [game], NotificationKind.CANCELLATION)
    return True


async def join_game(session: AsyncSession, game_id: UUID, *, user_id: int) -> Joining:
    """Sign a player up, unless the game is full or no longer open. The lock on the game decides the last seat."""
    game = await lock_game(session, game_id)
    if game.status is not GameStatus.SCHEDULED:
        return Joining.CLOSED
    players = await roster(session, game_id)
    if user_id in players:
        return Joining.ALREADY_IN
    if game.capacity is not None and len(players) >= game.capacity:
        return Joining.FULL
    session.add(Participant(game_id=game_id, user_id=user_id))
    await refresh_announcement(session, game)
    return Joining.JOINED


async def leave_game(session: AsyncSession, game_id: UUID, *, user_id: int) -> bool:
    """Take a player off the roster; return False when the player was not on it."""
    game = await lock_game(session, game_id)
    gone = await session.execute(
        delete(Participant)
        .where(Participant.game_id == game_id, Participant.user_id == user_id)
        .returning(Participant.user_id)
    )
    if gone.scalar_one_or_none() is None:
        return False
    await refresh_announcement(session, game)
    return True


async def roster(session: AsyncSession, game_id: UUID) -> list[int]:
    """Return the players of a game in the order they joined."""
    statement = (
        select(Participant.user_id)
        .where(Participant.game_id == game_id)
        .order_by(Participant.joined_at, Participant.user_id)
    )
    return list((await session.execute(statement)).scalars())


async def find_game(session: AsyncSession, game_id: UUID, *, guild_id: int) -> Game | None:
    """Return a game of this server with its participants, or None: no server reads another's."""
    statement = (
        select(Game).where(Game.id == game_id, Game.guild_id == guild_id).options(selectinload(Game.participants))
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def upcoming_games(session: AsyncSession, guild_id: int, *, limit: int = 25) -> list[Game]:
    """Return a server's sessions that are not over, soonest first, with their participants."""
    statement = (
        select(Game)
        .where(
            Game.guild_id == guild_id,
            Game.status.in_([GameStatus.SCHEDULED, GameStatus.IN_PROGRESS]),
            Game.scheduled_at > func.now() - timedelta(days=2),
        )
        .order_by(Game.scheduled_at)
        .limit(limit)
        .options(selectinload(Game.participants))
    )
    return list((await session.execute(statement)).scalars())
