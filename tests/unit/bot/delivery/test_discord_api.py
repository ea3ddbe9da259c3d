"""What the API's client makes of answers that are not as documented: from a network or a proxy before Discord."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.delivery.discord_api import DiscordApi
from bot.delivery.refusals import Ambiguous, Postponed, TooMany
from shared.settings import DiscordSettings, Timing

Answer = Callable[[], web.Response]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Yield a try to send a message to a server that always answers so."""

    async def handle(_request: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_post("/api/v10/channels/1/messages", handle)
    async with TestServer(app) as server:
        settings = DiscordSettings(token=SecretStr("token"), api_url=str(server.make_url("/")))
        async with DiscordApi.connected(settings, Timing()) as api:
            yield lambda: api.create_message(1, {}, delivery_id=UUID(int=1))


def banned() -> web.Response:
    return web.Response(status=429, text="<html>", content_type="text/html", headers={"Retry-After": "3600"})


async def test_a_ban_by_discords_network_holds_everything_for_as_long_as_its_header_says() -> None:
    async with answering(banned) as send:
        with pytest.raises(TooMany) as refused:
            await send()
    assert (refused.value.retry_after, refused.value.everywhere) == (3600.0, True)


@pytest.mark.parametrize("body", ["<html>", '{"code": null}', '{"code": 40333, "message": "internal network error"}'])
async def test_what_a_network_refuses_is_tried_again(body: str) -> None:
    async with answering(lambda: web.Response(status=403, text=body)) as send:
        with pytest.raises(Postponed):
            await send()


@pytest.mark.parametrize("body", ["", "<html>", "{}", '{"id": null}', '{"id": "x"}'])
async def test_a_success_without_an_id_may_have_sent_the_message(body: str) -> None:
    async with answering(lambda: web.Response(text=body)) as send:
        with pytest.raises(Ambiguous):
            await send()
