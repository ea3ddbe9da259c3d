"""Creates, cancels and finds games, in the caller's transaction and without Discord.

Every change locks the game first, and updates its schedule and notices too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from shared.audit import record_game_change
from shared.models import AuditAction, Game, GameStatus, Guild, NotificationKind, Slot, copy_details
from shared.schedule.notices import add_notice, is_unknown, refresh_announcement, withdraw_announcement
from shared.schedule.personal import share_settings
from shared.schedule.populate import lock_game, populate_schedule
from shared.series.occurrences import open_next


@dataclass(frozen=True, kw_only=True)
class NewGame:
    """The game that a host entered, with the fields of `GameDetails`. `scheduled_at` has a time zone.

    Discord's `interaction_id` identifies the request. A request that arrives twice creates one game.
    """

    guild_id: int
    channel_id: int
    host_id: int
    title: str
    scheduled_at: datetime
    zone: str
    duration: timedelta
    description: str = ""
    place: str = ""
    capacity: int | None = None
    slots: tuple[Slot, ...] = ()
    reminder_offsets: tuple[int, ...] = ()
    required_role_id: int | None = None
    closes_minutes: int | None = None
    minimum_players: int | None = None
    minimum_minutes: int | None = None
    offer_minutes: int | None = None
    nudge_minutes: int | None = None
    nudge_role_id: int | None = None
    interaction_id: int | None = None
    announce_at: datetime | None = None
    """None is at once."""


async def remember_guild_name(session: AsyncSession, guild_id: int, *, name: str) -> None:
    """Record a server's name, for messages outside it."""
    is_new = Guild.name.is_distinct_from(name)
    await session.execute(update(Guild).where(Guild.id == guild_id, is_new).values(name=name))


def build_game(new: NewGame) -> Game:
    """Return the game without saving it."""
    return Game(
        interaction_id=new.interaction_id,
        guild_id=new.guild_id,
        channel_id=new.channel_id,
        host_id=new.host_id,
        scheduled_at=new.scheduled_at,
        zone=new.zone,
        local_time=new.scheduled_at.astimezone(ZoneInfo(new.zone)).replace(tzinfo=None),
        status=GameStatus.SCHEDULED,
        **copy_details(new) | {"reminder_offsets": sorted(set(new.reminder_offsets), reverse=True)},
    )


async def create_game(session: AsyncSession, new: NewGame) -> Game:
    """Create a game, its schedule and its announcement, or return this request's existing game."""
    if new.interaction_id is not None:
        await session.execute(select(func.pg_advisory_xact_lock(new.interaction_id)))
        if (game := await find_requested_game(session, new.interaction_id)) is not None:
            return game
    await session.execute(insert(Guild).values(id=new.guild_id).on_conflict_do_nothing())
    await share_settings(session, [new.host_id])
    game = build_game(new)
    session.add(game)
    await session.flush()
    # The time to count the players depends on the announcement.
    await add_notice(session, [game], NotificationKind.ANNOUNCEMENT, due_at=new.announce_at)
    await populate_schedule(session, game.id)
    await record_game_change(session, game, AuditAction.CREATED, actor_id=new.host_id)
    return game


async def find_requested_game(session: AsyncSession, interaction_id: int) -> Game | None:
    """Return the game that a request has created, or None."""
    return (await session.execute(select(Game).where(Game.interaction_id == interaction_id))).scalar_one_or_none()


async def cancel_game(session: AsyncSession, game_id: UUID, *, actor_id: int | None = None) -> bool:
    """Cancel a game, notify its players, and make the next one of its series. Return False if it is over already.

    `actor_id` is who cancels it, None if the bot does.
    """
    game = await lock_game(session, game_id)
    if game.status.is_final:
        return False
    game.status = GameStatus.CANCELLED
    game.version += 1
    await populate_schedule(session, game_id)
    notifies = not await is_unknown(session, game)
    if not await withdraw_announcement(session, game, detail="the game was cancelled before it was announced"):
        await refresh_announcement(session, game)
    if notifies:
        await add_notice(session, [game], NotificationKind.CANCELLATION)
    await record_game_change(session, game, AuditAction.CANCELLED, actor_id=actor_id)
    await open_next(session, game)
    return True


async def find_game(
    session: AsyncSession, game_id: UUID, *, guild_id: int | None, has_roster: bool = True
) -> Game | None:
    """Return a game with its players and responses if `has_roster`, or None. A direct message has no `guild_id`, so it
    finds any server's."""
    statement = select(Game).where(Game.id == game_id)
    if has_roster:
        statement = statement.options(selectinload(Game.participants), selectinload(Game.responses))
    if guild_id is not None:
        statement = statement.where(Game.guild_id == guild_id)
    return (await session.execute(statement)).scalar_one_or_none()
