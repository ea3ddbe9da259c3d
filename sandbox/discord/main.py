"""`questbell sandbox-discord`: the sandbox Discord alone, for trying Questbell on a cluster without a token.

`make demo` holds its Discord in its own process, on a free port and with a token of the day. In a cluster the
bot is another pod, so address and token are given, probes are answered, and what the bot does is told in the log:
nobody may be looking at the page.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox.discord import demo_script
from sandbox.discord.rules.errors import UsageError
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from shared import health, logs, process
from shared.errors import ConfigurationError
from shared.schedule.retry import Backoff
from shared.settings import DiscordSettings, HealthSettings, LogSettings, load

LOOK_AGAIN = 60.0
"""Seconds after which a wait for what may never come is begun anew."""
REPLAY = Backoff(first=2.0, longest=60.0)
"""Delays before the play goes on when somebody was not answered: the rest may still be starting."""
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
            tasks.create_task(tell(discord))
            if seed_demo:
                tasks.create_task(play_through(discord))


async def _listen(
    settings: SandboxDiscordSettings, credentials: DiscordSettings, stack: AsyncExitStack
) -> SandboxDiscord:
    discord = SandboxDiscord(
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


async def tell(discord: SandboxDiscord) -> None:
    """Log what the bot does in public, as it happens, until cancelled."""
    told = 0
    while True:
        with suppress(TimeoutError):
            await discord.wait_for(partial(_has_more, discord, told), timeout=LOOK_AGAIN)
        for record in discord.evidence[told:]:
            if record.author_id == discord.world.bot.id and record.visible_to is None:
                _log(discord, record)
        told = len(discord.evidence)


def _log(discord: SandboxDiscord, record: Accepted) -> None:
    titles = [f"{embed.get('title')}: {embed.get('description', '')}" for embed in record.embeds]
    channel = discord.world.channels.get(record.channel_id)
    logs.get().info(
        "The bot was heard",
        action=f"message_{record.kind}",
        message_id=record.message_id,
        channel=None if channel is None else channel.name,
        text="\n".join([record.content, *titles]).strip()[:_EXCERPT],
        pings=[discord.world.user(user).display_name for user in record.pinged_users],
        repeated=record.returned_earlier,
    )


async def play_through(discord: SandboxDiscord) -> None:
    """Play the demo's scenario once, as soon as a bot is there; go on after a failure until everything is played."""
    log, failures = logs.get(component="play"), 0
    while True:
        await _bot_is_there(discord)
        try:
            for session in demo_script.SESSIONS:
                await _make_and_join(discord, session)
        except (demo_script.PlayError, UsageError, TimeoutError) as error:
            failures += 1
            log.warning("Not played to the end; going on soon", action="play_failed", error=str(error))
            await asyncio.sleep(REPLAY.delay(failures))
        else:
            log.info("The sessions are made and the players have joined", action="played")
            return


async def _make_and_join(discord: SandboxDiscord, session: demo_script.Session) -> None:
    """Make a session unless an earlier try has, and let its players join."""
    post = demo_script.announcement(discord, session) or await demo_script.make(discord, session)
    await demo_script.join(discord, post, session.players)


async def _bot_is_there(discord: SandboxDiscord) -> None:
    while not discord.gateway.online:
        with suppress(TimeoutError):
            await discord.wait_for(lambda: discord.gateway.online, timeout=LOOK_AGAIN)


def _has_more(discord: SandboxDiscord, told: int) -> bool:
    return len(discord.evidence) > told
