"""What people do in a cell: they move sessions, cancel, leave and join, mostly close to the time of a reminder.

Everything goes through the product's own actions on games, on a way to the database that no fault blocks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.database import Sessions
from shared.errors import TransientError
from shared.games import cancel_game, join_game, leave_game, reschedule_game
from tests.chaos.sessions import Place, Session

Step = Callable[[AsyncSession], Awaitable[object]]

_AGAIN = 0.2
"""Seconds until an action that could not be committed is tried again."""


@dataclass(frozen=True)
class Shape:
    """What a cell's load is like.

    Attributes:
        first: seconds from the beginning to the time when the first reminders of the sessions fall due.
        spread: seconds over which they do.
        crowd: how many tables' sessions share the first channel.
        unopened: with how many who want direct messages no conversation was ever opened.
    """

    first: float = 2.0
    spread: float = 10.0
    crowd: int = 1
    unopened: int = 3

    @property
    def ends(self) -> float:
        """When the last of them is due."""
        return self.first + self.spread


@dataclass(frozen=True)
class Whim:
    """Something that somebody does at a time."""

    at: datetime
    steps: Sequence[Step]


def whims(sessions: Sequence[Session], place: Place, dice: random.Random) -> list[Whim]:
    """Decide who changes their mind, when and how."""
    return [whim for one in sessions if one.reminded and (whim := _whim(one, place, dice))]


def _whim(one: Session, place: Place, dice: random.Random) -> Whim | None:
    at = one.due_at + timedelta(seconds=dice.uniform(-2.5, 2.5))
    later = one.starts_at + timedelta(seconds=dice.uniform(3.0, 6.0))
    away = one.starts_at + timedelta(minutes=30)
    joiner = dice.choice([person for person in place.people if person not in one.players])

    def moved(to: datetime) -> Step:
        return lambda session: reschedule_game(session, one.id, scheduled_at=to)

    kinds: tuple[tuple[float, Sequence[Step]], ...] = (
        (0.08, [moved(later)]),
        (0.03, [moved(away), moved(one.starts_at)]),
        (0.08, [lambda session: leave_game(session, one.id, user_id=one.players[0])]),
        (0.03, [lambda session: join_game(session, one.id, user_id=joiner)]),
        (0.03, [lambda session: cancel_game(session, one.id)]),
    )
    chance = dice.random()
    for share, steps in kinds:
        if chance < share:
            return Whim(at, steps)
        chance -= share
    return None


async def act(sessions: Sessions, planned: Sequence[Whim]) -> None:
    """Do everything at its time, each until it is committed."""
    async with asyncio.TaskGroup() as tasks:
        for whim in planned:
            tasks.create_task(_follow(sessions, whim))


async def _follow(sessions: Sessions, whim: Whim) -> None:
    await asyncio.sleep(max(0.0, (whim.at - datetime.now(UTC)).total_seconds()))
    for step in whim.steps:
        await _surely(sessions, step)


async def _surely(sessions: Sessions, step: Step) -> None:
    """Take a step until it is committed: whether a commit that failed was applied is not known, and each step may be
    taken twice."""
    while True:
        try:
            async with database.transaction(sessions) as session:
                await step(session)
        except TransientError:
            await asyncio.sleep(_AGAIN)
        else:
            return
