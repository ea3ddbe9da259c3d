"""The sandbox Discord in the cluster, followed from outside: the judge of what was told.

Its evidence is in its memory and ends with its pod, so it is read as it grows and kept here.
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
AGAIN = 0.3
"""Seconds until it is tried to reach it again."""
LONG_POLL = 5.0
CHANNELS, FURNISHED = 20, 3
"""Channels that the tests see to, and those of them that a sandbox has when it starts."""
AWAY = (aiohttp.ClientError, OSError, TimeoutError, ProgramError, SandboxError)
"""What it looks like when its pod, or the way to it, is gone."""


@dataclass(frozen=True)
class Place:
    """Where sessions can be, and one who may play. The ids are the same in every sandbox."""

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
        """Everything that was accepted, as far as it is known."""
        return list(self._records.values())

    @asynccontextmanager
    async def client(self) -> AsyncIterator[SandboxClient]:
        """Reach its control API for a block."""
        async with self._kubectl.forwarded(self._target, PORT) as url, SandboxClient(url) as client:
            yield client

    def follow(self) -> None:
        """Begin to read the evidence; the sandbox may still be starting."""
        self._following = asyncio.create_task(self._follow())

    async def leave(self) -> None:
        """Read no more; what was read stays known."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following

    async def place(self) -> Place:
        """Return where sessions can be: enough channels for Discord's limit of five messages in five seconds each."""
        async with self.client() as client:
            [guild] = (await client.state())["guilds"]
            for number in range(len(guild["channels"]), CHANNELS):
                await client.change_world("add_channel", name=f"table-{number}")
            state = await client.state()
        [guild] = state["guilds"]
        channels = tuple(int(channel["id"]) for channel in guild["channels"])
        return Place(int(guild["id"]), channels, int(state["people"][0]["id"]))

    async def _follow(self) -> None:
        while True:
            try:
                async with self.client() as client:
                    await self._read(client)
            except AWAY:
                await asyncio.sleep(AGAIN)

    async def _read(self, client: SandboxClient) -> None:
        seen = 0
        while True:
            records = await client.evidence(after=seen, wait=LONG_POLL)
            seen += len(records)
            for record in records:
                # The numbers begin anew with each pod; so do not the times.
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
