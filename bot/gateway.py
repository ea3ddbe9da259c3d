"""The connection to Discord's gateway, which ends with a typed error.

discord.py's endless reconnecting was rejected because it hides outages from the readiness probe. It may also use up the
1000 identifies a day, after which Discord resets the token.

Source: https://docs.discord.com/developers/events/gateway#session-start-limit-object
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import aiohttp
import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.client import LOGIN_TIMEOUT, QuestbellClient
from bot.features import games
from bot.features.interactions import QuestbellTree
from bot.features.registration import register_commands
from shared import logs, metrics
from shared.database import Sessions
from shared.errors import ConfigurationError, TransientError, describe
from shared.settings import DiscordSettings

DISCORD = "https://discord.com"
IDENTIFIES_IN_RESERVE = 25
"""Session starts that a crash loop leaves for the fixed bot."""

_CONNECTED = metrics.CONNECTED.labels("gateway")
_BAD_TOKEN = 4004
_INTENTS = (4013, 4014)
_SHARDING = (4010, 4011)


class QuestbellBot(QuestbellClient):
    """The client with its features and connection metrics."""

    def __init__(self, sessions: Sessions, *, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(sessions)
        self.tree: app_commands.CommandTree[QuestbellClient] = QuestbellTree(self)
        self._notify_ready = on_ready

    async def setup_hook(self) -> None:
        """Add the features and register their commands after the login."""
        games.setup(self, self.tree)
        await register_commands(self.tree)

    async def on_ready(self) -> None:
        """Record a new gateway session."""
        logs.get().info("Connected to Discord", action="gateway_ready", guilds=len(self.guilds))
        _CONNECTED.set(1)
        self._notify_ready()

    async def on_resumed(self) -> None:
        """Record a resumed gateway session."""
        _CONNECTED.set(1)

    async def on_disconnect(self) -> None:
        """Record a lost connection."""
        _CONNECTED.set(0)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Refuse to use up the day's last session starts."""
        await super().before_identify_hook(shard_id, initial=initial)
        if not initial:
            await self.fetch_gateway_url()

    async def fetch_gateway_url(self) -> str:
        """Return the gateway's address.

        Raises:
            TransientError: too few session starts are left; `retry_after` is when the limit resets.
        """
        _shards, url, limit = await self.http.get_bot_gateway()
        if limit["remaining"] <= min(IDENTIFIES_IN_RESERVE, limit["total"] // 2):
            raise TransientError(
                f"only {limit['remaining']} of {limit['total']} session starts are left at Discord; "
                "the bot may be restarting in a loop",
                retry_after=limit["reset_after"] / 1000,
            )
        return url


async def run_gateway(
    settings: DiscordSettings, sessions: Sessions, *, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Stay connected until cancelled. Each new gateway session calls `on_ready`.

    Raises:
        ConfigurationError: Discord rejects the token or the intents.
        TransientError: the connection ended. `retry_after` is set if Discord gave a delay.
    """
    configure_library(settings)
    async with QuestbellBot(sessions, on_ready=on_ready) as bot:
        try:
            await _connect(bot, settings)
        except discord.LoginFailure as error:
            raise _bad_token_error() from error
        except discord.PrivilegedIntentsRequired as error:
            raise _missing_intents_error() from error
        except discord.ConnectionClosed as error:
            raise _error_for_close_code(error.code) from error
        except discord.RateLimited as error:
            raise TransientError("Discord: too many requests", retry_after=error.retry_after) from error
        except discord.HTTPException as error:
            raise _error_for_response(error) from error
        except (discord.GatewayNotFound, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientError(f"Discord cannot be reached: {describe(error)}") from error
        except AttributeError as error:
            if bot.ws is not None:
                raise
            # discord.py reads the session even if the connection closed before its first message.
            raise TransientError("Discord closed the connection immediately") from error
        finally:
            _CONNECTED.set(0)
    raise TransientError("Discord ended the connection")


def configure_library(settings: DiscordSettings) -> None:
    """Set discord.py's API address, which is global to the process."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # voice is not used
    Route.BASE = f"{settings.api_url}/api/v10"


async def _connect(bot: QuestbellBot, settings: DiscordSettings) -> None:
    async with asyncio.timeout(LOGIN_TIMEOUT):
        await bot.login(settings.token.get_secret_value())
        url = await bot.fetch_gateway_url()
    if settings.api_url != DISCORD:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
    await bot.connect(reconnect=False)


def _error_for_close_code(code: int) -> ConfigurationError | TransientError:
    if code == _BAD_TOKEN:
        return _bad_token_error()
    if code in _INTENTS:
        return _missing_intents_error()
    if code in _SHARDING:
        return ConfigurationError(f"DISCORD_TOKEN: this bot is in too many servers for one connection (code {code})")
    return TransientError(f"Discord closed the connection with code {code}")


def _bad_token_error() -> ConfigurationError:
    return ConfigurationError(
        "DISCORD_TOKEN: Discord rejects this token. Copy the bot's token again from "
        "https://discord.com/developers/applications (Bot, Reset Token)"
    )


def _missing_intents_error() -> ConfigurationError:
    return ConfigurationError(
        "DISCORD_TOKEN: Discord rejects the intents of this bot's application. Questbell needs no privileged "
        "intents; check the application at https://discord.com/developers/applications (Bot)"
    )


def _error_for_response(error: discord.HTTPException) -> ConfigurationError | TransientError:
    if error.status == HTTPStatus.UNAUTHORIZED:
        return _bad_token_error()
    header = error.response.headers.get("Retry-After", "")
    seconds = float(header) if header.replace(".", "", 1).isdecimal() else None
    return TransientError(f"Discord answered {error.status}: {error.text[:200]}", retry_after=seconds)
