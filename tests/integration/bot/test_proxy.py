"""HTTPS_PROXY, HTTP_PROXY and NO_PROXY, for Discord's REST API and its gateway."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bot.delivery.rate_limits import RateLimiter
from shared.discord.client import DiscordClient
from shared.discord.errors import ConnectFailedError
from shared.errors import ConfigurationError, TransientError
from shared.settings import DiscordSettings, Timing
from tests.integration.bot.conftest import GatewayOptions, StartBot, run_gateway
from tests.support.database import Database
from tests.support.http_proxy import HttpProxy

HIDDEN = DiscordSettings(token=SecretStr("x"), api_url="https://discord.invalid")
"""A Discord that only a proxy could reach."""


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpProxy]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with HttpProxy().serving() as running:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://me:p%40ss@127.0.0.1:{running.port}")
        yield running


async def test_rest_and_gateway_go_through_the_proxy(
    proxy: HttpProxy,
    database: Database,
    discord_settings: DiscordSettings,
    start_bot: StartBot,
) -> None:
    async with DiscordClient.connected(discord_settings, Timing()) as client:
        await client.get_own_user()
    assert len(proxy.requests) == 1
    assert base64.b64encode(b"me:p@ss").decode() in proxy.requests[0]
    async with start_bot(database.sessions):
        assert any("upgrade: websocket" in request.lower() for request in proxy.requests)


async def test_encrypted_connections_are_tunnelled(proxy: HttpProxy, database: Database) -> None:
    async with DiscordClient.connected(HIDDEN, Timing()) as client:
        with pytest.raises(ConnectFailedError):  # nothing was sent
            await client.get_own_user()
    with pytest.raises(TransientError):
        await run_gateway(HIDDEN, database.sessions, GatewayOptions(limiter=RateLimiter()))
    assert len(proxy.requests) > 1
    assert all(request.startswith("CONNECT discord.invalid:443 ") for request in proxy.requests)


async def test_an_address_in_no_proxy_is_reached_directly(
    proxy: HttpProxy, discord_settings: DiscordSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    async with DiscordClient.connected(discord_settings, Timing()) as client:
        await client.get_own_user()
    assert proxy.requests == []


@pytest.mark.parametrize("value", ["socks5://127.0.0.1:1080", "http://", "proxy.example"])
async def test_a_proxy_that_cannot_be_used_is_refused_in_one_line(
    value: str, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ConfigurationError, match=r"^HTTPS_PROXY: must look like http://"):
        async with DiscordClient.connected(HIDDEN, Timing()):
            pass
