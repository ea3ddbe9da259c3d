"""The bot, connected to a sandbox Discord, in the process of the test."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bot.delivery.rate_limits import RateLimiter
from bot.rendering import Payload
from sandbox.discord.interactions.interaction import InteractionResult
from sandbox.discord.server import SandboxDiscord
from shared.database import Sessions
from shared.models import Game
from shared.settings import DiscordSettings, GameSettings
from tests.support.announcements import announcement
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT

with warnings.catch_warnings():
    # discord.py imports audioop, deprecated since Python 3.11, for voice alone.
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)
    from bot.gateway import GatewayOptions, run_gateway

StartBot = Callable[[Sessions], AbstractAsyncContextManager[None]]


@pytest.fixture
async def sandbox() -> AsyncIterator[SandboxDiscord]:
    async with SandboxDiscord() as served:
        served.limits.identify = None  # a test may start its bot again at once
        yield served
        assert served.unimplemented == []


@pytest.fixture
def discord_settings(sandbox: SandboxDiscord) -> DiscordSettings:
    return DiscordSettings(token=SecretStr(sandbox.token), api_url=sandbox.url)


@asynccontextmanager
async def running_bot(
    settings: DiscordSettings,
    sessions: Sessions,
    *,
    limits: GameSettings | None = None,
    members_intent: bool = False,
) -> AsyncIterator[None]:
    """Connect a bot for a block. An exception that ends it early is raised."""
    ready = asyncio.Event()
    bot = asyncio.create_task(
        run_gateway(
            settings,
            sessions,
            GatewayOptions(
                limiter=RateLimiter(),
                limits=limits or GameSettings(),
                members_intent=members_intent,
                on_ready=ready.set,
            ),
        )
    )
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait([bot, waiting], return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_TIMEOUT)
    waiting.cancel()
    try:
        if not ready.is_set():
            await asyncio.wait_for(bot, timeout=0)
        yield
    finally:
        bot.cancel()
        await asyncio.wait([bot])


@pytest.fixture
def start_bot(discord_settings: DiscordSettings) -> StartBot:
    """Connect a bot for a block."""
    return partial(running_bot, discord_settings)


@pytest.fixture
async def bot(start_bot: StartBot, database: Database) -> AsyncIterator[None]:
    async with start_bot(database.sessions):
        yield


async def reply_text(request: Awaitable[InteractionResult]) -> str:
    """Return what the user reads in the end."""
    result = await request
    assert result.answered, "The application did not respond"
    return (await result.done()).content


async def plan_and_post(sandbox: SandboxDiscord, who: str, **options: Any) -> InteractionResult:
    """Run `/game create` and press "Post it" under its preview. A refusal is the first answer."""
    preview = await sandbox.slash(who, "game create", **options)
    if not preview.answered or preview.modal is not None:
        return preview
    await preview.done()
    post = find_button(preview, "Post it")
    return preview if post is None else await sandbox.click(who, message_of(preview), post)


def find_button(result: InteractionResult, label: str) -> str | None:
    """Return the id of the button with a label under an answer, None if there is none."""
    assert result.message is not None
    parts = [part for row in result.message.components for part in row["components"]]
    return next((part["custom_id"] for part in parts if part["label"] == label), None)


def message_of(result: InteractionResult) -> int:
    """Return the id of an answer's message."""
    assert result.message is not None
    return result.message.id


async def press_button(sandbox: SandboxDiscord, who: str, result: InteractionResult, label: str) -> InteractionResult:
    """Press a button under an answer."""
    button = find_button(result, label)
    assert button is not None, f"no button {label!r}"
    return await sandbox.click(who, message_of(result), button)


async def post_announcement(sandbox: SandboxDiscord, game: Game, *players: int) -> int:
    """Post a game's announcement as the delivery code does, and return the message's id."""
    return await post(sandbox, game.channel_id, announcement(game, players))


async def post(sandbox: SandboxDiscord, channel_id: int, payload: Payload) -> int:
    """Post a message as the bot, and return its id."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {sandbox.token}"}) as session:
        url = f"{sandbox.url}/api/v10/channels/{channel_id}/messages"
        async with session.post(url, json=payload) as response:
            assert response.status == 200, await response.text()
            return int((await response.json())["id"])
