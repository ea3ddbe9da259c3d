"""The sandbox Discord in the cluster, followed from outside.

Its records are in memory and are lost with its pod, so they are read as they grow and kept here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from sandbox.discord.client import SandboxClient, SandboxError
from tests.cluster.evidence import Records
from tests.cluster.kubectl import Kubectl
from tests.cluster.programs import ProgramError

PORT = 8090
RETRY_DELAY = 0.3
"""Seconds until the next attempt to reach it."""
LONG_POLL = 5.0
CHANNELS, DEFAULT_CHANNELS = 20, 3
"""The channels that the tests add up to, and those that a sandbox has when it starts."""
UNREACHABLE = (aiohttp.ClientError, OSError, TimeoutError, ProgramError, SandboxError)
"""The errors while its pod cannot be reached."""


@dataclass(frozen=True)
class Guild:
    """The channels for games, and a player. The ids are the same in every sandbox."""

    guild: int
    channels: tuple[int, ...]
    player: int


class Discord:
    """What one sandbox Discord has accepted since it was first reached, over all its pods."""

    def __init__(self, kubectl: Kubectl, deployment: str) -> None:
        self._kubectl = kubectl
        self._target = f"deployment/{deployment}"
        self._records: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._following: asyncio.Task[None] | None = None

    @property
    def records(self) -> Records:
        """Everything known to be accepted."""
        return list(self._records.values())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[SandboxClient]:
        """Connect to its control API for a block."""
        async with self._kubectl.forwarded(self._target, PORT) as url, SandboxClient(url) as client:
            yield client

    def follow(self) -> None:
        """Start reading the records; the sandbox may still be starting."""
        self._following = asyncio.create_task(self._follow())

    async def leave(self) -> None:
        """Stop reading; what was read is kept."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def guild(self) -> Guild:
        """Return enough channels for Discord's limit of five messages in five seconds each."""
        async with self.client() as client:
            [guild] = (await client.state())["guilds"]
            for number in range(len(guild["channels"]), CHANNELS):
                await client.change_world("add_channel", name=f"table-{number}")
            state = await client.state()
        [guild] = state["guilds"]
        channels = tuple(int(channel["id"]) for channel in guild["channels"])
        return Guild(int(guild["id"]), channels, int(state["users"][0]["id"]))

    async def _follow(self) -> None:
        while True:
            try:
                async with self.client() as client:
                    await self._read(client)
            except UNREACHABLE:
                await asyncio.sleep(RETRY_DELAY)

    async def _read(self, client: SandboxClient) -> None:
        seen = 0
        while True:
            records = await client.evidence(after=seen, wait=LONG_POLL)
            seen += len(records)
            for record in records:
                # A new pod numbers its records from 1 again, so the time is part of the key.
                self._records[record["number"], record["wall"], record["message_id"]] = record


@asynccontextmanager
async def following(kubectl: Kubectl, deployment: str) -> AsyncIterator[Discord]:
    """Follow a sandbox Discord for a block."""
    discord = Discord(kubectl, deployment)
    discord.follow()
    try:
        yield discord
    finally:
        await discord.leave()
