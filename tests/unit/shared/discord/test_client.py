"""Answers that do not follow the documentation: from Discord's network or a proxy in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from shared.discord.client import ChannelLimit, DiscordClient
from shared.discord.errors import LONGEST_PAUSE, RateLimitedError, TemporarilyUnavailableError, UncertainResultError
from shared.settings import DiscordSettings, Timing
from tests.support.tcp_server import serving

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
    assert (raised.value.retry_after, raised.value.is_global) == (LONGEST_PAUSE, True)


@pytest.mark.parametrize(
    ("pause", "seconds"),
    [
        ("120", 120.0),
        ("0.5", 0.5),
        ("86400", LONGEST_PAUSE),
        ("1e400", LONGEST_PAUSE),
        ("-5", 1.0),
        ("nan", 1.0),
        ("inf", LONGEST_PAUSE),
        ("soon", 1.0),
        ("", 1.0),
        ("Fri, 31 Dec 2100 23:59:59 GMT", LONGEST_PAUSE),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
async def test_a_pause_of_any_form_is_bounded(pause: str, seconds: float) -> None:
    async with answering(lambda: web.Response(status=429, text="<html>", headers={"Retry-After": pause})) as send:
        with pytest.raises(RateLimitedError) as raised:
            await send()
    assert raised.value.retry_after == seconds


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "1e999", "9" * 400, '"x"', "null", "[1]", "{}"])
async def test_a_pause_in_the_body_is_bounded(value: str) -> None:
    async with answering(lambda: web.Response(status=429, text=f'{{"retry_after": {value}}}')) as send:
        with pytest.raises(RateLimitedError) as raised:
            await send()
    assert raised.value.retry_after in (1.0, LONGEST_PAUSE)


@pytest.mark.parametrize("code", ['"x"', "[]", "{}", "1.5", "null"])
async def test_a_code_of_another_type_is_no_code(code: str) -> None:
    async with answering(lambda: web.Response(status=403, text=f'{{"code": {code}}}')) as send:
        with pytest.raises(TemporarilyUnavailableError):
            await send()


async def never_answer(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_request_ends_at_its_time_out_and_is_not_rounded_up() -> None:
    async with serving(never_answer) as port:
        settings = DiscordSettings(token=SecretStr("token"), api_url=f"http://127.0.0.1:{port}")
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(1.0 - clock() % 1.0)  # begin at a full second: rounding up would add the most
        started = clock()
        async with DiscordClient.connected(settings, Timing(request_timeout=5.1)) as api:
            with pytest.raises(UncertainResultError):
                await api.ping()
        assert clock() - started < 5.6


async def test_a_request_that_was_paced_past_its_time_out_ends_too() -> None:
    async def pace(*_of: object) -> None:
        await asyncio.sleep(0.3)

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(pace)
    async with serving(never_answer) as port:
        settings = DiscordSettings(token=SecretStr("token"), api_url=f"http://127.0.0.1:{port}")
        async with DiscordClient.connected(settings, Timing(request_timeout=0.1), trace=trace) as api:
            async with asyncio.timeout(5.0):
                with pytest.raises(UncertainResultError):
                    await api.ping()


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


@pytest.mark.parametrize(
    ("remaining", "reset_after", "limit"),
    [
        ("4", "4.75", ChannelLimit(4, 4.75)),
        ("0", "1e400", ChannelLimit(0, LONGEST_PAUSE)),
        ("0", "-1", None),
        ("0", "nan", None),
        ("0", "soon", None),
        ("many", "5", None),
        ("0", None, None),
    ],
)
def test_a_limit_is_heeded_if_its_headers_make_sense(
    remaining: str, reset_after: str | None, limit: ChannelLimit | None
) -> None:
    headers = {"X-RateLimit-Remaining": remaining} | ({"X-RateLimit-Reset-After": reset_after} if reset_after else {})
    assert ChannelLimit.of(headers) == limit
