"""The benchmark of growth in miniature: what it loads is what the product writes, and all that it measures works."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from benchmarks.environment import connect
from benchmarks.growth import report
from benchmarks.growth.load import OFFSETS, Size, fill
from benchmarks.growth.measure import Grown, Times, measure, scanned_tables
from benchmarks.growth.work import WORK
from sandbox.demo.progress import Progress
from sandbox.servers.postgres import Postgres
from tests.support.servers import report as report_step

SIZE = Size(pending=800, settled=400)
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
FOREIGN_KEYS = """
SELECT conname, conrelid::regclass::text AS child, confrelid::regclass::text AS parent, a.attname, b.attname AS key
FROM pg_constraint
JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = conkey[1]
JOIN pg_attribute AS b ON b.attrelid = confrelid AND b.attnum = confkey[1]
WHERE contype = 'f'
"""


@pytest.fixture
async def loaded(postgres_server: Postgres, migrated_template: str) -> AsyncIterator[asyncpg.Connection]:
    url = await postgres_server.create_database("growth", template=migrated_template)
    async with connect(url) as connection:
        yield connection
    await postgres_server.drop_database("growth")


async def test_the_loader_writes_rows_as_the_product_does(loaded: asyncpg.Connection) -> None:
    indexes = await loaded.fetch(INDEXES)
    await fill(loaded, SIZE, report=report_step)

    assert await loaded.fetch(INDEXES) == indexes
    games = (SIZE.pending + SIZE.settled) // len(OFFSETS)
    assert await loaded.fetchval("SELECT count(*) FROM game") == games
    reminders = "SELECT count(*) FROM notification_schedule WHERE kind = 'reminder' AND "
    assert await loaded.fetchval(f"{reminders} settled_at IS NULL") == SIZE.pending
    assert await loaded.fetchval(f"{reminders} attempt_at <= now()") == SIZE.due * len(OFFSETS)
    assert await loaded.fetchval("SELECT count(*) FROM game_status_schedule WHERE attempt_at <= now()") == SIZE.due
    assert await loaded.fetchval(f"{reminders} outcome = 'delivered'") == SIZE.settled
    assert await loaded.fetchval("SELECT count(*) FROM notification_delivery") == SIZE.settled + games
    for key in await loaded.fetch(FOREIGN_KEYS):  # the loader switches their checks off
        orphans = (
            f"SELECT count(*) FROM {key['child']} AS child WHERE {key['attname']} IS NOT NULL"
            f" AND NOT EXISTS (SELECT FROM {key['parent']} WHERE {key['key']} = child.{key['attname']})"
        )
        assert await loaded.fetchval(orphans) == 0, key["conname"]


async def test_everything_is_measured_at_each_size(postgres_server: Postgres, tmp_path: Path) -> None:
    grown = await measure(postgres_server, [Size(400, 400), SIZE], rounds=2, warm_up=0, progress=Progress())

    report.write(tmp_path / "growth.json", grown)
    written = json.loads((tmp_path / "growth.json").read_text())
    assert written["work"].keys() == WORK.keys()
    for name, figures in written["work"].items():
        assert [len(it["plans"]) > 0 and it["blocks"] > 0 for it in figures] == [True, True], name
        assert figures[0]["ratio"] == 1.0


def test_what_grows_is_reported() -> None:
    plan = {"Node Type": "Limit", "Plans": [{"Node Type": "Seq Scan", "Relation Name": "game"}]}
    assert list(scanned_tables(plan)) == ["game"]
    small, large = (
        Grown(SIZE, {}, 0, {"claim": Times(again=again), "trace": Times(again=[1.0])})
        for again in ([1.0, 9.0], [1.4, 2.0])
    )
    assert report.missed([small, large]) == ["claim: 1.40 times as long"]
