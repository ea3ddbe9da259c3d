"""Every statement of `shared/sql` uses an index, however many rows the tables hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from sandbox.servers.postgres import Postgres
from shared import database as db
from shared import sql
from shared.database import Sessions
from shared.settings import DatabaseSettings, Timing
from tests.support.transition_check import allow_any_change

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
FROM generate_series(-200, 200) AS number;

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
    """A database with about 30,000 rows in each large table."""
    url = await postgres_server.create_database("plans", template=migrated_template)
    settings, timing = DatabaseSettings(url=SecretStr(url)), Timing()
    async with db.engine(settings, application_name="test", timing=timing, answer_timeout=None) as engine:
        sessions = db.sessions(engine)
        async with db.transaction(sessions) as session:
            await allow_any_change(session)
            for statement in _FILL.split(";"):
                await session.execute(text(statement))
        yield sessions
    await postgres_server.drop_database("plans")


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
        "delays": [1.0] * BATCH,
        "outcomes": ["delivered"] * BATCH,
        "details": [None] * BATCH,
        "error": "publish failed",
        "queues": ["bot.reminders.dlq"],
        "include_resolved": False,
        "resolution": "retried",
        "guild_id": 1,
        "game_id": ids[0],
        "actor_id": 3,
        "action": "joined",
        "detail": "{}",
        "is_over": False,
        "title": "Keep",
        "pattern": "%keep%",
        "interaction_id": 10**18,
        "class": 1,
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
        "after_due_at": datetime(2026, 1, 1, tzinfo=UTC),
        "after_id": ids[0],
        "longest_wait": timedelta(minutes=5),
    }


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_scans_no_large_table(filled: Sessions, name: str) -> None:
    values = await example_values(filled)
    unknown = STATEMENTS[name]._bindparams.keys() - values.keys()
    assert unknown == set(), "example_values has no value for these"
    for call in CALLS.get(name, ({},)):
        parameters = {parameter: (values | call)[parameter] for parameter in STATEMENTS[name]._bindparams}
        async with db.transaction(filled) as session:
            explained = await session.execute(text(f"EXPLAIN (FORMAT JSON) {STATEMENTS[name].text}"), parameters)
        [explanation] = explained.scalar_one()
        assert set(scanned_tables(explanation["Plan"])) & LARGE_TABLES == set()


def scanned_tables(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads completely."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for child in plan.get("Plans", ()):
        yield from scanned_tables(child)
