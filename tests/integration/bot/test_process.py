"""`questbell bot` as a process: what must not end it, and what must."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.delivery.rate_limits import REQUESTS_PER_SECOND
from bot.delivery.request_share import LEASE
from controllers.loops.sources import ClaimedRow, build_notification_event
from sandbox.demo.workload import Workload
from sandbox.discord.faults.model import CloseGateway, DropGateway, Match, Status
from sandbox.discord.server import SandboxDiscord
from shared.messaging import topology
from shared.messaging.publisher import Publisher, PublishResult, build_message
from shared.models import NotificationKind, Outcome
from shared.settings import BrokerSettings
from tests.support.builders import drop_notices, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT, eventually


@pytest.fixture
def environment(
    sandbox: SandboxDiscord, database: Database, declared: BrokerSettings, tmp_path: Path
) -> Mapping[str, str]:
    return {
        "QUESTBELL_DATABASE_URL": database.settings.url.get_secret_value(),
        "QUESTBELL_AMQP_URL": declared.url.get_secret_value(),
        "DISCORD_TOKEN": sandbox.token,
        "DISCORD_API_URL": sandbox.url,
    }


@asynccontextmanager
async def bot_process(directory: Path, environment: Mapping[str, str]) -> AsyncIterator[Workload]:
    """Run a bot for a block, which begins when it is ready."""
    async with Workload("bot", directory=directory, settings=environment) as workload:
        yield workload


async def answer(workload: Workload, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"{workload.health}{path}") as response:
        return response.status, await response.text()


async def test_delivery_goes_on_while_the_gateway_refuses_the_bot(
    sandbox: SandboxDiscord,
    database: Database,
    publisher: Publisher,
    environment: Mapping[str, str],
    tmp_path: Path,
) -> None:
    sandbox.faults.add(CloseGateway(4014))
    async with bot_process(tmp_path, environment) as bot:

        async def refused() -> bool:
            return "code 4014: disallowed intents" in (await answer(bot, "/readyz"))[1]

        await eventually(refused)
        assert (await answer(bot, "/readyz"))[0] == 200, "the gateway is no condition of delivery"
        assert "questbell_gateway_close_code 4014.0" in (await answer(bot, "/metrics"))[1]
        assert await deliver_reminder(sandbox, database, publisher) is Outcome.DELIVERED
        assert bot.pid is not None
    for line in bot.log.read_text().splitlines():
        assert json.loads(line)["action"], "a line of a library has our format too"


async def deliver_reminder(sandbox: SandboxDiscord, database: Database, publisher: Publisher) -> Outcome | None:
    """Publish a due reminder, and return its outcome."""
    channel, player = next(iter(sandbox.world.channels)), sandbox.world.user("Mia").id
    game = await new_game(database.sessions, channel_id=channel, offsets=(60,), players=[player])
    await drop_notices(database.sessions)
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    await make_due(database.sessions, row, ago=timedelta(seconds=1))
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    details = {"kind": row.kind, "offset_minutes": row.offset_minutes, "game_scheduled_at": row.game_scheduled_at}
    claimed = ClaimedRow(row.id, row.game_id, row.due_at, attempts=0, claimed_at=row.due_at, details=details)
    event, ttl = build_notification_event(claimed)
    message = build_message(event, ttl=ttl, attempt=1)
    assert await publisher.publish(topology.REMINDERS, [message]) == [PublishResult.CONFIRMED]

    async def outcome() -> Outcome | None:
        [settled] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
        return settled.outcome

    return await eventually(outcome)


async def test_a_token_that_rest_refuses_ends_the_process(
    sandbox: SandboxDiscord, environment: Mapping[str, str], tmp_path: Path
) -> None:
    async with bot_process(tmp_path, environment) as bot:
        await sandbox.wait_for(lambda: sandbox.gateway.online, timeout=WAIT_TIMEOUT)
        sandbox.faults.add(Status(401), Match(route="users/@me$"))
        sandbox.faults.add(CloseGateway(4004))
        sandbox.faults.add(DropGateway())
        await asyncio.wait_for(bot.ended(), WAIT_TIMEOUT)
        assert bot.log.read_text().splitlines()[-1].startswith("questbell: DISCORD_TOKEN: Discord rejects this token")


async def test_two_processes_divide_the_limit_and_one_goes_on_alone(
    sandbox: SandboxDiscord,
    database: Database,
    publisher: Publisher,
    environment: Mapping[str, str],
    tmp_path: Path,
) -> None:
    settings = {**environment, "QUESTBELL_BOT_SHARDS": "2", "QUESTBELL_BOT_PROCESSES": "2"}
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with bot_process(tmp_path / "first", {**settings, "QUESTBELL_BOT_ORDINAL": "0"}) as first:
        second = Workload("bot", directory=tmp_path / "second", settings={**settings, "QUESTBELL_BOT_ORDINAL": "1"})

        async def have(share: float, *bots: Workload) -> bool:
            pages = [(await answer(bot, "/metrics"))[1] for bot in bots]
            return all(f"questbell_request_share {share}" in page for page in pages)

        async with second:
            await eventually(lambda: have(REQUESTS_PER_SECOND / 2, first, second))
            await sandbox.wait_for(lambda: len(sandbox.gateway.connected_shards) == 2, timeout=WAIT_TIMEOUT)
            assert await deliver_reminder(sandbox, database, publisher) is Outcome.DELIVERED
        async with asyncio.timeout(LEASE / 2):  # the share was released, so its lease does not have to end
            await eventually(lambda: have(float(REQUESTS_PER_SECOND), first))
        assert await deliver_reminder(sandbox, database, publisher) is Outcome.DELIVERED


HANGS = """
import asyncio, re, sys
from shared import liveness, process

liveness.HANGS_AFTER, liveness.BEAT_INTERVAL = 1.0, 0.2

async def work():
    await asyncio.sleep(1.5)
    print("works", flush=True)
    {hang}

async def main():
    await process.run_until_signalled(work)

process.run(main())
"""


@pytest.mark.parametrize(
    "hang", ["import time; time.sleep(60)", "re.match('(a+)+$', 'a' * 60 + 'b')"], ids=["sleeps", "holds-the-lock"]
)
async def test_a_blocked_event_loop_ends_the_process_and_says_where(hang: str) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HANGS.format(hang=hang), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(WAIT_TIMEOUT / 2):
            out, error = await child.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    assert out == b"works\n", "an event loop that turns is left alone"
    assert child.returncode == 1
    assert b"Timeout" in error
    assert b"in work" in error
