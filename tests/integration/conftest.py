"""Builders for the integration tests: games and rows in a real database, queues in a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from shared import database as db
from shared.database import Sessions
from shared.games import NewGame, create_game, join_game
from shared.messaging import topology
from shared.messaging.connection import connected
from shared.messaging.publisher import Publisher
from shared.models import Game, NotificationKind, NotificationSchedule
from shared.settings import BrokerSettings, Timing
from tests.conftest import Database
from tests.waiting import PATIENCE

GUILD, CHANNEL, HOST = 900, 901, 902


async def new_game(
    sessions: Sessions,
    *,
    starts_in: timedelta = timedelta(hours=2),
    offsets: Sequence[int] = (60, 10),
    players: Sequence[int] = (),
    **fields: Any,
) -> Game:
    """A game that starts so long from the database's now, with players."""
    async with db.transaction(sessions) as session:
        now = await db.now(session)
        told = {
            "guild_id": GUILD,
            "channel_id": CHANNEL,
            "host_id": HOST,
            "title": "The Sunken Keep",
            "zone": "Europe/Berlin",
            "duration": timedelta(hours=3),
            "reminder_offsets": tuple(offsets),
            "scheduled_at": now + starts_in,
        }
        game = await create_game(session, NewGame(**(told | fields)))
        for player in players:
            await join_game(session, game.id, user_id=player)
    return game


async def rows_of(sessions: Sessions, game: Game, kind: NotificationKind | None = None) -> list[NotificationSchedule]:
    """The notification rows of a game as they are now, earliest due first."""
    statement = select(NotificationSchedule).where(NotificationSchedule.game_id == game.id)
    if kind is not None:
        statement = statement.where(NotificationSchedule.kind == kind)
    async with db.transaction(sessions) as session:
        return list((await session.execute(statement.order_by(NotificationSchedule.due_at))).scalars())


async def make_due(sessions: Sessions, *rows: NotificationSchedule, ago: timedelta = timedelta(0)) -> None:
    """Let rows be due now, or have been for a while."""
    async with db.transaction(sessions) as session:
        moment = await db.now(session) - ago
        await session.execute(
            update(NotificationSchedule)
            .where(NotificationSchedule.id.in_([row.id for row in rows]))
            .values(due_at=moment, attempt_at=moment)
        )


async def drop_notices(sessions: Sessions) -> None:
    """Forget the announcements of new games, for tests that are about reminders alone."""
    async with db.transaction(sessions) as session:
        notices = NotificationSchedule.kind != NotificationKind.REMINDER
        await session.execute(NotificationSchedule.__table__.delete().where(notices))


async def eventually(condition: Callable[[], Awaitable[Any]], *, within: float = PATIENCE) -> Any:
    """Wait until a condition holds and return what it returned; ask again every few milliseconds."""
    async with asyncio.timeout(within):
        while not (held := await condition()):
            await asyncio.sleep(0.01)
        return held


async def queue_length(broker: BrokerSettings, name: str) -> int:
    """How many messages of a queue are ready."""
    async with connected(broker, name="test") as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, passive=True)
        return queue.declaration_result.message_count or 0


async def take(broker: BrokerSettings, name: str, *, within: float = PATIENCE) -> Any:
    """Take the next message of a queue, and acknowledge it."""
    async with connected(broker, name="test") as connection:
        queue = await (await connection.channel()).get_queue(name)

        async def get() -> Any:
            return await queue.get(no_ack=True, fail=False)

        return await eventually(get, within=within)


@pytest.fixture
async def declared(broker: BrokerSettings) -> BrokerSettings:
    """A broker on which our topology is declared."""
    async with connected(broker, name="test") as connection:
        await topology.declare(await connection.channel())
    return broker


@pytest.fixture
def patient() -> Timing:
    """For a broker that may take seconds over new quorum queues on a busy machine, where its speed is not the point."""
    return Timing(publish_timeout=30, transaction_timeout=40)


@pytest.fixture
async def publisher(broker: BrokerSettings, patient: Timing) -> AsyncIterator[Publisher]:
    made = Publisher(broker, patient, name="test", on_queues_lost=_nothing)
    await made.connect()
    yield made
    await made.close()


async def _nothing() -> None:
    return


@pytest.fixture
def now_utc(database: Database) -> Callable[[], Awaitable[datetime]]:
    async def ask() -> datetime:
        async with db.transaction(database.sessions) as session:
            return await db.now(session)

    return ask
