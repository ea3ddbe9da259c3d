"""Finds the rows that belong to an id.

An option for each kind of id was rejected because an administrator often does not know the kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database, sql
from shared.audit import Entry, list_game_entries
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

T = TypeVar("T", NotificationSchedule, GameStatusSchedule)

_SQL = sql.load("cli")
_HISTORY_LIMIT = 100
_SNOWFLAKE_LIMIT = 2**63
_MESSAGE_LINK = re.compile(r"<?https?://(?:\w+\.)?discord(?:app)?\.com/channels/(?:\d+|@me)/\d+/(\d+)/?(?:\?\S*)?>?")
"""What "Copy Message Link" gives, from any version of Discord."""


@dataclass(frozen=True)
class TraceData:
    """A game and its rows, at one moment of the database's clock."""

    game: Game
    notifications: Sequence[NotificationSchedule]
    transitions: Sequence[GameStatusSchedule]
    deliveries: Sequence[NotificationDelivery]
    parked: Sequence[ParkedMessage]
    history: Sequence[Entry]
    """Who changed the game, the latest first. Empty for one row."""
    now: datetime


async def load_trace_data(session: AsyncSession, id_text: str) -> TraceData:
    """Return the row with an id or message link, or all rows of a game for its id or its announcement's.

    Raises:
        QuestbellError: nothing has this id.
    """
    id_text = id_text.strip()
    link = _MESSAGE_LINK.fullmatch(id_text)
    found = await _find(session, link[1] if link else id_text)
    if found is None:
        raise QuestbellError(
            f"nothing found for {id_text!r}; give the link or id of a Discord message, the id of a game, "
            "notification, status change or delivery, or a nonce (rows are deleted after the retention period)"
        )
    game_id, row_id = found
    game = await session.get_one(Game, game_id)
    notifications = await _load_rows(session, NotificationSchedule, game_id, row_id)
    transitions = await _load_rows(session, GameStatusSchedule, game_id, row_id)
    deliveries = await session.scalars(
        select(NotificationDelivery)
        .where(NotificationDelivery.notification_id.in_([row.id for row in notifications]))
        .order_by(NotificationDelivery.chunk, NotificationDelivery.recipient_id)
    )
    rows: list[DueRow] = [*notifications, *transitions]
    message_ids = [str(row.id) for row in rows]
    parked = await session.scalars(select(ParkedMessage).where(ParkedMessage.message_id.in_(message_ids)))
    history = [] if row_id is not None else await list_game_entries(session, game_id, limit=_HISTORY_LIMIT)
    now = await database.now(session)
    return TraceData(game, notifications, transitions, deliveries.all(), parked.all(), history, now)


async def _find(session: AsyncSession, id_text: str) -> tuple[UUID, UUID | None] | None:
    if id_text.isdecimal() and int(id_text) < _SNOWFLAKE_LIMIT:
        found = await session.execute(_SQL["find_by_message_id"], {"message_id": int(id_text)})
    elif own_id := delivery_id_of(id_text) or _parse_uuid(id_text):
        found = await session.execute(_SQL["find_by_id"], {"id": own_id})
    else:
        return None
    row = found.first()
    return None if row is None else (row.game_id, row.row_id)


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _load_rows(session: AsyncSession, table: type[T], game_id: UUID, row_id: UUID | None) -> Sequence[T]:
    statement = select(table).where(table.game_id == game_id).order_by(table.due_at, table.id)
    if row_id is not None:
        statement = statement.where(table.id == row_id)
    return (await session.scalars(statement)).all()
