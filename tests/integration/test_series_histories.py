"""Random histories of a series, in which things happen at once and transactions break off, against a small model.

The model is a list of days: each date of the rule from the first to `planned_until` has one game, or a reason for
having none, and nothing after it has a game.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import time, timedelta

import pytest
from sqlalchemy import select

from bot.consumers.transitions import apply_transitions
from shared import database as db
from shared.database import Sessions
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import Game, GameSeries, SeriesException, SeriesState
from shared.series.editing import SeriesEdit, edit_series
from shared.series.lifecycle import end_series, list_next, pause_series, resume_series, skip_occurrence
from tests.integration.test_series import DAILY, make_over, new_series
from tests.support.database import Database
from tests.support.histories import CrashError

HISTORIES, STEPS, AT_ONCE = 8, 8, 4


class History:
    """A series on which random things are done."""

    def __init__(self, sessions: Sessions, rng: random.Random, series: GameSeries) -> None:
        self.sessions = sessions
        self.rng = rng
        self.series_id = series.id

    async def step(self) -> None:
        """Do a few things at once."""
        actions = (self.complete, self.complete, self.cancel, self.skip, self.pause, self.resume, self.end, self.edit)
        await asyncio.gather(*(self.rng.choice(actions)() for _ in range(self.rng.randint(1, AT_ONCE))))

    async def complete(self) -> None:
        games = [game for game in await self.games() if not game.status.is_final]
        if games:
            ids = await make_over(self.sessions, *self.rng.sample(games, self.rng.randint(1, len(games))))
            wait = self.rng.random() < 0.5
            await self.run(lambda session: apply_transitions(session, ids, wait=wait))

    async def cancel(self) -> None:
        games = await self.games()
        game = self.rng.choice(games)
        await self.run(lambda session: cancel_game(session, game.id))

    async def skip(self) -> None:
        async with db.transaction(self.sessions) as session:
            dates = list(await list_next(session, await session.get_one(GameSeries, self.series_id)))
        date = self.rng.choice([None, *dates])
        await self.run(lambda session: skip_occurrence(session, self.series_id, date))

    async def pause(self) -> None:
        await self.run(lambda session: pause_series(session, self.series_id))

    async def resume(self) -> None:
        await self.run(lambda session: resume_series(session, self.series_id))

    async def end(self) -> None:
        await self.run(lambda session: end_series(session, self.series_id))

    async def edit(self) -> None:
        edit = self.rng.choice(
            [
                SeriesEdit(open_ahead=self.rng.randint(1, 4)),
                SeriesEdit(title=f"Game {self.rng.random()}"),
                SeriesEdit(clock=time(self.rng.randint(21, 23))),
            ]
        )
        await self.run(lambda session: edit_series(session, self.series_id, edit))

    async def run(self, change: Callable[..., Awaitable[object]]) -> None:
        """Run a change in a transaction, which sometimes breaks off, until it needs no other attempt."""
        crashes = self.rng.random() < 0.25
        while True:
            try:
                async with db.transaction(self.sessions) as session:
                    await change(session)
                    if crashes:
                        raise CrashError
            except CrashError:
                crashes = False
                if self.rng.random() < 0.5:
                    return
            except TransientError:
                continue
            else:
                return

    async def games(self) -> list[Game]:
        async with db.transaction(self.sessions) as session:
            return list(await session.scalars(select(Game).where(Game.series_id == self.series_id)))

    async def check(self) -> None:
        """Compare the rows with the model."""
        games = await self.games()
        async with db.transaction(self.sessions) as session:
            series = await session.get_one(GameSeries, self.series_id)
            exceptions = await session.scalars(
                select(SeriesException.occurrence).where(SeriesException.series_id == self.series_id)
            )
            left_out = {occurrence.date() for occurrence in exceptions}
        made = sorted(game.occurrence.date() for game in games if game.occurrence is not None)
        assert len(made) == len(set(made)) == len(games)
        first, last = min(made), series.planned_until.date()
        days = {first + timedelta(days=number) for number in range((last - first).days + 1)}
        assert set(made) | {day for day in left_out if day <= last} == days
        opened = [game for game in games if not game.status.is_final]
        assert len(opened) <= 4
        if series.state is SeriesState.ACTIVE:
            assert len(opened) >= series.open_ahead
        for game in opened:
            assert game.occurrence is not None
            assert game.occurrence.time() == series.local_start.time()
            assert game.title == series.title


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_each_date_has_one_game_or_a_reason_for_having_none(database: Database, seed: int) -> None:
    rng = random.Random(seed)
    series, _first = await new_series(database.sessions, DAILY, settings={"open_ahead": rng.randint(1, 3)})
    history = History(database.sessions, rng, series)
    for _ in range(STEPS):
        await history.step()
        await history.check()
    await history.resume()
    async with db.transaction(database.sessions) as session:
        await resume_series(session, series.id)
    await history.check()
