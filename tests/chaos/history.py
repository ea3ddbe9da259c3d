"""The truth by which a cell is judged: every state of every game, and every moment at which sending was decided.

Triggers write it in the very transactions that they watch, so it holds exactly what was committed, also where a
server died and the client cannot know. Remembering in the load what it asked for was rejected for that reason. Both
kinds of moment are read while the game is locked, which makes their order the order of the transactions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import asyncpg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from shared import database
from shared.models import (
    Game,
    GameStatus,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationSchedule,
    RecipientKind,
)
from tests.chaos.facts import Change, Delivery, Facts, GameFacts, Row, Snapshot

_TABLES = """
CREATE TABLE chaos_snapshot (
    seq bigserial PRIMARY KEY, at timestamptz NOT NULL, game_id uuid NOT NULL,
    scheduled_at timestamptz NOT NULL, status text NOT NULL, players bigint[] NOT NULL
);
CREATE TABLE chaos_turn (
    seq bigserial PRIMARY KEY, at timestamptz NOT NULL, delivery_id uuid NOT NULL
);
CREATE FUNCTION chaos_note_game() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed uuid;
BEGIN
    IF TG_TABLE_NAME = 'game' THEN changed := NEW.id;
    ELSIF TG_OP = 'DELETE' THEN changed := OLD.game_id;
    ELSE changed := NEW.game_id;
    END IF;
    INSERT INTO chaos_snapshot (at, game_id, scheduled_at, status, players)
    SELECT clock_timestamp(), id, scheduled_at, status,
        coalesce((SELECT array_agg(user_id) FROM participant WHERE game_id = changed), '{}')
    FROM game WHERE id = changed;
    RETURN NULL;
END $$;
CREATE FUNCTION chaos_note_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_turn (at, delivery_id) VALUES (statement_timestamp(), NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_game AFTER INSERT OR UPDATE OF scheduled_at, status, version ON game
    FOR EACH ROW EXECUTE FUNCTION chaos_note_game();
CREATE TRIGGER chaos_roster AFTER INSERT OR DELETE ON participant
    FOR EACH ROW EXECUTE FUNCTION chaos_note_game();
CREATE TRIGGER chaos_sending AFTER UPDATE OF attempts ON notification_delivery
    FOR EACH ROW WHEN (NEW.attempts > OLD.attempts) EXECUTE FUNCTION chaos_note_turn();
"""

_SOON = timedelta(seconds=2)


async def install(engine: AsyncEngine) -> None:
    """Let a migrated database write its history from now on."""
    async with engine.begin() as connection:
        await _script(connection, _TABLES)


async def _script(connection: AsyncConnection, script: str) -> None:
    raw = await connection.get_raw_connection()
    await cast(asyncpg.Connection, raw.driver_connection).execute(script)


async def read(sessions: database.Sessions) -> Facts:
    """Return everything that the database knows of a cell."""
    async with database.transaction(sessions) as session:
        return Facts(
            games=await _games(session),
            rows=await _rows(session),
            changes=await _changes(session),
            deliveries=await _deliveries(session),
            now=await database.now(session),
        )


async def _games(session: AsyncSession) -> dict[UUID, GameFacts]:
    snapshots: defaultdict[UUID, list[Snapshot]] = defaultdict(list)
    written = text("SELECT game_id, at, scheduled_at, status, players FROM chaos_snapshot ORDER BY seq")
    for game_id, at, scheduled_at, status, players in await session.execute(written):
        snapshots[game_id].append(Snapshot(at, scheduled_at, GameStatus(status), frozenset(players)))
    games = (await session.execute(select(Game))).scalars()
    return {
        game.id: GameFacts(
            id=game.id,
            title=game.title,
            offsets=tuple(game.reminder_offsets),
            duration=game.duration,
            message_id=game.message_id,
            snapshots=tuple(snapshots[game.id]),
        )
        for game in games
    }


async def _rows(session: AsyncSession) -> dict[UUID, Row]:
    rows = (await session.execute(select(NotificationSchedule))).scalars()
    return {
        row.id: Row(
            id=row.id,
            game_id=row.game_id,
            kind=row.kind,
            offset=row.offset_minutes,
            starts_at=row.game_scheduled_at,
            due_at=row.due_at,
            outcome=row.outcome,
        )
        for row in rows
    }


async def _changes(session: AsyncSession) -> list[Change]:
    rows = (await session.execute(select(GameStatusSchedule))).scalars()
    return [Change(row.game_id, row.target_status, row.due_at, row.outcome) for row in rows]


async def _deliveries(session: AsyncSession) -> dict[UUID, Delivery]:
    turns: Mapping[UUID, list[datetime]] = defaultdict(list)
    for delivery_id, at in await session.execute(text("SELECT delivery_id, at FROM chaos_turn ORDER BY seq")):
        turns[delivery_id].append(at)
    found: Sequence[NotificationDelivery] = (await session.execute(select(NotificationDelivery))).scalars().all()
    return {
        one.id: Delivery(
            id=one.id,
            notification_id=one.notification_id,
            state=one.state,
            created_at=one.created_at,
            turns=tuple(turns[one.id]),
            to=one.recipient_id if one.recipient_kind is RecipientKind.USER else None,
            mentions=frozenset(one.mentions),
        )
        for one in found
    }


async def busy(sessions: database.Sessions) -> int:
    """Return how many rows without an outcome are due, or will be in a moment: what falls due while the judge reads
    must not look unsettled."""
    async with database.transaction(sessions) as session:
        soon, count = await database.now(session) + _SOON, 0
        for table in (NotificationSchedule, GameStatusSchedule):
            due = select(table.id).where(table.settled_at.is_(None), table.due_at <= soon)
            count += len((await session.execute(due)).all())
    return count
