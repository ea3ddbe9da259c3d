"""Faults on requests: what the client feels, and whether the message was accepted all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from sandbox.discord.clock import ManualClock
from sandbox.discord.faults.model import (
    Action,
    Drop,
    Hang,
    Match,
    Reconnect,
    Refuse,
    Slow,
    Status,
    TooMany,
    action_from_json,
    action_to_json,
)
from sandbox.discord.server import SandboxDiscord
from tests.support.waiting import WAIT_TIMEOUT
from tests.unit.sandbox.discord.clients import Api

IMPATIENT = aiohttp.ClientTimeout(total=0.15)


async def outcome(api: Api, channel: int) -> int:
    """The status of a create."""
    return (await api.send(channel)).status


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("accepted", [False, True])
async def test_a_network_error_can_come_before_or_after_acceptance(
    api: Api, sandbox: SandboxDiscord, game_night: int, status: int, accepted: bool
) -> None:
    sandbox.faults.add(Status(status, accepted=accepted), times=1)
    reply = await api.send(game_night)
    assert (reply.status, reply.body) == (status, f"error code: {status}")
    assert len(sandbox.messages("game-night")) == accepted
    assert (await api.send(game_night)).status == 200


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_reset_can_come_before_or_after_acceptance(
    api: Api, sandbox: SandboxDiscord, game_night: int, accepted: bool
) -> None:
    sandbox.faults.add(Drop(accepted=accepted), times=1)
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await api.send(game_night)
    assert len(sandbox.messages("game-night")) == accepted


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_request_can_hang_beyond_the_client_s_timeout(
    api: Api, sandbox: SandboxDiscord, game_night: int, accepted: bool
) -> None:
    sandbox.faults.add(Hang(30.0, accepted=accepted), times=1)
    with pytest.raises(TimeoutError):
        await api("POST", f"/channels/{game_night}/messages", {"content": "x"}, timeout=IMPATIENT)
    assert len(sandbox.messages("game-night")) == accepted


async def test_a_hanging_request_ends_in_a_reset(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    sandbox.faults.add(Hang(0.01), times=1)
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await api.send(game_night)
    assert sandbox.evidence == []


async def test_a_slow_request_is_accepted_even_if_the_client_gave_up(
    api: Api, sandbox: SandboxDiscord, game_night: int
) -> None:
    sandbox.faults.add(Slow(0.3), times=1)
    with pytest.raises(TimeoutError):
        await api("POST", f"/channels/{game_night}/messages", {"content": "x"}, timeout=IMPATIENT)
    assert sandbox.evidence == []
    await sandbox.wait_for(lambda: sandbox.evidence, timeout=WAIT_TIMEOUT)


@pytest.mark.parametrize("scope", ["user", "global", "shared"])
async def test_a_429_has_the_configured_scope(api: Api, sandbox: SandboxDiscord, game_night: int, scope: Any) -> None:
    sandbox.faults.add(TooMany(2.5, scope), times=1)
    reply = await api.send(game_night)
    assert (reply.status, reply.body["retry_after"], reply.body["global"]) == (429, 2.5, scope == "global")
    assert (reply.headers["X-RateLimit-Scope"], reply.headers["Via"]) == (scope, "1.1 google")
    assert len(sandbox.engine.limiter.invalid) == (scope != "shared")


async def test_a_429_without_via_looks_like_a_ban(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    sandbox.faults.add(TooMany(via=False), times=1)
    reply = await api.send(game_night)
    assert reply.status == 429
    assert "Via" not in reply.headers


@pytest.mark.parametrize(("code", "status"), [(50007, 403), (10003, 404), (130000, 503), (30046, 429), (99999, 400)])
async def test_a_request_can_be_rejected_with_an_error_code(
    api: Api, sandbox: SandboxDiscord, game_night: int, code: int, status: int
) -> None:
    sandbox.faults.add(Refuse(code), times=1)
    reply = await api.send(game_night)
    assert (reply.status, reply.body["code"]) == (status, code)
    assert sandbox.evidence == []


async def test_a_fault_applies_only_to_matching_requests(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    other = sandbox.world.channel("off-topic").id
    fault = sandbox.faults.add(Status(503), Match(method="POST", route="/messages$", channel=game_night))
    assert [await outcome(api, game_night), await outcome(api, other)] == [503, 200]
    assert (await api("GET", f"/channels/{game_night}/messages")).status == 200
    assert fault.fired == 1


async def test_a_fault_can_apply_to_one_user_s_direct_messages(api: Api, sandbox: SandboxDiscord) -> None:
    mia, ben = sandbox.world.user("Mia"), sandbox.world.user("Ben")
    sandbox.faults.add(Refuse(50007), Match(user=ben.id))
    assert (await api("POST", "/users/@me/channels", {"recipient_id": str(ben.id)})).body["code"] == 50007
    assert (await api("POST", "/users/@me/channels", {"recipient_id": str(mia.id)})).status == 200
    assert await outcome(api, sandbox.world.open_dm(ben).id) == 403
    assert await outcome(api, sandbox.world.open_dm(mia).id) == 200


async def test_a_fault_ends_after_its_number_of_times_or_seconds(
    api: Api, sandbox: SandboxDiscord, game_night: int, clock: ManualClock
) -> None:
    sandbox.faults.add(Status(500), times=2)
    assert [await outcome(api, game_night) for _ in range(3)] == [500, 500, 200]
    sandbox.faults.add(Status(503), seconds=60)
    assert await outcome(api, game_night) == 503
    clock.advance(61)
    assert await outcome(api, game_night) == 200
    assert [(fault.fired, fault.on(clock.monotonic())) for fault in sandbox.faults.all()] == [(2, False), (1, False)]


async def test_the_same_seed_gives_the_same_faults(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    async def run() -> list[int]:
        sandbox.faults.clear()
        sandbox.faults.add(Status(500), probability=0.5, seed=7)
        return [await outcome(api, game_night) for _ in range(20)]

    first, second = await run(), await run()
    assert first == second
    assert set(first) == {200, 500}


async def test_a_fault_can_be_removed(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    fault = sandbox.faults.add(Status(500))
    sandbox.faults.remove(fault.id)
    assert await outcome(api, game_night) == 200


async def test_the_sandbox_stops_even_if_requests_hang(api: Api, game_night: int) -> None:
    async with SandboxDiscord() as other:
        other.faults.add(Hang(60))
        async with aiohttp.ClientSession() as session:
            hanging = asyncio.ensure_future(session.get(other.url + "/api/v10/gateway"))
            await other.wait_for(lambda: other.faults.all()[0].fired, timeout=WAIT_TIMEOUT)
            async with asyncio.timeout(WAIT_TIMEOUT):
                await other.__aexit__(None, None, None)
            with pytest.raises(aiohttp.ClientError):
                await hanging


async def test_a_restarted_sandbox_keeps_its_world(game_night: int) -> None:
    sandbox = SandboxDiscord()
    async with sandbox, aiohttp.ClientSession() as session:
        url = sandbox.url
        assert (await Api(sandbox, session).send(game_night, "before")).status == 200
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await Api(sandbox, session).send(game_night, "while it is down")
        async with sandbox:
            assert sandbox.url == url
            assert (await Api(sandbox, session).send(game_night, "after")).status == 200
    assert [record.content for record in sandbox.evidence] == ["before", "after"]


@pytest.mark.parametrize(
    "action", [Status(502, accepted=True), Hang(3.0), TooMany(1.5, "shared", via=False), Refuse(10008), Reconnect()]
)
def test_an_action_survives_json(action: Action) -> None:
    assert action_from_json(action_to_json(action)) == action


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"kind": "explode"}, "unknown action 'explode'"),
        ({}, "unknown action None"),
        ({"kind": "status", "code": 1}, "status has no 'code'; it has status, accepted"),
        ({"kind": "status", "status": "503"}, "status must be like 503"),
    ],
)
def test_an_invalid_action_is_explained(value: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        action_from_json(value)
