"""The sessions of every cell: made once, by the product's own actions, and moved in time in each cell's copy.

Making two hundred sessions takes longer than a cell may last. Moving them is a few statements, and they stand for no
action of a user: the history begins after them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from shared import database
from shared.database import Sessions
from shared.games import NewGame, create_game
from shared.models import Game, Participant
from shared.schedule.notify import notify_loops
from tests.chaos.facts import Wishes

CHANNELS, PEOPLE = 60, 120
"""Enough channels, and people with direct messages, for Discord's limit of five messages in five seconds for each."""
REMINDED, SILENT = 208, 12
"""How many sessions have reminders, and how many have none and only begin and end."""
OFFSETS = ((1,), (2,), (3,), (5,), (60,), (2, 1))
MOST = 4
"""Players of a session at most, but for who joins in a cell."""
_FAR = datetime(2100, 1, 1, tzinfo=UTC)
_WRITERS = 4


@dataclass(frozen=True)
class Place:
    """Where the sessions are, who may play, as many as are named above, and who of them wants direct messages."""

    guild_id: int
    channels: Sequence[int]
    people: Sequence[int]
    wishes: Wishes


@dataclass(frozen=True)
class Session:
    """A session of a cell as it is at the beginning."""

    id: UUID
    starts_at: datetime
    due_at: datetime
    """Its first reminder's time, or its start when it has none."""
    reminded: bool
    players: tuple[int, ...]


async def make(sessions: Sessions) -> None:
    """Make the sessions far in the future, in channels and by people that are numbers from 1 on.

    Their announcements are not asked for: the first change of a session does that.
    """
    dice = random.Random(0)
    plans = list(zip((_new(number, dice) for number in _numbers()), rosters(dice), strict=False))
    writing = asyncio.Semaphore(_WRITERS)

    async def write(new: NewGame, players: Sequence[int]) -> None:
        async with writing, database.transaction(sessions) as session:
            game = await create_game(session, new)
            session.add_all(Participant(game_id=game.id, user_id=player) for player in players)

    async with asyncio.TaskGroup() as tasks:
        for new, players in plans:
            tasks.create_task(write(new, players))
    async with database.transaction(sessions) as session:
        await session.execute(text("DELETE FROM notification_schedule WHERE kind <> 'reminder'"))


def _numbers() -> range:
    return range(REMINDED + SILENT)


def rosters(dice: random.Random) -> Iterator[list[int]]:
    """Yield rosters without end, so that everyone plays as often as everyone else."""
    players = cycle(dice.sample(range(1, PEOPLE + 1), PEOPLE))
    while True:
        yield list(islice(players, dice.randint(1, MOST)))


def _new(number: int, dice: random.Random) -> NewGame:
    offsets = OFFSETS[number % len(OFFSETS)] if number < REMINDED else ()
    return NewGame(
        guild_id=1,
        channel_id=number % CHANNELS + 1,
        host_id=1,
        title=f"Session {number:04d} of the night",
        scheduled_at=_FAR,
        zone="Europe/Berlin",
        duration=timedelta(hours=3) if offsets else timedelta(seconds=dice.randint(1, 6)),
        reminder_offsets=offsets,
    )


_MOVE = (
    "TRUNCATE chaos_snapshot",
    "INSERT INTO guild (id) VALUES (:guild)",
    "UPDATE participant SET user_id = (CAST(:people AS bigint[]))[user_id]",
    "UPDATE game SET guild_id = :guild, channel_id = (CAST(:channels AS bigint[]))[channel_id], "
    "host_id = (CAST(:people AS bigint[]))[host_id], scheduled_at = moved.at, local_time = moved.at AT TIME ZONE zone "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:starts AS timestamptz[])) AS moved (id, at) WHERE game.id = moved.id",
    "UPDATE notification_schedule SET game_scheduled_at = game.scheduled_at, "
    "due_at = game.scheduled_at - make_interval(mins => offset_minutes::int), "
    "attempt_at = game.scheduled_at - make_interval(mins => offset_minutes::int) "
    "FROM game WHERE game.id = game_id",
    "UPDATE game_status_schedule SET due_at = due.at, attempt_at = due.at FROM (SELECT s.id, game.scheduled_at "
    "+ CASE target_status WHEN 'completed' THEN duration ELSE interval '0' END AS at "
    "FROM game_status_schedule s JOIN game ON game.id = s.game_id) AS due WHERE due.id = game_status_schedule.id",
)


async def move(sessions: Sessions, place: Place, dice: random.Random, *, first: float, spread: float) -> list[Session]:
    """Move a cell's sessions so that the first reminder of each is due `first` to `first + spread` seconds from now."""
    async with database.transaction(sessions) as session:
        games = await _games(session)
        now = await database.now(session)
        due = {game.id: now + timedelta(seconds=first + spread * dice.random()) for game in games}
        starts = {game.id: due[game.id] + timedelta(minutes=max(game.reminder_offsets, default=0)) for game in games}
        names = {
            "guild": place.guild_id,
            "channels": list(place.channels),
            "people": list(place.people),
            "ids": list(starts),
            "starts": list(starts.values()),
        }
        for statement in _MOVE:
            used = {name: value for name, value in names.items() if f":{name}" in statement}
            await session.execute(text(statement), used)
        await notify_loops(session)
    return [
        Session(
            id=game.id,
            starts_at=starts[game.id],
            due_at=due[game.id],
            reminded=bool(game.reminder_offsets),
            players=tuple(place.people[one.user_id - 1] for one in game.participants),
        )
        for game in games
    ]


async def _games(session: AsyncSession) -> Sequence[Game]:
    statement = select(Game).order_by(Game.title).options(selectinload(Game.participants))
    return (await session.execute(statement)).scalars().all()
