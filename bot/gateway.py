"""The connection to Discord: one client that hears interactions, and gives way to its owner on any trouble.

discord.py resumes a dropped connection by itself. Everything beyond that ends `run_gateway` with a typed error: its own
endless reconnecting was rejected, because it hides an outage from the readiness probe and may identify again and
again. Identifying is the scarce thing: 1000 in a day, and the token is reset beyond (a crash loop gets there).

Source: https://docs.discord.com/developers/events/gateway#session-start-limit-object
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import aiohttp
import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.features import games
from bot.features.command_errors import QuestbellTree
from bot.features.registering import register_commands
from shared import logs, metrics
from shared.database import Sessions
from shared.errors import ConfigurationError, TransientError
from shared.settings import DiscordSettings

DISCORD = "https://discord.com"
LOGIN_TIMEOUT = 30.0
GOODBYE_TIMEOUT = 2.0
FINISH_TIMEOUT = 3.0
"""How long answers in progress may take after the connection was told to end."""
GUILDS_TIMEOUT = 0.25
"""The library waits so long after each server it hears of before it calls itself ready. Nothing here needs them all."""
IDENTIFIES_IN_RESERVE = 25
"""So many of the day's session starts are left to people who mend what burned the others."""

_STANDS = metrics.CONNECTED.labels("gateway")
_BAD_TOKEN = 4004
_INTENTS = (4013, 4014)
_SHARDING = (4010, 4011)


class QuestbellBot(discord.Client):
    """The client: no message content, no members, no pings; every feature finds its database here."""

    def __init__(self, sessions: Sessions, *, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_ratelimit_timeout=LOGIN_TIMEOUT,
            guild_ready_timeout=GUILDS_TIMEOUT,
        )
        self.sessions = sessions
        self.tree: app_commands.CommandTree[QuestbellBot] = QuestbellTree(self)
        self._tell_ready = on_ready
        self._answering: set[asyncio.Task[object]] = set()

    async def setup_hook(self) -> None:
        """Add the features and register their commands, once, after the login."""
        games.setup(self)
        await register_commands(self)

    async def on_ready(self) -> None:
        """Hear that the gateway's session has begun; also after a reconnection that could not resume."""
        logs.get().info("Connected to Discord", action="gateway_ready", guilds=len(self.guilds))
        _STANDS.set(1)
        self._tell_ready()

    async def on_resumed(self) -> None:
        """Hear that the gateway's session goes on after a break."""
        _STANDS.set(1)

    async def on_disconnect(self) -> None:
        """Hear that the connection to the gateway is gone."""
        _STANDS.set(0)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Refuse to burn the day's last session starts."""
        await super().before_identify_hook(shard_id, initial=initial)
        if not initial:
            await self.ask_gateway()

    async def ask_gateway(self) -> str:
        """Return where the gateway is.

        Raises:
            TransientError: too few session starts are left; `retry_after` is when there are more.
        """
        _shards, url, limit = await self.http.get_bot_gateway()
        if limit["remaining"] <= min(IDENTIFIES_IN_RESERVE, limit["total"] // 2):
            raise TransientError(
                f"only {limit['remaining']} of {limit['total']} session starts are left at Discord; "
                "the bot may be starting over and over",
                retry_after=limit["reset_after"] / 1000,
            )
        return url

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Mark the current task as answering somebody: closing waits for it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("interactions are answered in tasks")
        self._answering.add(task)
        try:
            yield
        finally:
            self._answering.discard(task)

    async def close(self) -> None:
        """Stop hearing interactions, finish those being answered, then disconnect."""
        if self.ws is not None and self.ws.open:
            with suppress(TimeoutError):  # a network that is frozen must not hold the process; nothing depends on it
                await asyncio.wait_for(self.ws.close(code=1000), GOODBYE_TIMEOUT)
        if self._answering:
            await asyncio.wait(self._answering, timeout=FINISH_TIMEOUT)
        await super().close()


async def run_gateway(
    settings: DiscordSettings, sessions: Sessions, *, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Stay connected to Discord until cancelled; `on_ready` is called whenever a session has begun.

    Raises:
        ConfigurationError: Discord refuses the token or the intents; waiting does not help.
        TransientError: anything that ends the connection; `retry_after` when Discord said how long to wait.
    """
    point_at(settings)
    async with QuestbellBot(sessions, on_ready=on_ready) as bot:
        try:
            await _connect(bot, settings)
        except discord.LoginFailure as error:
            raise _bad_token() from error
        except discord.PrivilegedIntentsRequired as error:
            raise _missing_intents() from error
        except discord.ConnectionClosed as error:
            raise _closed(error.code) from error
        except discord.RateLimited as error:
            raise TransientError("Discord: too many requests", retry_after=error.retry_after) from error
        except discord.HTTPException as error:
            raise _answered(error) from error
        except (discord.GatewayNotFound, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientError(f"Discord cannot be reached: {error!r}") from error
        except AttributeError as error:
            if bot.ws is not None:
                raise
            # discord.py looks for the session of a connection that was closed before its first message.
            raise TransientError("Discord closed the connection at once") from error
        finally:
            _STANDS.set(0)
    raise TransientError("Discord ended the connection")


def point_at(settings: DiscordSettings) -> None:
    """Make discord.py talk to the Discord of the settings. Its addresses belong to the process, not to a client."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # no voice here, so nothing is missing
    Route.BASE = f"{settings.api_url}/api/v10"


async def _connect(bot: QuestbellBot, settings: DiscordSettings) -> None:
    async with asyncio.timeout(LOGIN_TIMEOUT):
        await bot.login(settings.token.get_secret_value())
        url = await bot.ask_gateway()
    if settings.api_url != DISCORD:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
    await bot.connect(reconnect=False)


def _closed(code: int) -> ConfigurationError | TransientError:
    if code == _BAD_TOKEN:
        return _bad_token()
    if code in _INTENTS:
        return _missing_intents()
    if code in _SHARDING:
        return ConfigurationError(f"DISCORD_TOKEN: this bot is in too many servers for one connection (code {code})")
    return TransientError(f"Discord closed the connection with code {code}")


def _bad_token() -> ConfigurationError:
    return ConfigurationError(
        "DISCORD_TOKEN: Discord refuses this token. Copy the bot's token anew from "
        "https://discord.com/developers/applications (Bot, Reset Token)"
    )


def _missing_intents() -> ConfigurationError:
    return ConfigurationError(
        "DISCORD_TOKEN: Discord refuses the intents of this bot's application. Questbell needs none that are "
        "privileged; check the application at https://discord.com/developers/applications (Bot)"
    )


def _answered(error: discord.HTTPException) -> ConfigurationError | TransientError:
    if error.status == HTTPStatus.UNAUTHORIZED:
        return _bad_token()
    asked = error.response.headers.get("Retry-After", "")
    seconds = float(asked) if asked.replace(".", "", 1).isdecimal() else None
    return TransientError(f"Discord answered {error.status}: {error.text[:200]}", retry_after=seconds)
