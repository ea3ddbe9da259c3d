"""The facts from the database: every state of every game, and every moment at which sending was decided.

Triggers write this history in the very transactions that they watch, so it holds exactly what was committed, even when
a server died and the client cannot know. Recording in the load generator what it asked for was rejected for that
reason. Both kinds of moment are read while the game is locked, so their order is the order of the transactions. A
game's state is read at the commit, because nobody sees those in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, ColumnElement, Row, Uuid, any_, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from sandbox.oracle.facts import (
    DatabaseFacts,
    DeliveryRow,
    GameHistory,
    GameState,
    NotificationRow,
    TransitionRow,
)
from shared import database
from shared.models import (
    Game,
    GameStatus,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationSchedule,
    RecipientKind,
    User,
)
from shared.models.details import Slots
from shared.schedule.minimum import DEFAULT_MINUTES

T = TypeVar("T")

_REMOVE = """
DROP TABLE IF EXISTS oracle_game_state, oracle_attempt;
DROP FUNCTION IF EXISTS oracle_record_game, oracle_record_attempt CASCADE;
"""
_INSTALL = """
CREATE TABLE oracle_game_state (
    seq bigserial PRIMARY KEY, at timestamptz NOT NULL, game_id uuid NOT NULL,
    scheduled_at timestamptz NOT NULL, status text NOT NULL, capacity integer, slots jsonb NOT NULL,
    players bigint[] NOT NULL, waiting bigint[] NOT NULL, answered bigint[] NOT NULL,
    chosen jsonb NOT NULL, offers jsonb NOT NULL
);
CREATE TABLE oracle_attempt (
    seq bigserial PRIMARY KEY, at timestamptz NOT NULL, delivery_id uuid NOT NULL
);
CREATE FUNCTION oracle_record_game() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed uuid;
BEGIN
    IF TG_TABLE_NAME = 'game' THEN changed := NEW.id;
    ELSIF TG_OP = 'DELETE' THEN changed := OLD.game_id;
    ELSE changed := NEW.game_id;
    END IF;
    INSERT INTO oracle_game_state
        (at, game_id, scheduled_at, status, capacity, slots, players, waiting, answered, chosen, offers)
    SELECT clock_timestamp(), id, scheduled_at, status, capacity, slots, seats.players,
        coalesce(others.waiting, '{}'), coalesce(others.answered, '{}'),
        coalesce(seats.chosen, '{}') || coalesce(others.chosen, '{}'), coalesce(seats.offers, '{}')
    FROM game,
        (
            SELECT coalesce(array_agg(user_id), '{}') AS players,
                jsonb_object_agg(user_id, slot) FILTER (WHERE slot IS NOT NULL) AS chosen,
                jsonb_object_agg(user_id, offered_until) FILTER (WHERE offered_until IS NOT NULL) AS offers
            FROM participant WHERE game_id = changed
        ) AS seats,
        (
            SELECT array_agg(user_id ORDER BY answered_at, user_id) FILTER (WHERE answer = 'waitlisted') AS waiting,
                array_agg(user_id) FILTER (WHERE answer <> 'waitlisted') AS answered,
                jsonb_object_agg(user_id, slot) FILTER (WHERE answer = 'waitlisted' AND slot IS NOT NULL) AS chosen
            FROM response WHERE game_id = changed
        ) AS others
    WHERE id = changed;
    RETURN NULL;
END $$;
CREATE FUNCTION oracle_record_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO oracle_attempt (at, delivery_id) VALUES (statement_timestamp(), NEW.id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER oracle_game AFTER INSERT OR UPDATE OF scheduled_at, status, version, capacity, slots ON game
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION oracle_record_game();
CREATE CONSTRAINT TRIGGER oracle_roster AFTER INSERT OR DELETE OR UPDATE OF slot, offered_until ON participant
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION oracle_record_game();
CREATE CONSTRAINT TRIGGER oracle_waitlist AFTER INSERT OR UPDATE OR DELETE ON response
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION oracle_record_game();
CREATE TRIGGER oracle_sending AFTER UPDATE OF attempts ON notification_delivery
    FOR EACH ROW WHEN (NEW.attempts > OLD.attempts) EXECUTE FUNCTION oracle_record_attempt();
CREATE TRIGGER oracle_first_sending AFTER INSERT ON notification_delivery
    FOR EACH ROW WHEN (NEW.attempts > 0) EXECUTE FUNCTION oracle_record_attempt();
"""

_STATES = text("SELECT * FROM oracle_game_state ORDER BY seq").columns(slots=Slots, chosen=JSONB, offers=JSONB)
_SOON = timedelta(seconds=2)


async def install(engine: AsyncEngine) -> None:
    """Record the history of a migrated database from now on."""
    await _run_script(engine, _REMOVE + _INSTALL)


@asynccontextmanager
async def recorded(engine: AsyncEngine) -> AsyncIterator[None]:
    """Record the history for a block, and leave the database as it was."""
    await install(engine)
    try:
        yield
    finally:
        await _run_script(engine, _REMOVE)


async def _run_script(engine: AsyncEngine, script: str) -> None:
    async with engine.begin() as connection:
        raw = await connection.get_raw_connection()
        await cast("asyncpg.Connection[Any]", raw.driver_connection).execute(script)


async def read_history(sessions: database.Sessions) -> DatabaseFacts:
    """Return the facts about every game whose history was recorded."""
    states: defaultdict[UUID, list[GameState]] = defaultdict(list)
    attempts: defaultdict[UUID, list[datetime]] = defaultdict(list)
    async with database.transaction(sessions) as session:
        for row in await session.execute(_STATES):
            state, before = _state(row), states[row.game_id]
            if not before or replace(before[-1], at=state.at) != state:  # one is written for each row of a transaction
                before.append(state)
        for delivery_id, at in await session.execute(text("SELECT delivery_id, at FROM oracle_attempt ORDER BY seq")):
            attempts[delivery_id].append(at)
        games = (await session.execute(select(Game))).scalars().all()
        histories = {game.id: _history(game, states[game.id]) for game in games if game.id in states}
        return await _facts(session, histories, attempts)


async def read_rows(sessions: database.Sessions, games: Collection[UUID]) -> DatabaseFacts:
    """Return the facts about some games that never changed, whose history was not recorded.

    Triggers would slow down a database that is being measured.
    """
    async with database.transaction(sessions) as session:
        statement = select(Game).where(_is_any(Game.id, games)).options(selectinload(Game.participants))
        histories = {
            game.id: _history(game, [_current_state(game)]) for game in (await session.execute(statement)).scalars()
        }
        return await _facts(session, histories, None)


async def count_unsettled(sessions: database.Sessions) -> int:
    """Return how many rows without an outcome are due, or will be in a moment.

    What becomes due while the facts are read must not look unsettled.
    """
    async with database.transaction(sessions) as session:
        soon, count = await database.now(session) + _SOON, 0
        for table in (NotificationSchedule, GameStatusSchedule):
            due = select(table.id).where(table.settled_at.is_(None), table.due_at <= soon)
            count += len((await session.execute(due)).all())
    return count


def _state(row: Row[Any]) -> GameState:
    return GameState(
        at=row.at,
        starts_at=row.scheduled_at,
        status=GameStatus(row.status),
        players=frozenset(row.players),
        waiting=tuple(row.waiting),
        answered=frozenset(row.answered),
        capacity=row.capacity,
        slots=row.slots,
        chosen={int(user_id): slot for user_id, slot in row.chosen.items()},
        offers={int(user_id): datetime.fromisoformat(until) for user_id, until in row.offers.items()},
    )


def _history(game: Game, states: list[GameState]) -> GameHistory:
    return GameHistory(
        id=game.id,
        title=game.title,
        host_id=game.host_id,
        offsets=tuple(game.reminder_offsets),
        duration=game.duration,
        message_id=game.message_id,
        states=tuple(states),
        series_id=game.series_id,
        occurrence=game.occurrence,
        interval=timedelta(weeks=1) if "WEEKLY" in (game.series_rule or "") else timedelta(days=1),
        minimum_players=game.minimum_players,
        minimum_minutes=game.minimum_minutes or DEFAULT_MINUTES,
    )


def _current_state(game: Game) -> GameState:
    players = frozenset(participant.user_id for participant in game.participants)
    return GameState(game.created_at, game.scheduled_at, game.status, players, capacity=game.capacity, slots=game.slots)


async def _facts(
    session: AsyncSession, games: Mapping[UUID, GameHistory], attempts: Mapping[UUID, list[datetime]] | None
) -> DatabaseFacts:
    notifications = {
        row.id: NotificationRow(
            id=row.id,
            game_id=row.game_id,
            kind=row.kind,
            offset=row.offset_minutes,
            starts_at=row.game_scheduled_at,
            due_at=row.due_at,
            outcome=row.outcome,
            detail=row.outcome_detail,
            user_ids=tuple(row.user_ids),
            user_id=row.user_id,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )
        for row in await _rows(session, NotificationSchedule, NotificationSchedule.game_id, games)
    }
    transitions = [
        TransitionRow(row.game_id, row.target_status, row.due_at, row.outcome)
        for row in await _rows(session, GameStatusSchedule, GameStatusSchedule.game_id, games)
    ]
    deliveries = {
        row.id: DeliveryRow(
            id=row.id,
            notification_id=row.notification_id,
            state=row.state,
            attempts=tuple((attempts or {}).get(row.id, ())),
            user_id=row.recipient_id if row.recipient_kind is RecipientKind.USER else None,
            mentions=frozenset(row.mentions),
            message_id=row.message_id,
        )
        for row in await _rows(session, NotificationDelivery, NotificationDelivery.notification_id, notifications)
    }
    now = await database.now(session)
    wants_dm = frozenset(await session.scalars(select(User.user_id).where(User.wants_dm)))
    return DatabaseFacts(
        games,
        notifications,
        transitions,
        deliveries,
        now,
        recorded=attempts is not None,
        wants_dm=wants_dm,
    )


async def _rows(
    session: AsyncSession, table: type[T], column: InstrumentedAttribute[UUID], ids: Collection[UUID]
) -> Sequence[T]:
    return (await session.execute(select(table).where(_is_any(column, ids)))).scalars().all()


def _is_any(column: InstrumentedAttribute[UUID], ids: Collection[UUID]) -> ColumnElement[bool]:
    return column == any_(literal(list(ids), ARRAY(Uuid)))  # one parameter, however many there are
