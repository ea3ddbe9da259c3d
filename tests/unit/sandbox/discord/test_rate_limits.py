"""Rate limits as a client sees them."""

from __future__ import annotations

import aiohttp
import pytest

from sandbox.discord.clock import ManualClock
from sandbox.discord.rate_limits import INVALID_LIMIT, INVALID_WINDOW, Limits, Window
from sandbox.discord.server import SandboxDiscord
from tests.unit.sandbox.discord.clients import Api


async def test_each_channel_has_its_own_bucket_in_the_headers(
    api: Api, sandbox: SandboxDiscord, game_night: int, clock: ManualClock
) -> None:
    sandbox.limits.create_message = Window(2, 5.0)
    first, second, third = [await api.send(game_night) for _ in range(3)]
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("2", "1")
    assert second.headers["X-RateLimit-Remaining"] == "0"
    assert 0 < float(second.headers["X-RateLimit-Reset-After"]) <= 5
    assert float(second.headers["X-RateLimit-Reset"]) == pytest.approx(clock.wall() + 5, abs=2)
    assert third.status == 429
    other = await api.send(sandbox.world.channel("off-topic").id)
    assert (other.status, other.headers["X-RateLimit-Bucket"]) == (200, first.headers["X-RateLimit-Bucket"])
    clock.advance(5)
    assert (await api.send(game_night)).status == 200
    assert len(sandbox.messages("game-night")) == 3


async def test_a_429_has_discord_s_format(api: Api, sandbox: SandboxDiscord, game_night: int) -> None:
    sandbox.limits.create_message = Window(0, 5.0)
    reply = await api.send(game_night)
    assert reply.status == 429
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Via"] == "1.1 google"
    assert (reply.headers["Retry-After"], reply.headers["X-RateLimit-Scope"]) == ("5", "user")
    assert reply.body["message"] == "You are being rate limited."
    assert reply.body["global"] is False
    assert 4 < reply.body["retry_after"] <= 5


async def test_the_global_limit_exempts_interactions(api: Api, sandbox: SandboxDiscord) -> None:
    sandbox.limits.every_request = Window(2, 1.0)
    replies = [await api("GET", "/users/@me") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert (replies[-1].body["global"], replies[-1].headers["X-RateLimit-Global"]) == (True, "true")
    assert replies[-1].headers["X-RateLimit-Scope"] == "global"
    assert (await api("POST", "/interactions/1/x/callback", {"type": 4})).body["code"] == 10062


async def test_too_many_invalid_requests_cause_a_ban(
    sandbox: SandboxDiscord, session: aiohttp.ClientSession, api: Api, clock: ManualClock
) -> None:
    sandbox.engine.limiter.invalid.extend([clock.monotonic()] * (INVALID_LIMIT - 1))
    assert (await api("GET", "/users/@me")).status == 200
    assert (await api("GET", "/users/@me", headers={"Authorization": "Bot wrong"})).status == 401
    banned = await api("GET", "/users/@me")
    assert (banned.status, banned.body) == (429, "error code: 429")
    assert "Via" not in banned.headers
    clock.advance(INVALID_WINDOW + 1)
    assert (await api("GET", "/users/@me")).status == 200


def test_limits_are_changed_by_name() -> None:
    limits = Limits()
    limits.update({"create_message": [100, 1], "every_request": None})
    assert limits.create_message == Window(100, 1.0)
    assert limits.every_request is None
    with pytest.raises(ValueError, match="unknown limit 'everything'"):
        limits.update({"everything": None})
    with pytest.raises(ValueError, match="must be null or"):
        limits.update({"create_message": 5})
