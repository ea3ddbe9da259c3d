"""What a run has seen in the database: how it is now, and how the games were before."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from tests.model.discord import Discord
from tests.model.frozen_database import START, FrozenDatabase
from tests.model.state import Delivery, Game, Row
from tests.support.transitions import NOTIFICATIONS


class History:
    """The games, rows and deliveries, read after each step of a run."""

    def __init__(self, discord: Discord) -> None:
        self.discord = discord
        self.now = START
        self.games: dict[UUID, Game] = {}
        self.rows: dict[UUID, Row] = {}
        self.deliveries: dict[UUID, Delivery] = {}
        self.states: defaultdict[UUID, list[tuple[datetime, Game]]] = defaultdict(list)
        """Each game's states, with the time from which it had them."""
        self.leased_at: defaultdict[UUID, list[datetime]] = defaultdict(list)
        """When leases were acquired for each row."""

    async def read(self, database: FrozenDatabase) -> None:
        """Take over what was committed since the last time."""
        self.now = database.now
        for game in await database.games():
            if self.games.get(game.id) != game:
                self.games[game.id] = game
                self.states[game.id].append((self.now, game))
        found = {row.id: row for row in await database.rows()}
        new = sorted((row for row in found.values() if row.id not in self.rows), key=self._place)
        self.rows = {row_id: found[row_id] for row_id in [*self.rows, *(row.id for row in new)] if row_id in found}
        before, self.deliveries = self.deliveries, {delivery.id: delivery for delivery in await database.deliveries()}
        for delivery in self.deliveries.values():
            if delivery.attempts > (before[delivery.id].attempts if delivery.id in before else 0):
                self.leased_at[delivery.row_id].append(self.now)

    @property
    def has_open_rows(self) -> bool:
        """Return whether anything is still to be delivered or applied."""
        return any(row.is_open for row in self.rows.values())

    def ledger(self, row_id: UUID) -> list[Delivery]:
        """Return the deliveries of a row."""
        return [delivery for delivery in self.deliveries.values() if delivery.row_id == row_id]

    def rows_of(self, game_id: UUID, table: str = NOTIFICATIONS) -> list[Row]:
        """Return the rows of a game, in the order they were written."""
        return [row for row in self.rows.values() if row.game_id == game_id and row.table == table]

    def rank(self, row_id: UUID) -> tuple[object, ...]:
        """Return a row's place among all. It is the same each time a run is repeated, unlike the ids."""
        row = self.rows[row_id]
        return (row.due_at, list(self.games).index(row.game_id), row.what, row.attempts, list(self.rows).index(row_id))

    def _place(self, row: Row) -> tuple[object, ...]:
        return (list(self.games).index(row.game_id), row.table, row.due_at, row.what, row.offset or 0, row.user_id or 0)
