"""From any id that a log, a message or a person may give, to the rows it is about.

One command that takes every kind of id was preferred to an option for each: who looks into a complaint has one id in
the hand and does not know which kind it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.discord.ids import delivery_id_of
from shared.errors import QuestbellError
from shared.models import (
    DueRow,
    Game,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationSchedule,
    ParkedMessage,
)
from shared.schedule.settle import Table

T = TypeVar("T", NotificationSchedule, GameStatusSchedule)

_SNOWFLAKE_LIMIT = 2**63


@dataclass(frozen=True)
class Found:
    """A game and those of its rows that an id is about, as they were at one moment of the database's clock."""

    game: Game
    notifications: Sequence[NotificationSchedule]
    transitions: Sequence[GameStatusSchedule]
    ledger: Sequence[NotificationDelivery]
    parked: Sequence[ParkedMessage]
    now: datetime


async def find(session: AsyncSession, asked: str) -> Found:
    """Return what an id is about: all rows for a game or its announcement, else the one row.

    Takes the id of a game, of a row of either schedule, of a ledger row, of a Discord message, and a nonce.

    Raises:
        QuestbellError: nothing has this id.
    """
    found = await _named(session, asked.strip())
    if found is None:
        raise QuestbellError(
            f"nothing is known under {asked!r}: it is no id of a game, a notification, a transition, a ledger row or a "
            "Discord message, nor a nonce; or it was settled so long ago that it is purged"
        )
    game_id, row_id = found
    game = await session.get_one(Game, game_id)
    notifications = await _rows(session, NotificationSchedule, game_id, row_id)
    transitions = await _rows(session, GameStatusSchedule, game_id, row_id)
    ids = [row.id for row in notifications]
    ledger = await session.scalars(
        select(NotificationDelivery)
        .where(NotificationDelivery.notification_id.in_(ids))
        .order_by(NotificationDelivery.chunk, NotificationDelivery.recipient_id)
    )
    rows: list[DueRow] = [*notifications, *transitions]
    copies = [str(row.id) for row in rows]
    parked = await session.scalars(select(ParkedMessage).where(ParkedMessage.message_id.in_(copies)))
    return Found(game, notifications, transitions, ledger.all(), parked.all(), await database.now(session))


async def _named(session: AsyncSession, asked: str) -> tuple[UUID, UUID | None] | None:
    """Return the game and, if it is about one row, that row."""
    if asked.isdecimal() and int(asked) < _SNOWFLAKE_LIMIT:
        return await _of_message(session, int(asked))
    own_id = delivery_id_of(asked) or _uuid(asked)
    return None if own_id is None else await _of_own_id(session, own_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _of_message(session: AsyncSession, message_id: int) -> tuple[UUID, UUID | None] | None:
    game_id = await session.scalar(select(Game.id).where(Game.message_id == message_id))
    if game_id is not None:
        return game_id, None
    return await _of_delivery(session, NotificationDelivery.message_id == message_id)


async def _of_own_id(session: AsyncSession, own_id: UUID) -> tuple[UUID, UUID | None] | None:
    if await session.scalar(select(Game.id).where(Game.id == own_id)):
        return own_id, None
    tables: tuple[Table, ...] = (NotificationSchedule, GameStatusSchedule)
    for table in tables:
        game_id = await session.scalar(select(table.game_id).where(table.id == own_id))
        if game_id is not None:
            return game_id, own_id
    return await _of_delivery(session, NotificationDelivery.id == own_id)


async def _of_delivery(session: AsyncSession, which: ColumnElement[bool]) -> tuple[UUID, UUID | None] | None:
    statement = select(NotificationSchedule.game_id, NotificationSchedule.id).join(
        NotificationDelivery, NotificationDelivery.notification_id == NotificationSchedule.id
    )
    row = (await session.execute(statement.where(which))).first()
    return None if row is None else (row[0], row[1])


async def _rows(session: AsyncSession, table: type[T], game_id: UUID, row_id: UUID | None) -> Sequence[T]:
    statement = select(table).where(table.game_id == game_id).order_by(table.due_at, table.id)
    if row_id is not None:
        statement = statement.where(table.id == row_id)
    return (await session.scalars(statement)).all()
