"""The connection to Discord: what it survives, and with which error it ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.delivery.pacing import is_counted
from bot.delivery.rate_limits import RateLimiter
from bot.gateway import GatewayOptions, run_gateway
from bot.gateway_state import GatewayState
from sandbox.discord.faults.model import (
    CloseGateway,
    DropGateway,
    Match,
    Reconnect,
    RefuseGateway,
    Slow,
    Status,
    TooMany,
)
from sandbox.discord.server import SandboxDiscord
from shared.errors import ConfigurationError, TransientError
from shared.settings import DiscordSettings
from tests.integration.bot.conftest import StartBot, reply_text
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT, eventually


async def outcome(settings: DiscordSettings, database: Database) -> BaseException | None:
    """Return the exception with which a connection ends."""
    async with asyncio.timeout(WAIT_TIMEOUT):
        [ended] = await asyncio.gather(
            run_gateway(settings, database.sessions, GatewayOptions(limiter=RateLimiter())), return_exceptions=True
        )
    return ended


async def test_a_wrong_token_is_a_configuration_error_that_names_the_setting(
    sandbox: SandboxDiscord, database: Database
) -> None:
    wrong = "a.token.of-another-bot"
    ended = await outcome(DiscordSettings(token=SecretStr(wrong), api_url=sandbox.url), database)
    assert isinstance(ended, ConfigurationError)
    assert "DISCORD_TOKEN: Discord rejects this token" in str(ended)
    assert wrong not in str(ended)


async def test_a_token_that_is_reset_while_connected_is_a_configuration_error(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    ready = asyncio.Event()
    bot = asyncio.create_task(
        run_gateway(discord_settings, database.sessions, GatewayOptions(limiter=RateLimiter(), on_ready=ready.set))
    )
    await asyncio.wait_for(ready.wait(), WAIT_TIMEOUT)
    sandbox.gateway.token = "another"
    sandbox.faults.add(DropGateway())
    with pytest.raises(ConfigurationError, match="DISCORD_TOKEN"):
        await asyncio.wait_for(bot, WAIT_TIMEOUT)


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4012, 4013, 4014])
async def test_what_only_the_gateway_refuses_is_a_transient_error_tried_again_in_minutes(
    code: int, sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.faults.add(CloseGateway(code))
    ended = await outcome(discord_settings, database)
    assert isinstance(ended, TransientError)
    assert f"code {code}: " in str(ended)
    assert ended.retry_after == 300


@pytest.mark.parametrize("code", [1000, 4000, 4009, 4999])
async def test_a_gateway_that_closes_every_connection_is_not_stormed(
    code: int, sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    fault = sandbox.faults.add(CloseGateway(code))
    assert isinstance(await outcome(discord_settings, database), TransientError)
    assert fault.fired <= 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
@pytest.mark.parametrize("route", ["gateway/bot", "users/@me$"])
async def test_only_the_bots_own_user_tells_whether_the_token_is_right(
    status: int, route: str, sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.faults.add(TooMany(120.0) if status == 429 else Status(status), Match(route=route))
    ended = await outcome(discord_settings, database)
    refused = status == 401 and route == "users/@me$"
    assert isinstance(ended, ConfigurationError if refused else TransientError)


@pytest.mark.parametrize("fault", [Status(400), Status(401), Status(403), TooMany(600.0)])
async def test_refused_commands_do_not_keep_the_bot_from_connecting(
    fault: Status | TooMany, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    refused = sandbox.faults.add(fault, Match(method="PUT", route="/commands$"))
    async with start_bot(database.sessions):
        assert sandbox.gateway.online
    assert refused.fired


async def test_an_endless_rate_limit_is_asked_about_again_within_an_hour(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.faults.add(TooMany(retry_after=1e7), Match(route="users/@me"))
    ended = await outcome(discord_settings, database)
    assert isinstance(ended, TransientError)
    assert ended.retry_after == 3600


async def test_the_state_says_what_the_gateway_said_until_it_connects(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    state = GatewayState()
    assert state.problem() == "not connected yet"
    fault = sandbox.faults.add(CloseGateway(4011))
    with pytest.raises(TransientError):
        await asyncio.wait_for(
            run_gateway(discord_settings, database.sessions, GatewayOptions(limiter=RateLimiter(), state=state)),
            WAIT_TIMEOUT,
        )
    assert "too many servers" in (state.problem() or "")
    sandbox.faults.remove(fault.id)
    bot = asyncio.create_task(
        run_gateway(discord_settings, database.sessions, GatewayOptions(limiter=RateLimiter(), state=state))
    )
    await eventually(lambda: state.problem() is None)
    bot.cancel()
    await asyncio.wait([bot])


async def test_a_login_waits_for_its_part_of_the_limit_of_requests(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    limiter, ready = RateLimiter(), asyncio.Event()
    limiter.take_share(0.0, ends=0.0)
    answered = sandbox.faults.add(Slow(0.0), Match(route="users/@me"))
    bot = asyncio.create_task(
        run_gateway(discord_settings, database.sessions, GatewayOptions(limiter=limiter, on_ready=ready.set))
    )
    done, _ = await asyncio.wait([bot], timeout=0.5)
    assert not done
    assert not answered.fired
    limiter.take_share(25.0, ends=math.inf)
    await asyncio.wait_for(ready.wait(), WAIT_TIMEOUT)
    bot.cancel()
    await asyncio.wait([bot])


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/api/v10/users/@me", True),
        ("/api/v10/channels/1/messages", True),
        ("/a/proxy/api/v10/channels/1/messages", True),
        ("/a/proxy/api/v10/interactions/1/token/callback", False),
        ("/api/v10/interactions/1/token/callback", False),
        ("/api/v10/webhooks/1/token/messages/@original", False),
        ("/?v=10&encoding=json", False),
    ],
)
def test_the_connection_and_answers_to_interactions_do_not_count_towards_the_limit(path: str, *, counts: bool) -> None:
    assert is_counted(path) == counts


async def test_an_unreachable_discord_is_a_transient_error(
    discord_settings: DiscordSettings, sandbox: SandboxDiscord, database: Database
) -> None:
    sandbox.faults.add(Status(503), Match(route="users/@me"))
    assert isinstance(await outcome(discord_settings, database), TransientError)
    nowhere = DiscordSettings(token=SecretStr("any"), api_url="http://127.0.0.1:9")
    assert isinstance(await outcome(nowhere, database), TransientError)


async def test_an_unavailable_gateway_is_a_transient_error(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.faults.add(RefuseGateway())
    assert isinstance(await outcome(discord_settings, database), TransientError)


@asynccontextmanager
async def gateway_that_closes() -> AsyncIterator[str]:
    """Serve a gateway that closes every connection before it says hello."""

    async def close(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=4000)
        return socket

    app = web.Application()
    app.router.add_get("/", close)
    async with TestServer(app) as server:
        yield f"ws://{server.host}:{server.port}/"


async def test_a_gateway_that_closes_immediately_is_a_transient_error(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    async with gateway_that_closes() as url:
        sandbox.gateway.url = url
        assert isinstance(await outcome(discord_settings, database), TransientError)


async def test_a_rate_limit_says_how_long_to_wait(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.faults.add(TooMany(retry_after=120.0), Match(route="users/@me"))
    ended = await outcome(discord_settings, database)
    assert isinstance(ended, TransientError)
    assert ended.retry_after == pytest.approx(120, abs=1)


async def test_the_last_session_starts_of_the_day_are_kept(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database
) -> None:
    sandbox.gateway.starts_left = 10
    ended = await outcome(discord_settings, database)
    assert isinstance(ended, TransientError)
    assert "10 of 1000 session starts" in str(ended)
    assert ended.retry_after is not None
    assert sandbox.gateway.starts_left == 10


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("trouble", [DropGateway(), Reconnect()])
async def test_a_dropped_connection_is_resumed_without_a_new_session(
    sandbox: SandboxDiscord, trouble: DropGateway | Reconnect
) -> None:
    starts, before = sandbox.gateway.starts_left, set(sandbox.gateway.connections)
    sandbox.faults.add(trouble)
    await sandbox.wait_for(
        lambda: sandbox.gateway.online and not before & sandbox.gateway.connections, timeout=WAIT_TIMEOUT
    )
    assert "No games planned yet" in str((await (await sandbox.slash("Mia", "game list")).done()).message.embeds)
    assert sandbox.gateway.starts_left == starts


async def test_unchanged_commands_are_not_registered_again(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async with start_bot(database.sessions):
        first = [command["version"] for command in sandbox.world.commands.all(None)]
    async with start_bot(database.sessions):
        assert [command["version"] for command in sandbox.world.commands.all(None)] == first


async def test_changed_commands_are_registered_again(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async with start_bot(database.sessions):
        known = sandbox.world.commands.all(None)[0]
    known["options"][0]["description"] = "Something older"
    async with start_bot(database.sessions):
        assert sandbox.world.commands.all(None)[0]["options"][0]["description"] != "Something older"


async def test_a_reply_in_progress_is_finished_before_the_bot_stops(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    sandbox.faults.add(Slow(seconds=0.5), Match(method="PATCH", route="@original"), times=1)
    async with start_bot(database.sessions):
        result = await sandbox.slash("Mia", "settings server", zone="Asia/Tokyo")
    assert "Asia/Tokyo" in result.content


async def test_a_cancelled_bot_closes_its_gateway_session(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async with start_bot(database.sessions):
        assert sandbox.gateway.online
    await sandbox.wait_for(lambda: not sandbox.gateway.sessions, timeout=WAIT_TIMEOUT)


async def test_an_outdated_command_gets_a_reply(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async with start_bot(database.sessions):
        command = next(found for found in sandbox.world.commands.all(None) if found["name"] == "game")
        command["options"].append({"type": 1, "name": "forgotten", "description": "From an older release"})
        assert "try again in a minute" in await reply_text(sandbox.slash("Mia", "game forgotten"))
