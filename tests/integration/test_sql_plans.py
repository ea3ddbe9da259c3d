"""Every statement of `shared/sql` uses an index, however many rows the tables hold, and misses no locked row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from controllers.loops.sources import NOTIFICATIONS, STATUS_TRANSITIONS, ScheduleTable
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared import sql
from shared.database import Sessions
from shared.messaging.topology import NOTICES
from shared.models import NotificationSchedule, Outcome
from shared.schedule.settle import Settlement, settle
from shared.settings import DatabaseSettings, Timing
from tests.support.database import Database, is_anyone_blocked
from tests.support.transition_check import allow_any_change
from tests.support.waiting import eventually

LARGE_TABLES = {"notification_schedule", "game_status_schedule", "notification_delivery", "audit_entry"}
BATCH = 100
"""The number of rows that one execution of a statement is about."""

STATEMENTS = {name: statement for subject in sql.subjects() for name, statement in sql.load(subject).items()}
CALLS: dict[str, tuple[dict[str, Any], ...]] = {
    "settle_notifications": ({"ids": [], "outcomes": [], "details": []}, {"attempted": []}),
}
"""How a statement is called that is never called with all its parameters at once."""

_FILL = """
INSERT INTO guild (id) VALUES (1);

INSERT INTO game (id, guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration)
SELECT gen_random_uuid(), 1, 2, 3, 'Game', now() + number * interval '1 hour', 'UTC', now(), interval '3 hours'
FROM generate_series(-:games, :games) AS number;

-- 75 reminders of each game: most are settled, some are open, a few are due.
INSERT INTO notification_schedule (
    id, game_id, game_version, kind, offset_minutes, game_scheduled_at, due_at, attempt_at, attempts, settled_at,
    outcome
)
SELECT
    gen_random_uuid(), game.id, 1, 'reminder', number, scheduled_at, scheduled_at - number * interval '1 minute',
    CASE WHEN is_open THEN scheduled_at - number * interval '1 minute' END,
    CASE WHEN is_open THEN 0 ELSE 1 END,
    CASE WHEN NOT is_open THEN now() - number * interval '1 day' END,
    CASE WHEN NOT is_open THEN 'delivered' END
FROM game,
    generate_series(1, 75) AS number,
    LATERAL (SELECT scheduled_at > now() - interval '1 hour' AND number <= 10 AS is_open) AS state;

INSERT INTO notification_delivery (id, notification_id, recipient_kind, recipient_id, state, attempts, message_id)
SELECT gen_random_uuid(), id, 'channel', 2, 'sent', 1, row_number() OVER () FROM notification_schedule;

INSERT INTO game_status_schedule (
    id, game_id, game_version, target_status, due_at, attempt_at, attempts, settled_at, outcome
)
SELECT
    gen_random_uuid(), game.id, 1, 'in_progress', scheduled_at,
    CASE WHEN is_open THEN scheduled_at END,
    CASE WHEN is_open THEN 0 ELSE 1 END,
    CASE WHEN NOT is_open THEN now() - number * interval '1 day' END,
    CASE WHEN NOT is_open THEN 'applied' END
FROM game,
    generate_series(1, 75) AS number,
    LATERAL (SELECT scheduled_at > now() - interval '1 hour' AND number = 1 AS is_open) AS state;

-- Of 75 changes, one is about settings, and two are old.
INSERT INTO audit_entry (id, guild_id, game_id, actor_id, action, at)
SELECT
    gen_random_uuid(), CASE WHEN number = 75 THEN game.host_id + game.n ELSE 1 END,
    CASE WHEN number < 75 THEN game.id END, 3, 'joined', now() - number * interval '12 hours'
FROM (SELECT *, row_number() OVER () AS n FROM game) AS game,
    generate_series(1, 75) AS number;

ANALYZE
"""


@pytest.fixture(scope="module")
async def filled(postgres_server: Postgres, migrated_template: str) -> AsyncIterator[Sessions]:
    """A database with about 30,000 rows in each large table. Here a plan may scan."""
    parameters = "?options=-c%20enable_seqscan=on"
    async with _filled(postgres_server, migrated_template, games=200, parameters=parameters) as sessions:
        yield sessions


@pytest.fixture(scope="module")
async def little(postgres_server: Postgres, migrated_template: str) -> AsyncIterator[Sessions]:
    """A database with a few hundred rows in each large table."""
    async with _filled(postgres_server, migrated_template, games=2) as sessions:
        yield sessions


@asynccontextmanager
async def _filled(server: Postgres, template: str, *, games: int, parameters: str = "") -> AsyncIterator[Sessions]:
    name = f"plans_{games}"
    url = await server.create_database(name, template=template)
    settings, timing = DatabaseSettings(url=SecretStr(url + parameters)), Timing()
    async with db.engine(settings, application_name="test", timing=timing, answer_timeout=None) as engine:
        sessions = db.sessions(engine)
        async with db.transaction(sessions) as session:
            await allow_any_change(session)
            for statement in _FILL.replace(":games", str(games)).split(";"):
                await session.execute(text(statement))
        yield sessions
    await server.drop_database(name)


async def example_values(sessions: Sessions) -> dict[str, Any]:
    """A realistic value of each parameter. A statement that has another parameter needs its value here."""
    async with db.transaction(sessions) as session:
        ids = list((await session.execute(text(f"SELECT id FROM notification_schedule LIMIT {BATCH}"))).scalars())
    return {
        "id": ids[0],
        "notification_id": ids[0],
        "ids": ids,
        "notification_ids": ids,
        "game_ids": ids,
        "attempted": ids,
        "attempt": 1,
        "attempts": [1] * BATCH,
        "channel_id": 2,
        "user_id": 3,
        "user_ids": [3, 4],
        "host_id": 3,
        "recipient_kinds": ["channel"] * BATCH,
        "recipient_ids": [2] * BATCH,
        "chunks": [0] * BATCH,
        "mentions": ["{3,4}"] * BATCH,
        "message_id": 5,
        "message_ids": [5] * BATCH,
        "states": ["pending"] * BATCH,
        "errors": ["Discord answered 503"] * BATCH,
        "leased": [True] * BATCH,
        "delays": [1.0] * BATCH,
        "outcomes": ["delivered"] * BATCH,
        "details": [None] * BATCH,
        "error": "publish failed",
        "queues": ["bot.reminders.dlq"],
        "include_resolved": False,
        "resolution": "retried",
        "guild_id": 1,
        "game_id": ids[0],
        "series_id": ids[0],
        "actor_id": 3,
        "action": "joined",
        "detail": "{}",
        "is_over": False,
        "title": "Keep",
        "pattern": "%keep%",
        "interaction_id": 10**18,
        "class": 1,
        "ordinal": 1,
        "answer": "You're in!",
        "before": 10**18,
        "own_name": "questbell command line",
        "batch_size": BATCH,
        "kinds": ["reminder", "announcement", "cancellation"],
        "statuses": ["in_progress", "completed"],
        "window": 2_000,
        "limit": 10_001,
        "min_attempts": 5,
        "begun_after": timedelta(seconds=60),
        "begun_interval": timedelta(minutes=5),
        "reasons": ["the bot lacks a permission"] * BATCH,
        "retention": timedelta(days=30),
        "lease": timedelta(seconds=30),
        "nonce_window": timedelta(seconds=60),
        "settle_timeout": timedelta(seconds=90),
        "threshold": timedelta(seconds=120),
        "longest": timedelta(days=7),
        "after_due_at": datetime(2026, 1, 1, tzinfo=UTC),
        "after_id": ids[0],
        "longest_wait": timedelta(minutes=5),
    }


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_scans_no_large_table(filled: Sessions, name: str) -> None:
    for plan in await explain(filled, name):
        assert set(scanned_tables(plan)) & LARGE_TABLES == set()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_scans_no_table_that_is_still_small(little: Sessions, name: str) -> None:
    """A first burst makes it large before PostgreSQL analyzes it, and the plan is kept until then."""
    for plan in await explain(little, name):
        assert set(scanned_tables(plan)) & LARGE_TABLES == set()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_statement_locks_rows_that_it_joins_with_a_union(filled: Sessions, name: str) -> None:
    """PostgreSQL checks a row again for whose lock it waited. A UNION ALL in the join then has only its first row."""
    for plan in await explain(filled, name):
        assert "Append" not in set(joined_with_locked_rows(plan))


async def test_a_row_is_settled_for_whose_lock_the_statement_waited(filled: Sessions) -> None:
    """As when a game is moved while its due reminder is being published."""
    async with db.transaction(filled) as session:
        is_open = NotificationSchedule.settled_at.is_(None)
        rows = list(await session.scalars(select(NotificationSchedule.id).where(is_open).limit(3)))

    async def supersede() -> set[UUID]:
        async with db.transaction(filled) as session:
            settlements = dict.fromkeys(rows, Settlement(Outcome.SUPERSEDED))
            return {row.id for row in await settle(session, NotificationSchedule, settlements)}

    async with db.transaction(filled) as session:
        claimed = await session.get(NotificationSchedule, rows[-1], with_for_update={"key_share": True})
        assert claimed is not None
        claimed.attempts += 1
        await session.flush()
        superseding = asyncio.create_task(supersede())
        await eventually(lambda: is_anyone_blocked(filled))
    assert await superseding == set(rows)


async def explain(sessions: Sessions, name: str) -> list[dict[str, Any]]:
    """The plan of each way to call a statement."""
    values, plans = await example_values(sessions), []
    unknown = STATEMENTS[name]._bindparams.keys() - values.keys()
    assert unknown == set(), "example_values has no value for these"
    for call in CALLS.get(name, ({},)):
        parameters = {parameter: (values | call)[parameter] for parameter in STATEMENTS[name]._bindparams}
        async with db.transaction(sessions) as session:
            explained = await session.execute(text(f"EXPLAIN (FORMAT JSON) {STATEMENTS[name].text}"), parameters)
        plans.append(explained.scalar_one()[0]["Plan"])
    return plans


_MANY_SEATS = """
INSERT INTO guild (id) VALUES (1);

-- User 3 had a seat in 4000 games that are over, and has one in each of 10 coming ones, which 5 others play too.
INSERT INTO game (id, guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration, status)
SELECT
    gen_random_uuid(), 1, 2, 4, 'Game', now() + (number - 0.5) * interval '1 day', 'UTC', now(), interval '3 hours',
    CASE WHEN number > 0 THEN 'scheduled' ELSE 'completed' END
FROM generate_series(-3999, 10) AS number;

INSERT INTO participant (game_id, user_id)
SELECT id, 3 FROM game;

INSERT INTO participant (game_id, user_id)
SELECT id, number FROM game, generate_series(11, 15) AS number WHERE status = 'scheduled';

INSERT INTO game_status_schedule (
    id, game_id, game_version, target_status, due_at, attempt_at, settled_at, outcome
)
SELECT
    gen_random_uuid(), id, 1, 'completed', scheduled_at + duration,
    CASE WHEN status = 'scheduled' THEN scheduled_at + duration END,
    CASE WHEN status = 'completed' THEN now() END,
    CASE WHEN status = 'completed' THEN 'applied' END
FROM game;

ANALYZE
"""


async def test_an_overlap_is_found_without_reading_all_seats_of_a_user(database: Database) -> None:
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        for statement in _MANY_SEATS.split(";"):
            await session.execute(text(statement))
        game_id = await session.scalar(text("SELECT id FROM game WHERE status = 'scheduled' LIMIT 1"))
        parameters = {"game_id": game_id, "user_id": 3, "longest": timedelta(days=7)}
        explained = await session.execute(
            text(f"EXPLAIN (ANALYZE, FORMAT JSON) {STATEMENTS['find_overlap'].text}"), parameters
        )
    [explanation] = explained.scalar_one()
    assert sum(rows_read(explanation["Plan"])) < 200


_MANY_PENDING = """
INSERT INTO guild (id) VALUES (1);

INSERT INTO game (id, guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration)
SELECT gen_random_uuid(), 1, 2, 3, 'Game', now() + number * interval '1 hour', 'UTC', now(), interval '3 hours'
FROM generate_series(2001, 32000) AS number;

-- Some rows of each table are due, and 60000 are not.
INSERT INTO notification_schedule (
    id, game_id, game_version, kind, offset_minutes, game_scheduled_at, due_at, attempt_at
)
SELECT gen_random_uuid(), id, 1, 'reminder', days, scheduled_at, due_at, due_at
FROM (SELECT *, row_number() OVER () AS number FROM game) AS game,
    generate_series(1, 2) AS days,
    LATERAL (SELECT CASE WHEN number < 10 THEN now() ELSE scheduled_at - days * interval '1 day' END AS due_at) AS due;

INSERT INTO game_status_schedule (id, game_id, game_version, target_status, due_at, attempt_at)
SELECT gen_random_uuid(), id, 1, target, due_at, due_at
FROM (SELECT *, row_number() OVER () AS number FROM game) AS game,
    unnest(CAST('{in_progress,completed}' AS text[])) AS target,
    LATERAL (SELECT CASE WHEN number < 10 THEN now() ELSE scheduled_at END AS due_at) AS due;

ANALYZE
"""


@pytest.mark.parametrize(
    ("name", "source"), [("claim_notifications", NOTIFICATIONS), ("claim_transitions", STATUS_TRANSITIONS)]
)
async def test_a_claim_reads_no_rows_that_are_not_due(database: Database, name: str, source: ScheduleTable) -> None:
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        for statement in _MANY_PENDING.split(";"):
            await session.execute(text(statement))
    plan = await explain_claim(database, name, source.kinds)
    assert plan["Actual Rows"] == 18
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200


async def test_a_claim_reads_no_due_rows_of_other_queues(database: Database) -> None:
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        for statement in _MANY_PENDING.split(";"):
            await session.execute(text(statement))
        await session.execute(
            text("UPDATE notification_schedule SET attempt_at = now() WHERE kind = 'reminder' AND settled_at IS NULL")
        )
    async with database.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("VACUUM ANALYZE notification_schedule"))
    plan = await explain_claim(database, "claim_notifications", NOTICES.kinds)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 200


async def explain_claim(database: Database, name: str, kinds: Collection[str]) -> dict[str, Any]:
    """Claim a batch, and return the plan with what it read."""
    parameters = {"kinds": sorted(kinds), "window": 2_000, "batch_size": BATCH}
    async with db.transaction(database.sessions) as session:
        explained = await session.execute(
            text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {STATEMENTS[name].text}"), parameters
        )
        [explanation] = explained.scalar_one()
    plan: dict[str, Any] = explanation["Plan"]
    return plan


def rows_read(plan: dict[str, Any]) -> Iterator[float]:
    """The rows that each scan of a plan has read."""
    if "Relation Name" in plan:
        yield plan["Actual Loops"] * (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0))
    for child in plan.get("Plans", ()):
        yield from rows_read(child)


def scanned_tables(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads completely."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from scanned_tables(child)


def joined_with_locked_rows(plan: dict[str, Any], *, locks: bool = False) -> Iterator[str]:
    """The kinds of the nodes below one that locks rows, without those that are evaluated once and before it."""
    if locks:
        yield plan["Node Type"]
    locks |= plan["Node Type"] == "LockRows" or plan.get("Operation") in {"Update", "Delete"}
    for child in plan.get("Plans", ()):
        is_joined = child.get("Parent Relationship") not in {"InitPlan", "SubPlan"}
        yield from joined_with_locked_rows(child, locks=locks and is_joined)
