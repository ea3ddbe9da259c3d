"""Whether notifications are still worth telling, decided in the transaction that acts on it.

Their games are locked FOR SHARE first: who changes one waits for us, or we see the change. Many are decided at once;
a game that somebody is changing this moment is left out of a batch, so that it holds nobody else up.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.delivery.ledger import ledgers_of
from shared.database import in_list
from shared.models import (
    Game,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    Participant,
    User,
)
from shared.schedule.notices import staleness
from shared.schedule.settle import Settlement, log_settled, settle

Row = NotificationSchedule


@dataclass(frozen=True)
class Player:
    """A player on the roster, and how they want to be told."""

    user_id: int
    wants_dm: bool = False
    closed_dms: bool = False
    """Whether a direct message was refused since the player last asked for them."""


@dataclass(frozen=True)
class Standing:
    """A notification that still holds, with all that telling it takes, at one moment of the database's clock."""

    row: NotificationSchedule
    game: Game
    now: datetime
    players: Sequence[Player]
    ledger: Sequence[NotificationDelivery]
    decided: float = field(default_factory=time.monotonic)
    """When `now` was read, by this process's steady clock."""

    @property
    def roster(self) -> list[int]:
        """The players in the order they joined."""
        return [player.user_id for player in self.players]

    def lateness(self) -> timedelta:
        """Return how long it has been due by now: the database's clock, carried on by ours."""
        return self.now - self.row.due_at + timedelta(seconds=time.monotonic() - self.decided)


@dataclass(frozen=True)
class Decisions:
    """What came of asking: who is in neither has an outcome, or is gone."""

    standing: Mapping[UUID, Standing]
    locked: frozenset[UUID]
    """Rows whose game is being changed this moment."""


async def decide(session: AsyncSession, asked: Mapping[UUID, UUID], *, wait: bool = False) -> Decisions:
    """Decide about rows, given with their games. Those that need not be told any more get their outcome here.

    With `wait`, a game that is being changed is waited for.
    """
    games = await _locked_games(session, set(asked.values()), wait=wait)
    found = await _open_rows(session, asked)
    holding: dict[Row, datetime] = {}
    ended: dict[UUID, Settlement] = {}
    for row, overtaken, now in found:
        ending = _ending(row, games.get(row.game_id), overtaken=overtaken, now=now)
        if ending is not None:
            ended[row.id] = ending
        elif row.game_id in games:
            holding[row] = now
    for settled in await settle(session, Row, ended):
        log_settled(settled)
    players = await _players(session, {row.game_id for row in holding})
    ledgers = await ledgers_of(session, [row.id for row in holding])
    return Decisions(
        {
            row.id: Standing(row, games[row.game_id], now, players[row.game_id], ledgers[row.id])
            for row, now in holding.items()
        },
        frozenset(row.id for row, _, _ in found if row.game_id not in games),
    )


async def decide_one(session: AsyncSession, row_id: UUID, *, game_id: UUID) -> Standing | None:
    """Return one notification if it must be told; else None, with its outcome recorded if it had none."""
    return (await decide(session, {row_id: game_id}, wait=True)).standing.get(row_id)


_GAMES = select(Game).where(in_list(Game.id, "games")).order_by(Game.id)
_LOCKED_GAMES = {wait: _GAMES.with_for_update(read=True, skip_locked=not wait) for wait in (False, True)}
_CLOCK = select(func.clock_timestamp()).scalar_subquery()
_LATER = aliased(Row)
_OVERTAKEN = exists().where(
    Row.kind == NotificationKind.REMINDER,
    _LATER.kind == NotificationKind.REMINDER,
    _LATER.game_id == Row.game_id,
    _LATER.game_scheduled_at == Row.game_scheduled_at,
    _LATER.due_at > Row.due_at,
    _LATER.due_at <= _CLOCK,
)
"""Of several overdue reminders of one game only the latest is told: after an outage nobody is told four times."""
_OPEN_ROWS = select(Row, _OVERTAKEN, _CLOCK).where(in_list(Row.id, "rows"), Row.settled_at.is_(None))
_PLAYERS = (
    select(Participant.game_id, Participant.user_id, User.wants_dm, User.dms_closed_at.is_not(None))
    .join(User, User.user_id == Participant.user_id, isouter=True)
    .where(in_list(Participant.game_id, "games"))
    .order_by(Participant.joined_at, Participant.user_id)
)


async def _locked_games(session: AsyncSession, ids: Iterable[UUID], *, wait: bool) -> dict[UUID, Game]:
    return {game.id: game for game in await session.scalars(_LOCKED_GAMES[wait], {"games": list(ids)})}


async def _open_rows(session: AsyncSession, ids: Iterable[UUID]) -> Sequence[tuple[Row, bool, datetime]]:
    """Return the rows without an outcome, each with whether it is overtaken, and the clock they were read by."""
    found = await session.execute(_OPEN_ROWS, {"rows": list(ids)})
    return [(row, is_overtaken, now) for row, is_overtaken, now in found]


def _ending(row: Row, game: Game | None, *, overtaken: bool, now: datetime) -> Settlement | None:
    if game is None:
        return None
    late = Settlement(Outcome.SUPERSEDED, "a later reminder was due too") if overtaken else None
    return staleness(row, game, now=now) or late


async def _players(session: AsyncSession, games: Iterable[UUID]) -> Mapping[UUID, Sequence[Player]]:
    found: defaultdict[UUID, list[Player]] = defaultdict(list)
    for game_id, user_id, wants_dm, closed in await session.execute(_PLAYERS, {"games": list(games)}):
        found[game_id].append(Player(user_id, wants_dm=bool(wants_dm), closed_dms=closed))
    return found
