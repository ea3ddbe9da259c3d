"""The demo starts again what dies, and its page shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from sandbox.demo import supervisor
from sandbox.demo.figures import Figures, count
from sandbox.demo.supervisor import Supervisor
from sandbox.discord.server import SandboxDiscord
from sandbox.oracle.facts import DatabaseFacts, NotificationRow
from sandbox.oracle.verdict import Verdict
from sandbox.servers import ServerFailedError
from sandbox.servers.process import Process
from shared.models import NotificationKind, Outcome
from shared.schedule.retry import Backoff
from tests.support.waiting import eventually

AT_ONCE = Backoff(first=0.01, longest=0.01)


class Sleeper(Process):
    """A process that does nothing. Its next starts fail `failures` times."""

    def __init__(self, log: Path, *, failures: int = 0) -> None:
        super().__init__("sleeper", ["sleep", "1000"], ready=self._is_ready, log=log)
        self.failures = failures

    async def _is_ready(self) -> bool:
        return True

    async def start(self) -> None:
        if self.failures:
            self.failures -= 1
            raise ServerFailedError("the port is taken")
        await super().start()


@asynccontextmanager
async def supervised(part: Sleeper, report: list[str]) -> AsyncIterator[Supervisor]:
    await part.start()
    watched = Supervisor([part], report=report.append)
    running = asyncio.create_task(watched.run())
    try:
        yield watched
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await part.stop()


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "RESTART", AT_ONCE)


async def test_a_killed_process_is_started_again_and_reported(tmp_path: Path) -> None:
    part, report = Sleeper(tmp_path / "log"), list[str]()
    async with supervised(part, report) as watched:
        first = part.pid
        await watched.kill("sleeper")
        await eventually(lambda: watched.restarts["sleeper"] == 1)
        assert part.pid not in (None, first)
        assert watched.running == {"sleeper": True}
    assert report == ["sleeper died; it is started again", "sleeper is ready again"]


async def test_a_process_that_does_not_start_is_tried_again(tmp_path: Path) -> None:
    part, report = Sleeper(tmp_path / "log"), list[str]()
    async with supervised(part, report) as watched:
        part.failures = 2
        await part.kill()
        await eventually(lambda: watched.restarts["sleeper"] == 1)
    assert report[1:3] == ["sleeper does not start: the port is taken"] * 2


class Demo:
    """A demo with one process."""

    def __init__(self) -> None:
        self.killed: list[str] = []

    def view(self) -> dict[str, Any]:
        return {"processes": [{"name": "bot", "running": True, "restarts": 0}], "figures": None}

    async def kill(self, name: str) -> None:
        self.killed.append(name)


async def test_the_page_kills_processes_of_the_demo_and_only_there() -> None:
    async with SandboxDiscord() as discord, aiohttp.ClientSession(discord.url) as http:
        refused = await http.post("/sandbox/demo/kill", json={"process": "bot"})
        assert (refused.status, (await (await http.get("/sandbox/state")).json())["demo"]) == (400, None)
        discord.engine.demo = demo = Demo()
        assert (await http.post("/sandbox/demo/kill", json={"process": "bot"})).status == 204
        assert demo.killed == ["bot"]
        assert (await (await http.get("/sandbox/state")).json())["demo"] == demo.view()


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, Figures(due=3, delivered=2, waiting=1, doubled=0, missing=0)),
        (Outcome.UNDELIVERABLE, Figures(due=3, delivered=2, waiting=0, doubled=0, missing=1)),
    ],
)
def test_a_reminder_waits_while_its_row_is_open_and_is_missing_afterwards(
    outcome: Outcome | None, expected: Figures
) -> None:
    now = datetime.now(UTC)
    row = NotificationRow(uuid4(), uuid4(), NotificationKind.REMINDER, 1, now, now - timedelta(seconds=1), outcome)
    verdict = Verdict(reminders=4, delivered=2, excused=1, lost=["a reminder"])
    assert count(DatabaseFacts({}, {row.id: row}, [], {}, now), verdict) == expected
