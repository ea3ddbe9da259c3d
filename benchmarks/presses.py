"""Players who press Join while something else is measured, through the sandbox Discord."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count, cycle
from typing import Any

from benchmarks.errors import BenchmarkError
from sandbox.demo.environment import SandboxEnvironment
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from sandbox.discord.world.messages import Message, walk_components
from sandbox.percentiles import milliseconds
from shared import database
from shared.games import NewGame, create_game

GAMES = 20
"""Games whose Join buttons are pressed; each has a channel to itself."""
_POSTED_WITHIN = 30.0
"""Seconds for their announcements."""
_ANSWERED_WITHIN = 30.0
"""Seconds for an answer that was acknowledged; then a press counts as unanswered."""
_SHOWN_WITHIN = 60.0
"""Seconds for the announcements to show the last players."""
_numbers = count(1)


@dataclass(frozen=True)
class Press:
    """A press of Join that was answered. Durations are in seconds."""

    message_id: int
    player: int
    acknowledged: float
    answered: float
    """From the press until the text of the answer is shown."""
    answered_at: float
    """In Unix seconds."""


@dataclass
class Presses:
    """Presses, and how to judge them."""

    discord: SandboxDiscord
    answered: list[Press] = field(default_factory=list)
    unanswered: int = 0

    async def judge(self) -> dict[str, Any]:
        """Wait until the announcements show all players, and return the figures.

        Raises:
            BenchmarkError: no press was answered, or an announcement does not show a player.
        """
        if not self.answered:
            raise BenchmarkError("no press of Join was answered")
        waits = []
        for press in self.answered:
            try:
                shown_at = await self.discord.wait_for(partial(self._shown_at, press), timeout=_SHOWN_WITHIN)
            except TimeoutError as error:
                raise BenchmarkError(f"announcement {press.message_id} does not show a player who joined") from error
            waits.append(max(0.0, shown_at - press.answered_at))
        return {
            "presses": len(self.answered),
            "unanswered": self.unanswered,
            "acknowledged_ms": milliseconds([press.acknowledged for press in self.answered]),
            "answered_ms": milliseconds([press.answered for press in self.answered]),
            "edit_waited_ms": milliseconds(waits),
        }

    def _shown_at(self, press: Press) -> float:
        """Return when an announcement first showed a player in Unix seconds, 0 if it has not."""
        edits = (record for record in self.discord.evidence if record.kind == "edit")
        shown = (edit.wall for edit in edits if edit.message_id == press.message_id and _shows(edit, press.player))
        return next(shown, 0.0)


def _shows(edit: Accepted, player: int) -> bool:
    return f"<@{player}>" in str(edit.embeds)


async def announce_games(environment: SandboxEnvironment) -> list[Message]:
    """Create games, and return their announcements once the bot has posted them."""
    discord = environment.discord
    guild = next(iter(discord.world.guilds.values()))
    channels = [discord.world.add_channel(guild, f"joined-{number}") for number in range(GAMES)]
    async with database.transaction(environment.sessions) as session:
        starts_at = await database.now(session) + timedelta(days=1)
        for channel in channels:
            new = NewGame(
                guild_id=guild.id,
                channel_id=channel.id,
                host_id=guild.owner_id,
                title=f"Game in {channel.name}",
                scheduled_at=starts_at,
                zone="UTC",
                duration=timedelta(hours=3),
            )
            await create_game(session, new)
    await discord.wait_for(lambda: all(map(discord.messages, channels)), timeout=_POSTED_WITHIN)
    return [discord.messages(channel)[0] for channel in channels]


@asynccontextmanager
async def pressing(
    discord: SandboxDiscord, announcements: Sequence[Message], *, since: datetime, per_second: float
) -> AsyncIterator[Presses]:
    """Let new players press Join in each game in turn, from a time until the end of a block. None waits for another."""
    presses = Presses(discord)
    async with asyncio.TaskGroup() as tasks:

        async def press_all() -> None:
            await asyncio.sleep(since.timestamp() - discord.engine.clock.wall())
            for announcement in cycle(announcements):
                tasks.create_task(_press(announcement, presses))
                await asyncio.sleep(1 / per_second)

        pressing_all = tasks.create_task(press_all())
        yield presses
        pressing_all.cancel()


async def _press(announcement: Message, presses: Presses) -> None:
    discord, clock = presses.discord, asyncio.get_running_loop().time
    player = add_player(discord)
    join = next(part for part in walk_components(announcement.components) if part.get("label") == "Join")
    began = clock()
    result = await discord.click(player, announcement.id, join["custom_id"])
    acknowledged = clock() - began
    try:
        await result.done(timeout=_ANSWERED_WITHIN if result.answered else 0.0)
    except TimeoutError:
        presses.unanswered += 1
        return
    answered_at = discord.engine.clock.wall()
    presses.answered.append(Press(announcement.id, player, acknowledged, clock() - began, answered_at))


def add_player(discord: SandboxDiscord) -> int:
    """Add a new member to the first guild, and return their user id."""
    user = discord.world.add_user(f"Player {next(_numbers)}")
    discord.world.add_member(next(iter(discord.world.guilds.values())), user)
    return user.id
