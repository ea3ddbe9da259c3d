"""The games of every scenario: created once by the product's own actions, and moved in time in each scenario's copy.

Creating two hundred games takes longer than a scenario may last. Moving them is a few statements, which no user could
run: the recorded history begins after them.
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

from sandbox.oracle.facts import DmPreferences
from shared import database
from shared.database import Sessions
from shared.games import NewGame, create_game
from shared.models import Game, Participant, Slot
from shared.schedule.notify import notify_loops
from shared.series.lifecycle import start_series
from shared.series.rule import Frequency, Rule
from shared.users import change_own_settings
from tests.support.transition_check import allow_any_change

CHANNELS, PEOPLE = 60, 120
"""Enough channels, and people with direct messages, for Discord's limit of five messages in five seconds for each."""
WITH_REMINDERS, WITHOUT_REMINDERS = 208, 12
"""How many games have reminders, and how many only start and end."""
WITH_EXTRA_REMINDERS, EXTRA = 16, 7
"""How many games have only the extra reminders of players, and how many minutes before the start these are."""
WITH_EXTRA_WISHES = 24
"""How many people have an extra reminder of each of their games."""
REPEATED_OF_REMINDED = 16
"""Of every so many games with reminders one is the first game of a daily series, as are all that only start and end."""
WITH_SLOTS_OF_REMINDED, WITH_OFFERS_OF_REMINDED, WITH_MINIMUM_OF_REMINDED = 32, 32, 5
"""Of every so many games with reminders one has slots, one offers its seats, and one needs a minimum of players.
Every second one with slots offers its seats too."""
CROWD = 4
"""How many channels' games may share one channel. Discord accepts a message per second there, and those of more games
would take longer than a delivery may. For the same reason, these games have no slots and offers."""
SLOTS = (Slot("Tank", 1), Slot("Healer", 1), Slot("Damage", 2))
SEATS = tuple(slot for slot in SLOTS for _ in range(slot.capacity or 0))
"""The slot of each player at the beginning."""
MINIMUM = 3
OFFSETS = ((1,), (2,), (3,), (5,), (60,), (2, 1))
MAX_PLAYERS = 4
"""The players of a game at the beginning; more may join during a scenario."""
_FAR = datetime(2100, 1, 1, tzinfo=UTC)
_WRITERS = 4


@dataclass(frozen=True)
class Guild:
    """The channels of the games, the guild of each, the people who may play, their preferences, and who wants extra
    reminders."""

    guild_ids: Sequence[int]
    channels: Sequence[int]
    people: Sequence[int]
    preferences: DmPreferences
    extra: frozenset[int] = frozenset()


@dataclass(frozen=True)
class ScheduledGame:
    """A game of a scenario as it is at the beginning."""

    id: UUID
    starts_at: datetime
    due_at: datetime
    """The time of its first reminder, for everybody or extra, or its start when it has none."""
    has_reminders: bool
    has_extra_reminders: bool
    has_slots: bool
    has_offers: bool
    has_minimum: bool
    is_repeated: bool
    players: tuple[int, ...]


async def create(sessions: Sessions) -> None:
    """Create the games far in the future, with the numbers from 1 on as ids of channels and people.

    They are not announced: the first change of a game does that.
    """
    plans = plan_games(random.Random(0))
    writing = asyncio.Semaphore(_WRITERS)

    async def write(number: int, new: NewGame, players: Sequence[int]) -> None:
        async with writing, database.transaction(sessions) as session:
            game = await create_game(session, new)
            if _is_repeated(number):
                series = await start_series(session, game, Rule(frequency=Frequency.DAILY))
                series.carries_roster = True
            for seat, player in enumerate(players):
                slot = SEATS[seat].name if game.slots else None
                session.add(Participant(game_id=game.id, user_id=player, slot=slot))

    async with asyncio.TaskGroup() as tasks:
        for number, (new, players) in enumerate(plans):
            tasks.create_task(write(number, new, players))
    async with database.transaction(sessions) as session:
        await session.execute(text("DELETE FROM notification_schedule WHERE kind NOT IN ('reminder', 'minimum')"))


def plan_games(rng: random.Random) -> list[tuple[NewGame, Sequence[int]]]:
    """Return all games with their players."""
    numbers = range(WITH_REMINDERS + WITHOUT_REMINDERS + WITH_EXTRA_REMINDERS)
    return [(_new_game(number, players, rng), players) for number, players in zip(numbers, rosters(rng), strict=False)]


def rosters(rng: random.Random) -> Iterator[list[int]]:
    """Yield endless rosters in which everyone plays equally often."""
    players = cycle(rng.sample(range(1, PEOPLE + 1), PEOPLE))
    while True:
        yield list(islice(players, rng.randint(1, MAX_PLAYERS)))


def _is_extra(number: int) -> bool:
    return number >= WITH_REMINDERS + WITHOUT_REMINDERS


def _is_repeated(number: int) -> bool:
    if number < WITH_REMINDERS:
        return number % REPEATED_OF_REMINDED == 0
    return number < WITH_REMINDERS + WITHOUT_REMINDERS


def _has_slots(number: int) -> bool:
    return _is_roomy(number) and number % WITH_SLOTS_OF_REMINDED == 5


def _has_offers(number: int) -> bool:
    return _is_roomy(number) and (number % WITH_OFFERS_OF_REMINDED == 11 or number % (2 * WITH_SLOTS_OF_REMINDED) == 5)


def _is_roomy(number: int) -> bool:
    """Return whether a game has reminders, and a channel that no other channel's games share."""
    return number < WITH_REMINDERS and number % CHANNELS >= CROWD


def _new_game(number: int, players: Sequence[int], rng: random.Random) -> NewGame:
    offsets = OFFSETS[number % len(OFFSETS)] if number < WITH_REMINDERS else ()
    has_minimum = bool(offsets) and number % WITH_MINIMUM_OF_REMINDED == 1
    return NewGame(
        guild_id=1,
        channel_id=number % CHANNELS + 1,
        host_id=number % PEOPLE + 1,
        title=f"Game {number:04d} of the night",
        scheduled_at=_FAR,
        zone="Europe/Berlin",
        duration=timedelta(hours=3) if offsets or _is_extra(number) else timedelta(seconds=rng.randint(1, 6)),
        reminder_offsets=offsets,
        capacity=len(players) if _has_offers(number) and not _has_slots(number) else None,
        slots=SLOTS if _has_slots(number) else (),
        offer_minutes=1 if _has_offers(number) else None,
        minimum_players=MINIMUM if has_minimum else None,
        minimum_minutes=max(offsets) if has_minimum else None,
    )


_MOVE = (
    "TRUNCATE oracle_game_state",
    "INSERT INTO guild (id) SELECT DISTINCT unnest(CAST(:guilds AS bigint[]))",
    "UPDATE participant SET user_id = (CAST(:people AS bigint[]))[user_id]",
    "UPDATE game SET guild_id = (CAST(:guilds AS bigint[]))[channel_id], "
    "channel_id = (CAST(:channels AS bigint[]))[channel_id], "
    "host_id = (CAST(:people AS bigint[]))[host_id], scheduled_at = moved.at, local_time = moved.at AT TIME ZONE zone "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:starts AS timestamptz[])) AS moved (id, at) WHERE game.id = moved.id",
    "UPDATE game SET occurrence = local_time WHERE series_id IS NOT NULL",
    "UPDATE game_series SET guild_id = game.guild_id, channel_id = game.channel_id, host_id = game.host_id, "
    "local_start = game.local_time, planned_until = game.local_time FROM game WHERE game.series_id = game_series.id",
    "UPDATE notification_schedule SET game_scheduled_at = game.scheduled_at, due_at = due.at, attempt_at = due.at, "
    "user_id = due.user_id FROM game, (SELECT s.id, CASE kind WHEN 'minimum' THEN host_id END AS user_id, scheduled_at "
    "- make_interval(mins => coalesce(offset_minutes, minimum_minutes)::int) AS at "
    "FROM notification_schedule s JOIN game ON game.id = s.game_id) AS due "
    "WHERE game.id = game_id AND due.id = notification_schedule.id",
    "UPDATE game_status_schedule SET due_at = due.at, attempt_at = due.at FROM (SELECT s.id, game.scheduled_at "
    "+ CASE target_status WHEN 'completed' THEN duration ELSE interval '0' END AS at "
    "FROM game_status_schedule s JOIN game ON game.id = s.game_id) AS due WHERE due.id = game_status_schedule.id",
)


async def move(
    sessions: Sessions, guild: Guild, rng: random.Random, *, first: float, spread: float
) -> list[ScheduledGame]:
    """Move a scenario's games so that the first reminder of each is due in `first` to `first + spread` seconds."""
    async with database.transaction(sessions) as session:
        games = await _games(session)
        now = await database.now(session)
        due = {game.id: now + timedelta(seconds=first + spread * rng.random()) for game in games}
        starts = {game.id: due[game.id] + timedelta(minutes=_first_offset(game)) for game in games}
        parameters = {
            "guilds": list(guild.guild_ids),
            "channels": list(guild.channels),
            "people": list(guild.people),
            "ids": list(starts),
            "starts": list(starts.values()),
        }
        await allow_any_change(session)
        for statement in _MOVE:
            used = {name: value for name, value in parameters.items() if f":{name}" in statement}
            await session.execute(text(statement), used)
        await notify_loops(session)
    return [
        ScheduledGame(
            id=game.id,
            starts_at=starts[game.id],
            due_at=due[game.id],
            has_reminders=bool(game.reminder_offsets),
            has_extra_reminders=_has_extra_reminders(game),
            has_slots=bool(game.slots),
            has_offers=game.offer_minutes is not None,
            has_minimum=game.minimum_players is not None,
            is_repeated=game.series_id is not None,
            players=tuple(guild.people[participant.user_id - 1] for participant in game.participants),
        )
        for game in games
    ]


async def ask_for_extra_reminders(sessions: Sessions, guild: Guild) -> datetime:
    """Let players ask for an extra reminder of each of their games. Return from when on they get them."""
    for player in sorted(guild.extra):
        async with database.transaction(sessions) as session:
            await change_own_settings(session, player, extra_offset_minutes=EXTRA)
    async with database.transaction(sessions) as session:
        return await database.now(session)


def _first_offset(game: Game) -> int:
    return EXTRA if _has_extra_reminders(game) else max(game.reminder_offsets, default=0)


def _has_extra_reminders(game: Game) -> bool:
    return not game.reminder_offsets and game.duration >= timedelta(hours=1)


async def _games(session: AsyncSession) -> Sequence[Game]:
    statement = select(Game).order_by(Game.title).options(selectinload(Game.participants))
    return (await session.execute(statement)).scalars().all()
