"""Follows who leaves: players a server, and the bot itself.

Discord reports it once, on the gateway, and not while nobody is connected. Tasks of our own handle it, because nobody
waits for those of discord.py: what is recorded is finished before the bot stops. After a start, Discord is asked which
players have left meanwhile. Asking for all members was rejected, because a server may have a million.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import aiohttp
import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.shards import Shard
from shared import database, logs, process
from shared.database import Sessions
from shared.departures import find_games_of, find_series_of, list_people, remove_regular
from shared.errors import ConfigurationError, PermanentError, TransientError, describe
from shared.schedule.retry import Backoff, retry
from shared.series.pausing import pause_elsewhere, pause_of_server
from shared.signup import remove_player

BACKOFF = Backoff(first=0.5, longest=30.0)
FINISH_TIMEOUT = 3.0
"""Seconds for what is recorded when the bot stops."""
USERS_A_REQUEST = 100
"""Discord's limit. Source: https://docs.discord.com/developers/events/gateway-events#request-guild-members"""
PAUSE = 1.0
"""Seconds between two requests. A connection may send 120 events a minute, of which heartbeats need some."""
_ANSWER_TIMEOUT = 45.0
"""More than discord.py waits for the answer."""

T = TypeVar("T")
Work = Callable[[], Awaitable[None]]


class Departures:
    """What Discord reports, until it is handled."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._departed: asyncio.Queue[Work] = asyncio.Queue()
        self._unchecked: asyncio.Queue[discord.Guild] = asyncio.Queue()

    def record_member(self, guild_id: int, user_id: int) -> None:
        """Let a user who has left a server lose their seats and answers there."""
        self._departed.put_nowait(partial(self._remove_member, guild_id, user_id))

    def record_bot(self, guild_id: int) -> None:
        """Let a server from which the bot was removed make no more games."""
        self._departed.put_nowait(partial(self._write, partial(pause_of_server, guild_id=guild_id)))

    def record_servers(self, guild_ids: Collection[int], *, shard: Shard) -> None:
        """Let the shard's servers that removed the bot while it was not connected make no more games."""
        pause = partial(pause_elsewhere, guild_ids=guild_ids, is_served=shard.serves)
        self._departed.put_nowait(partial(self._write, pause))

    def check_later(self, guild: discord.Guild) -> None:
        """Ask Discord soon who of a server's players is still a member."""
        self._unchecked.put_nowait(guild)

    async def run(self) -> None:
        """Handle what is recorded, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name, work in (("departures", self._handle_departed), ("member checks", self._check_servers)):
                tasks.create_task(process.run_forever(name, work, backoff=BACKOFF))

    async def finish(self) -> None:
        """Wait until what is recorded is handled, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_TIMEOUT):
                await self._departed.join()

    async def _handle_departed(self) -> None:
        while True:
            work = await self._departed.get()
            try:
                await work()
            finally:
                self._departed.task_done()

    async def _check_servers(self) -> None:
        while True:
            guild = await self._unchecked.get()
            try:
                await self._check(guild)
            except (TransientError, discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
                log = logs.get(guild_id=guild.id)
                log.warning("Could not ask who is a member", action="members_unknown", error=describe(error))

    async def _check(self, guild: discord.Guild) -> None:
        people = await self._write(partial(list_people, guild_id=guild.id))
        for start in range(0, len(people), USERS_A_REQUEST - 1):
            asked = people[start : start + USERS_A_REQUEST - 1]
            for user_id in await _find_departed(guild, asked):
                self.record_member(guild.id, user_id)
            await asyncio.sleep(PAUSE)

    async def _remove_member(self, guild_id: int, user_id: int) -> None:
        """Remove a user from the regulars first, so that no new game gives them a seat again."""
        for series_id in await self._write(partial(find_series_of, guild_id=guild_id, user_id=user_id)):
            await self._write(partial(remove_regular, series_id=series_id, user_id=user_id))
        game_ids = await self._write(partial(find_games_of, guild_id=guild_id, user_id=user_id))
        for game_id in game_ids:
            with suppress(PermanentError):  # it was deleted meanwhile
                await self._write(partial(remove_player, game_id=game_id, user_id=user_id, by=None))
        if game_ids:
            log = logs.get(guild_id=guild_id)
            log.info("Took a user who left the server out of games", action="member_removed", games=len(game_ids))

    async def _write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Run a transaction, waiting while the database is unavailable or refuses us: Discord reports nothing twice."""

        async def attempt() -> T:
            try:
                async with database.transaction(self._sessions) as session:
                    return await work(session)
            except ConfigurationError as error:
                raise TransientError(str(error)) from error

        def log_failure(error: TransientError) -> None:
            logs.get().warning("Departure not recorded yet", action="departure_unrecorded", error=str(error))

        return await retry(attempt, backoff=BACKOFF, on_failure=log_failure)


async def _find_departed(guild: discord.Guild, users: Sequence[int]) -> list[int]:
    """Return who of the users is no member. An answer without the bot itself proves nothing.

    Raises:
        TransientError: Discord's answer is no use.
    """
    async with asyncio.timeout(_ANSWER_TIMEOUT):
        asked = [guild.me.id, *users]
        found = {member.id for member in await guild.query_members(user_ids=asked, limit=len(asked), cache=False)}
    if guild.me.id not in found:
        raise TransientError("Discord's answer lacks the bot itself")
    return [user_id for user_id in users if user_id not in found]
