"""Answers that do not follow the documentation: from Discord's network or a proxy in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from shared.discord.client import DiscordClient
from shared.discord.errors import RateLimitedError, TemporarilyUnavailableError, UncertainResultError
from shared.settings import DiscordSettings, Timing

Answer = Callable[[], web.Response]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Yield a function that sends a message to a server with a fixed answer."""

    async def handle(_request: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_post("/api/v10/channels/1/messages", handle)
    async with TestServer(app) as server:
        settings = DiscordSettings(token=SecretStr("token"), api_url=str(server.make_url("/")))
        async with DiscordClient.connected(settings, Timing()) as api:
            yield lambda: api.create_message(1, {}, nonce="nonce")


def banned() -> web.Response:
    return web.Response(status=429, text="<html>", content_type="text/html", headers={"Retry-After": "3600"})


async def test_a_ban_by_discords_network_is_global_and_lasts_as_long_as_its_header_says() -> None:
    async with answering(banned) as send:
        with pytest.raises(RateLimitedError) as raised:
            await send()
    assert (raised.value.retry_after, raised.value.is_global) == (3600.0, True)


@pytest.mark.parametrize("body", ["<html>", '{"code": null}', '{"code": 40333, "message": "internal network error"}'])
async def test_a_network_error_page_is_temporary(body: str) -> None:
    async with answering(lambda: web.Response(status=403, text=body)) as send:
        with pytest.raises(TemporarilyUnavailableError):
            await send()


@pytest.mark.parametrize("body", ["", "<html>", "{}", '{"id": null}', '{"id": "x"}'])
async def test_a_success_without_an_id_is_an_uncertain_result(body: str) -> None:
    async with answering(lambda: web.Response(text=body)) as send:
        with pytest.raises(UncertainResultError):
            await send()
