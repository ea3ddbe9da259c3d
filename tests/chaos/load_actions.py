"""What people do in a scenario: they move and cancel games, leave and join, mostly close to the time of a reminder.

Everything goes through the product's own actions on games, over a connection to the database that no fault blocks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.database import Sessions
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.schedule.personal import snooze_reminder
from shared.schedule.populate import lock_game
from shared.signup import join_game, leave_game
from tests.chaos.games import Guild, ScheduledGame

Step = Callable[[AsyncSession], Awaitable[object]]

_RETRY_DELAY = 0.2
"""Seconds until an action that could not be committed is tried again."""


@dataclass(frozen=True)
class LoadProfile:
    """The load of a scenario.

    Attributes:
        first: seconds until the first reminders of the games become due.
        spread: seconds over which they become due.
        crowd: how many channels' games share the first channel.
        unopened: with how many players who want direct messages no direct-message channel was ever opened.
        guilds: in how many guilds the bot is. The channels of the games are spread over them.
    """

    first: float = 2.0
    spread: float = 10.0
    crowd: int = 1
    unopened: int = 3
    guilds: int = 1

    @property
    def ends(self) -> float:
        """Seconds until the last of them is due."""
        return self.first + self.spread


@dataclass(frozen=True)
class LoadAction:
    """Something that a person does at some time."""

    at: datetime
    steps: Sequence[Step]


Snoozes = dict[tuple[UUID, int], tuple[datetime, datetime]]
"""When a player snoozed the reminder of a game, and when they are reminded again."""


def plan_actions(
    games: Sequence[ScheduledGame], guild: Guild, rng: random.Random, *, snoozes: Snoozes | None
) -> list[LoadAction]:
    """Decide which games are changed, when and how. What is snoozed is written to `snoozes`, if given."""
    plans = (
        _plan_leaving(game, rng) if game.has_extra_reminders else _plan_action(game, guild, rng, snoozes)
        for game in games
        if game.has_reminders or game.has_extra_reminders
    )
    return [action for action in plans if action is not None]


def _plan_leaving(game: ScheduledGame, rng: random.Random) -> LoadAction | None:
    at, player = game.due_at + timedelta(seconds=rng.uniform(-1.5, 2.5)), rng.choice(game.players)
    leaves = rng.random() < 0.3
    return LoadAction(at, [lambda session: leave_game(session, game.id, user_id=player)]) if leaves else None


def _plan_action(game: ScheduledGame, guild: Guild, rng: random.Random, snoozes: Snoozes | None) -> LoadAction | None:
    at = game.due_at + timedelta(seconds=rng.uniform(-2.5, 2.5))
    slightly_later = game.starts_at + timedelta(seconds=rng.uniform(3.0, 6.0))
    much_later = game.starts_at + timedelta(minutes=30)
    newcomer = rng.choice([person for person in guild.people if person not in game.players])

    def reschedule(to: datetime) -> Step:
        return lambda session: edit_game(session, game.id, GameEdit(scheduled_at=to))

    def set_capacity(session: AsyncSession) -> Awaitable[object]:
        return edit_game(session, game.id, GameEdit(capacity=len(game.players)))

    def join(session: AsyncSession) -> Awaitable[object]:
        return join_game(session, game.id, user_id=newcomer)

    def leave(session: AsyncSession) -> Awaitable[object]:
        return leave_game(session, game.id, user_id=game.players[0])

    delay, sleeper = timedelta(seconds=rng.uniform(1.0, 4.0)), rng.choice(game.players)

    async def snooze(session: AsyncSession) -> None:
        locked = await lock_game(session, game.id)
        due_at = await snooze_reminder(session, locked, user_id=sleeper, delay=delay)
        if due_at is not None and snoozes is not None:
            snoozes[game.id, sleeper] = (due_at - delay, due_at)

    def leave_after_all(session: AsyncSession) -> Awaitable[object]:
        return leave_game(session, game.id, user_id=sleeper)

    if game.is_repeated and rng.random() < 0.4:
        return LoadAction(at, [lambda session: cancel_game(session, game.id)])  # the next one is made
    kinds: tuple[tuple[float, Sequence[Step]], ...] = (
        (0.08, [reschedule(slightly_later)]),
        (0.03, [reschedule(much_later), reschedule(game.starts_at)]),
        (0.08, [leave]),
        (0.03, [join]),
        (0.06, [set_capacity, join, leave]),  # the newcomer waits, and is promoted
        (0.03, [lambda session: cancel_game(session, game.id)]),
        *(((0.06, [snooze]), (0.03, [snooze, leave_after_all])) if snoozes is not None else ()),
    )
    chance = rng.random()
    for share, steps in kinds:
        if chance < share:
            return LoadAction(at, steps)
        chance -= share
    return None


async def perform(sessions: Sessions, actions: Sequence[LoadAction]) -> None:
    """Do everything at its time, each until it is committed."""
    async with asyncio.TaskGroup() as tasks:
        for action in actions:
            tasks.create_task(_perform(sessions, action))


async def _perform(sessions: Sessions, action: LoadAction) -> None:
    await asyncio.sleep(max(0.0, (action.at - datetime.now(UTC)).total_seconds()))
    for step in action.steps:
        await _commit(sessions, step)


async def _commit(sessions: Sessions, step: Step) -> None:
    """Repeat a step until it is committed; each step may be repeated, since a failed commit may have been applied."""
    while True:
        try:
            async with database.transaction(sessions) as session:
                await step(session)
        except TransientError:
            await asyncio.sleep(_RETRY_DELAY)
        else:
            return
