"""`questbell controllers` as a process, with a real database, broker and API server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from sandbox.servers.control_plane import ControlPlane
from sandbox.servers.network import free_ports
from shared.settings import BrokerSettings
from tests.controlplane.operating import conditions
from tests.support.builders import make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.kubectl import Kubectl
from tests.support.waiting import WAIT_TIMEOUT, eventually

PROGRAM = [sys.executable, "-c", "from cli.app import main; main()", "controllers"]


@dataclass
class Running:
    """The process, and what it said."""

    child: asyncio.subprocess.Process
    port: int
    lines: list[dict[str, object]] = field(default_factory=list)

    async def problems(self) -> dict[str, str]:
        """What `/readyz` complains of."""
        url = f"http://127.0.0.1:{self.port}/readyz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            problems: dict[str, str] = (await answer.json())["problems"]
            return problems

    async def until_ready(self) -> None:
        await self.until_problems(lambda problems: not problems)

    async def until_problems(self, expected: Callable[[dict[str, str]], bool]) -> None:
        """Wait until `/readyz` answers with such problems."""

        async def answered() -> bool:
            try:
                return expected(await self.problems())
            except aiohttp.ClientError:
                assert self.child.returncode is None, self.lines
                return False

        await eventually(answered)

    def actions(self) -> set[object]:
        return {line["action"] for line in self.lines}

    async def read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            self.lines.append(json.loads(line))


@pytest.fixture
def environment(cluster: ControlPlane, namespace: str, database: Database, broker: BrokerSettings) -> Mapping[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")},
        "KUBECONFIG": str(cluster.kubeconfig),
        "QUESTBELL_NAMESPACE": namespace,
        "QUESTBELL_DATABASE_URL": database.settings.url.get_secret_value(),
        "QUESTBELL_AMQP_URL": broker.url.get_secret_value(),
        "QUESTBELL_HEALTH_PORT": str(free_ports(1)[0]),
    }


@asynccontextmanager
async def controllers(environment: Mapping[str, str]) -> AsyncIterator[Running]:
    child = await asyncio.create_subprocess_exec(*PROGRAM, env=environment, stdout=asyncio.subprocess.PIPE)
    running = Running(child, int(environment["QUESTBELL_HEALTH_PORT"]))
    reader = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        await reader


async def test_the_controllers_serve_their_resources_and_stop_cleanly(
    environment: Mapping[str, str], kubectl: Kubectl
) -> None:
    async with controllers(environment) as running:
        await running.until_ready()
        ready: dict[str, Any] = {}

        async def all_have_a_status() -> bool:
            found = await kubectl.json("get", "questbell")
            ready.update((item["metadata"]["name"], conditions(item).get("Ready", {})) for item in found["items"])
            return len(ready) == 3 and ready["notifications"].get("status") == "True" and bool(ready["default"])

        await eventually(all_have_a_status)
        assert ready["status-transitions"]["reason"] == "Dispatching"
        began = time.monotonic()
        running.child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.child.wait(), 15) == 0
        assert time.monotonic() - began < 10
    assert {"stopping", "stopped", "loop_stopped"} <= running.actions()
    assert "loop_late" not in running.actions()


async def test_the_controllers_wait_for_a_missing_api_server_and_name_it(
    environment: Mapping[str, str], cluster: ControlPlane
) -> None:
    await cluster.stop()
    try:
        async with controllers(environment) as running:
            await running.until_problems(
                lambda problems: problems.keys() == {"api-server"} and "unreachable" in problems["api-server"]
            )
            await cluster.start()
            await running.until_ready()
    finally:
        await cluster.start()


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("QUESTBELL_DATABASE_URL", "postgresql://user:hush@127.0.0.1:9/games"),
        ("QUESTBELL_AMQP_URL", "amqp://user:hush@127.0.0.1:9/"),
    ],
)
async def test_every_scheduler_is_degraded_while_a_server_is_down(
    setting: str, url: str, environment: Mapping[str, str], kubectl: Kubectl
) -> None:
    async with controllers({**environment, setting: url}):

        async def all_are_degraded() -> list[dict[str, Any]] | None:
            items = (await kubectl.json("get", "schedulers"))["items"]
            found = [conditions(item).get("Degraded", {}) for item in items]
            return found if found and all(condition.get("status") == "True" for condition in found) else None

        for condition in await eventually(all_are_degraded):
            assert condition["reason"] == "Waiting"
            assert setting in condition["message"]


async def test_rows_without_a_bot_degrade_their_scheduler(
    environment: Mapping[str, str], kubectl: Kubectl, database: Database
) -> None:
    game = await new_game(database.sessions, offsets=(60,))
    await make_due(database.sessions, *await rows_of(database.sessions, game), ago=timedelta(seconds=150))
    async with controllers(environment) as running:
        await running.until_ready()

        async def degraded() -> str | None:
            found = conditions(await kubectl.json("get", "scheduler/notifications")).get("Degraded", {})
            return str(found["message"]) if found.get("status") == "True" else None

        message = await eventually(degraded)
        assert "Nobody consumes bot.reminders, bot.notices and bot.announcements: is the bot running?" in message
        header, row, _ = await kubectl.columns("schedulers")
        assert row[header.index("DEGRADED")] == "True"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("QUESTBELL_DATABASE_URL", None),
        ("QUESTBELL_AMQP_URL", None),
        ("KUBECONFIG", "/nowhere"),
        ("QUESTBELL_DATABASE_URL", "mysql://host/db"),
        ("QUESTBELL_NAMESPACE", "Not A Namespace"),
    ],
)
async def test_a_configuration_error_is_one_line_that_names_the_setting(
    setting: str, value: str | None, environment: Mapping[str, str]
) -> None:
    wrong = {name: text for name, text in environment.items() if name != setting} | ({setting: value} if value else {})
    child = await asyncio.create_subprocess_exec(
        *PROGRAM, env=wrong, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(WAIT_TIMEOUT):
        _, said = await child.communicate()
    assert child.returncode == 2
    assert setting in said.decode()
    assert len(said.decode().splitlines()) == 1
