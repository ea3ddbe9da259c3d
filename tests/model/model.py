"""The model: what is in the database by the rules, and what the rules ask of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from shared.models import DeliveryState, NotificationKind, RecipientKind
from shared.settings import Timing
from tests.model.discord import Discord, dm_channel
from tests.model.ground import BEGINNING, SCHEDULE
from tests.model.rules.book import At
from tests.model.run import Run
from tests.model.state import NOBODY, Delivery, Game, Row
from tests.model.table import Line


class Model:
    """What the rules say is in the database."""

    def __init__(self, page: Mapping[str, Line], discord: Discord, timing: Timing) -> None:
        self.page = page
        self.discord = discord
        self.timing = timing
        self.now = BEGINNING
        self.games: dict[UUID, Game] = {}
        self.rows: dict[UUID, Row] = {}
        self.deliveries: dict[UUID, Delivery] = {}
        self.history: dict[UUID, list[tuple[datetime, Game]]] = {}
        self.paused: set[str] = set()
        """The bots that Discord has told to be slower."""
        self.by_chance: set[UUID] = set()
        """The rows whose next attempt was left to chance."""
        self.leases: defaultdict[UUID, set[datetime]] = defaultdict(set)
        """When leases end or ended, for each row. Who met one may say so when it is over: copies are told at once."""
        self.turned_at: defaultdict[UUID, list[datetime]] = defaultdict(list)
        """When turns were taken for each row."""
        self.seen: Counter[str] = Counter()

    @property
    def shown(self) -> dict[int, int]:
        """The revision of its game that each post shows."""
        return self.discord.revisions

    @property
    def has_open_rows(self) -> bool:
        """Whether anything is still to be told or done."""
        return any(row.is_open for row in self.rows.values())

    def ledger(self, row_id: UUID) -> list[Delivery]:
        """Return the recipients of a row."""
        return [one for one in self.deliveries.values() if one.row_id == row_id]

    def sending(self, row_id: UUID) -> list[Delivery]:
        """Return the recipients of a row whose try has no outcome yet."""
        return [one for one in self.ledger(row_id) if one.state is DeliveryState.SENDING]

    def channel_of(self, delivery: Delivery) -> int:
        """Return the channel in which a recipient is told."""
        kind, recipient = delivery.recipient
        return recipient if kind == RecipientKind.CHANNEL else dm_channel(recipient)

    @property
    def conversations(self) -> set[int]:
        """The channels of direct messages."""
        kinds = {one.recipient for one in self.deliveries.values()}
        return {dm_channel(user) for kind, user in kinds if kind == RecipientKind.USER}

    def message_of(self, delivery: Delivery) -> int | None:
        """Return the message that Discord made for a recipient."""
        return self.discord.made_for(delivery.id)

    def rows_of(self, game_id: UUID, table: str = SCHEDULE) -> list[Row]:
        """Return the rows of a game, in the order they were written."""
        return [row for row in self.rows.values() if row.game_id == game_id and row.table == table]

    def begins(self, run: Run) -> None:
        """Note how all games are when a run begins: it may show any state since."""
        run.since = {game_id: len(states) - 1 for game_id, states in self.history.items()}

    def states(self, game_id: UUID, run: Run) -> list[Game]:
        """Return how a game has been since a run began."""
        return [state for _, state in self.history[game_id][run.since.get(game_id, 0) :]]

    def rank(self, row_id: UUID) -> tuple[object, ...]:
        """Return a row's place among all, by what it is: the same in each repetition of a run."""
        row = self.rows[row_id]
        return (row.due_at, list(self.games).index(row.game_id), row.what, row.attempts, list(self.rows).index(row_id))

    def open_notice(self, game_id: UUID, kind: NotificationKind) -> Row | None:
        """Return the open notice of a kind."""
        return next((row for row in self.rows_of(game_id) if row.what == kind and row.is_open), None)

    def notice(self, game: Game, kind: NotificationKind) -> Row:
        """Return a notice of a game as it is written now."""
        return Row(NOBODY, SCHEDULE, game.id, kind, game.version, self.now, self.now, starts_at=game.starts_at)

    def is_missing_notice(self, seen: Row, at: At) -> bool:
        """Whether it is the announcement's notice of a game of which a run has changed the status, or shown an older
        state, and none is open."""
        game = self.games[seen.game_id]
        outdated = at.run.edited.get(game.id, game.revision) != game.revision
        missing = self.open_notice(game.id, NotificationKind.ANNOUNCEMENT) is None
        expected = self.notice(game, NotificationKind.ANNOUNCEMENT)
        return (outdated or game.id in at.run.turned) and missing and replace(seen, id=NOBODY) == expected
