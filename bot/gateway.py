"""The connection to Discord's gateway, which ends with a typed error.

discord.py's endless reconnecting was rejected because it hides outages from the readiness probe. It may also use up the
1000 identifies a day, after which Discord resets the token.

Source: https://docs.discord.com/developers/events/gateway#session-start-limit-object
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.client import LOGIN_TIMEOUT, QuestbellClient
from bot.delivery.pacing import pace_others
from bot.delivery.rate_limits import RateLimiter
from bot.departures import Departures
from bot.features import games, help, my_games, series, settings, templates
from bot.features.help.hello import greet
from bot.features.interactions import QuestbellTree
from bot.features.registration import keep_commands_registered
from bot.gateway_errors import BAD_TOKEN, GatewayClosedError, bad_token_error, starts_used_up_error, translated
from bot.gateway_state import GatewayState
from bot.identify_turns import EndTurn, IdentifyTurns
from bot.shards import Shard
from shared import logs
from shared.database import Sessions
from shared.discord.client import DiscordClient
from shared.discord.errors import InvalidTokenError
from shared.discord.proxy import find_proxy
from shared.errors import QuestbellError, TransientError, describe
from shared.settings import DiscordSettings, GameSettings, Timing, load

DISCORD = "https://discord.com"
IDENTIFIES_IN_RESERVE = 25
"""Session starts that a crash loop leaves for the fixed bot."""
RECONNECTS, RECONNECT_PERIOD = 5, 60.0
"""How often discord.py, which does not pause, may reconnect in so many seconds. Then our backoff applies."""


_ONLY_SHARD = Shard()


@dataclass(frozen=True, kw_only=True)
class GatewayOptions:
    """What the shards of a process have in common."""

    limiter: RateLimiter
    limits: GameSettings = field(default_factory=GameSettings)
    members_intent: bool = False
    state: GatewayState = field(default_factory=GatewayState)
    on_ready: Callable[[], None] = lambda: None
    """Called for each new gateway session."""


class QuestbellBot(QuestbellClient):
    """The client with its features, connection state and bounded reconnects."""

    def __init__(self, sessions: Sessions, options: GatewayOptions, shard: Shard) -> None:
        super().__init__(
            sessions,
            limits=options.limits,
            http_trace=pace_others(options.limiter),
            members_intent=options.members_intent,
            shard=shard,
        )
        self.end_turn: EndTurn | None = None
        """Called when the shard identifies."""
        self.tree: app_commands.CommandTree[QuestbellClient] = QuestbellTree(self)
        self._state = options.state
        self._notify_ready = options.on_ready
        self._lost_at: deque[float] = deque(maxlen=RECONNECTS)
        self._connecting: asyncio.Timeout | None = None
        self._registration: asyncio.Task[None] | None = None
        self._departures = Departures(sessions)
        self._following: asyncio.Task[None] | None = None

    async def setup_hook(self) -> None:
        """Add the features and register their commands after the login."""
        for feature in (games, help, my_games, series, settings, templates):
            feature.setup(self, self.tree)
        if self.shard.number == 0:  # once for all shards
            self._registration = await keep_commands_registered(self.tree)
        self._following = asyncio.create_task(self._departures.run())

    async def stay_connected(self) -> None:
        """Stay connected until Discord ends it for good.

        Raises:
            TransientError: Discord closes every connection.
        """
        self._connecting = limit = asyncio.timeout(None)
        try:
            async with limit:
                await self.connect(reconnect=False)
        except TimeoutError:
            if not limit.expired():
                raise
            raise GatewayClosedError(self._close_code()) from None
        except AttributeError as error:
            if self.ws is not None:
                raise
            # discord.py reads the session even if the connection closed before its first message.
            raise TransientError("Discord closed the connection immediately") from error

    async def on_ready(self) -> None:
        """Record a new gateway session."""
        log = logs.get(shard=self.shard.number) if self.shard.count > 1 else logs.get()
        log.info("Connected to Discord", action="gateway_ready", guilds=len(self.guilds))
        self._state.record_connected(self.shard)
        self._departures.record_servers({guild.id for guild in self.guilds}, shard=self.shard)
        self._notify_ready()

    async def on_resumed(self) -> None:
        """Record a resumed gateway session."""
        self._state.record_connected(self.shard)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Say hello on a new server."""
        await greet(self, guild)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Make no more games on a server without the bot. One that is merely unavailable is reported otherwise."""
        self._departures.record_bot(guild.id)

    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Look for players who left the server while nobody was connected."""
        if self.intents.members:
            self._departures.check_later(guild)

    async def on_raw_member_remove(self, event: discord.RawMemberRemoveEvent) -> None:
        """Free the seats of a member who leaves a server."""
        self._departures.record_member(event.guild_id, event.user.id)

    async def on_disconnect(self) -> None:
        """Record a lost connection, and end the client if there were too many."""
        code, now = self._close_code(), self.loop.time()
        self._state.record_lost(f"the connection was closed with code {code}", shard=self.shard, close_code=code)
        if len(self._lost_at) == RECONNECTS and now - self._lost_at[0] < RECONNECT_PERIOD and self._connecting:
            self._connecting.reschedule(now)
        self._lost_at.append(now)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """End the turn of one shard of many, and refuse to use up the day's last session starts.

        Raises:
            TransientError: a shard needs another turn for another session, or too few session starts are left.
        """
        if self.end_turn is not None:
            if not initial:
                raise TransientError("Discord ended the session")
            await self.end_turn()
            return
        await super().before_identify_hook(shard_id, initial=initial)
        if not initial:
            await self.fetch_gateway_url()

    async def fetch_gateway_url(self) -> str:
        """Return the gateway's address.

        Raises:
            TransientError: too few session starts are left; `retry_after` is when to ask again.
        """
        _shards, url, limit = await self.http.get_bot_gateway()
        if limit["remaining"] <= min(IDENTIFIES_IN_RESERVE, limit["total"] // 2):
            raise starts_used_up_error(limit["remaining"], limit["total"], limit["reset_after"])
        return url

    async def close(self) -> None:
        """End the registration too, and handle first what Discord has reported."""
        if self._registration is not None:
            self._registration.cancel()
        await super().close()
        if self._following is not None:
            await self._departures.finish()
            self._following.cancel()
            await asyncio.wait([self._following])

    def _close_code(self) -> int:
        socket = None if self.ws is None else self.ws.socket
        return (socket.close_code if socket is not None else None) or 0


async def run_gateway(
    settings: DiscordSettings,
    sessions: Sessions,
    options: GatewayOptions,
    *,
    shard: Shard = _ONLY_SHARD,
    turns: IdentifyTurns | None = None,
) -> None:
    """Keep one shard connected until cancelled. One shard of many needs `turns`.

    Raises:
        ConfigurationError: the REST API rejects the token.
        TransientError: the connection ended. `retry_after` is when to try again, if not soon.
    """
    configure_library(settings)
    try:
        with translated():
            async with QuestbellBot(sessions, options, shard) as bot:
                bot.http.proxy = find_proxy(settings)
                await _connect(bot, settings, turns)
        raise TransientError("Discord ended the connection")
    except GatewayClosedError as error:
        options.state.record_lost(str(error), shard=shard, close_code=error.close_code)
        if error.close_code == BAD_TOKEN and await is_token_refused(settings, options.limiter):
            raise bad_token_error() from error
        raise
    except BaseException as error:
        options.state.record_lost(describe(error), shard=shard)
        raise


def configure_library(settings: DiscordSettings) -> None:
    """Set discord.py's API address, which is global to the process."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # voice is not used
    Route.BASE = f"{settings.api_url}/api/v10"


async def _connect(bot: QuestbellBot, settings: DiscordSettings, turns: IdentifyTurns | None) -> None:
    async with AsyncExitStack() as stack:
        if turns is not None:  # the login too, because two hundred at once would exceed Discord's limit
            bot.end_turn = await stack.enter_async_context(turns.take(bot.shard))
        async with asyncio.timeout(LOGIN_TIMEOUT):
            await bot.login(settings.token.get_secret_value())
            url = await bot.fetch_gateway_url()
        if settings.api_url != DISCORD:
            DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(url)
        await bot.stay_connected()


async def is_token_refused(settings: DiscordSettings, limiter: RateLimiter) -> bool:
    """Return whether the REST API refuses the token. The gateway and other routes may do it by mistake."""
    async with DiscordClient.connected(settings, load(Timing), trace=pace_others(limiter)) as client:
        try:
            await client.get_own_user()
        except InvalidTokenError:
            return True
        except QuestbellError:
            return False
    return False
