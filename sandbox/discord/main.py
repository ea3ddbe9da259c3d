"""`questbell sandbox-discord`: the sandbox Discord alone, for trying Questbell on a cluster without a token.

`make demo` runs its Discord in its own process, on a free port and with a random token. In a cluster the bot is
another pod, so the address and the token are settings, probes are answered, and the log shows what the bot does.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.discord import demo_script
from sandbox.discord.gateway.events import Intent
from sandbox.discord.rules.errors import UsageError
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from shared import health, logs, process
from shared.errors import ConfigurationError
from shared.schedule.retry import Backoff
from shared.settings import DiscordSettings, HealthSettings, LogSettings, load

WAIT_TIMEOUT = 60.0
"""Seconds after which an endless wait checks its condition again."""
SEED_BACKOFF = Backoff(first=2.0, longest=60.0)
"""Delays between attempts to create the demo's games: the other pods may still be starting."""
_EXCERPT = 200


def _http_scheme(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url


class SandboxDiscordSettings(BaseSettings):
    """Where the sandbox Discord listens, and where its clients reach it when that is another address."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_DISCORD_")

    host: str = "127.0.0.1"
    port: int = Field(default=8090, ge=0, le=65535)
    public_url: Annotated[str, AfterValidator(_http_scheme)] = ""


def main(*, seed_demo: bool) -> None:
    """Run the sandbox Discord until SIGTERM or SIGINT; `seed_demo` also creates the demo's games."""
    process.run(_run(seed_demo=seed_demo))


async def _run(*, seed_demo: bool) -> None:
    logs.configure(load(LogSettings), workload="discord")
    await process.run_until_signalled(partial(_serve, seed_demo=seed_demo))


async def _serve(*, seed_demo: bool) -> None:
    async with AsyncExitStack() as stack:
        discord = await _listen(load(SandboxDiscordSettings), load(DiscordSettings), stack)
        await stack.enter_async_context(health.serving(load(HealthSettings), live={}, ready={}))
        logs.get().info("Serving", action="discord_serving", url=discord.url, gateway=discord.gateway_url)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(log_messages(discord))
            if seed_demo:
                tasks.create_task(seed_demo_games(discord))


async def _listen(
    settings: SandboxDiscordSettings, credentials: DiscordSettings, stack: AsyncExitStack
) -> SandboxDiscord:
    # Allowed, so that `bot.membersIntent` can be tried.
    discord = SandboxDiscord(
        privileged_intents=Intent.GUILD_MEMBERS,
        host=settings.host,
        port=settings.port,
        token=credentials.token.get_secret_value(),
        public_url=settings.public_url or None,
    )
    try:
        return await stack.enter_async_context(discord)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ConfigurationError(f"QUESTBELL_DISCORD_PORT: cannot listen on {where}: {error.strerror}") from error


async def log_messages(discord: SandboxDiscord) -> None:
    """Log every message that the bot sends in public, until cancelled."""
    logged = 0
    while True:
        with suppress(TimeoutError):
            await discord.wait_for(partial(_has_more, discord, logged), timeout=WAIT_TIMEOUT)
        for record in discord.evidence[logged:]:
            if record.author_id == discord.world.bot.id and record.visible_to is None:
                _log(discord, record)
        logged = len(discord.evidence)


def _log(discord: SandboxDiscord, record: Accepted) -> None:
    titles = [f"{embed.get('title')}: {embed.get('description', '')}" for embed in record.embeds]
    channel = discord.world.channels.get(record.channel_id)
    logs.get().info(
        "Message from the bot",
        action=f"message_{record.kind}",
        message_id=record.message_id,
        channel=None if channel is None else channel.name,
        text="\n".join([record.content, *titles]).strip()[:_EXCERPT],
        pings=[discord.world.user(user).display_name for user in record.pinged_users],
        repeated=record.returned_earlier,
    )


async def seed_demo_games(discord: SandboxDiscord) -> None:
    """Create the demo's games as soon as a bot is online; after a failure, continue until all of them exist."""
    log, failures = logs.get(component="demo"), 0
    while True:
        await _wait_for_bot(discord)
        try:
            for game in demo_script.DEMO_GAMES:
                await _play(discord, game)
        except (demo_script.DemoScriptError, UsageError, TimeoutError) as error:
            failures += 1
            log.warning("Could not create the demo games; will retry", action="demo_seed_failed", error=str(error))
            await asyncio.sleep(SEED_BACKOFF.delay(failures))
        else:
            log.info("The demo games exist and the players have answered", action="demo_seeded")
            return


async def _play(discord: SandboxDiscord, game: demo_script.DemoGame) -> None:
    """Create a game unless an earlier attempt did, and let its players answer it."""
    post = demo_script.announcement(discord, game) or await demo_script.create_game(discord, game)
    await demo_script.answer_game(discord, post, game)


async def _wait_for_bot(discord: SandboxDiscord) -> None:
    while not discord.gateway.online:
        with suppress(TimeoutError):
            await discord.wait_for(lambda: discord.gateway.online, timeout=WAIT_TIMEOUT)


def _has_more(discord: SandboxDiscord, logged: int) -> bool:
    return len(discord.evidence) > logged
