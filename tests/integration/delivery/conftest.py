"""The bot's delivery with a real database and the sandbox Discord, which records what it accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from bot.consumers.handler import EventHandler
from bot.delivery.leases import DeliveryRequest, PendingRecipient, Prepared, prepare
from bot.delivery.rate_limits import RateLimiter
from bot.delivery.sender import Sender
from bot.main import event_handler
from controllers.loops.sources import ClaimedRow, build_notification_event
from sandbox.discord.rate_limits import Limits as DiscordLimits
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared.discord.client import DiscordClient
from shared.errors import TransientError
from shared.messaging.envelope import AnyEvent
from shared.models import Game, NotificationDelivery, NotificationKind, NotificationSchedule, Outcome
from shared.settings import DiscordSettings, Timing
from tests.support.builders import make_due_now, new_game, rows_of
from tests.support.database import Database
from tests.support.waiting import eventually


@dataclass
class Bot:
    """The bot's delivery, and the Discord it talks to."""

    discord: SandboxDiscord
    database: Database
    postgres: Postgres
    handle: EventHandler
    channel: int

    async def game(
        self, players: tuple[str, ...] = ("Mia", "Jonas"), *, channel: int | None = None, **options: Any
    ) -> Game:
        """Create a game, in the first channel by default."""
        users = [self.discord.world.user(name).id for name in players]
        return await new_game(self.database.sessions, channel_id=channel or self.channel, players=users, **options)

    async def row(self, game: Game, kind: NotificationKind = NotificationKind.REMINDER) -> NotificationSchedule:
        """Return the newest row of a kind."""
        return (await rows_of(self.database.sessions, game, kind))[-1]

    async def deliver(self, row: NotificationSchedule) -> None:
        """Handle a message of a row, as the consumer does, once it is due."""
        await make_due_now(self.database.sessions, row)
        await self.handle(event_of(row))

    async def deliver_until_settled(self, row: NotificationSchedule) -> Outcome:
        """Handle messages of a row until it has an outcome, and return it."""

        async def settled() -> Outcome | None:
            try:
                await self.deliver(row)
            except TransientError:
                return None
            return await self.outcome(row)

        outcome: Outcome = await eventually(settled)
        return outcome

    async def outcome(self, row: NotificationSchedule) -> Outcome | None:
        """Return the outcome of a row, None while it is open."""
        async with db.transaction(self.database.sessions) as session:
            now = await session.get(NotificationSchedule, row.id)
            return None if now is None else now.outcome

    def sent(self) -> list[Accepted]:
        """Return the messages that Discord created, without announcements."""
        made = [record for record in self.discord.evidence if record.kind == "create" and not record.returned_earlier]
        return [record for record in made if not record.embeds]

    async def ledger(self, row: NotificationSchedule) -> list[NotificationDelivery]:
        """Return the deliveries of a row."""
        statement = select(NotificationDelivery).where(NotificationDelivery.notification_id == row.id)
        async with db.transaction(self.database.sessions) as session:
            return list((await session.execute(statement.order_by(NotificationDelivery.chunk))).scalars())


async def read_pending(bot: Bot, row: NotificationSchedule, timing: Timing) -> PendingRecipient:
    """Return the last recipient of a row that has no lease, as an attempt that waits to send has read it."""
    await make_due_now(bot.database.sessions, row)
    async with db.transaction(bot.database.sessions) as session:
        [prepared] = await prepare(session, [DeliveryRequest(row.id, {row.kind})], timing=timing)
    assert isinstance(prepared, Prepared)
    return [attempt for attempt in prepared.attempts if isinstance(attempt, PendingRecipient)][-1]


def event_of(row: NotificationSchedule) -> AnyEvent:
    details = {"kind": row.kind, "offset_minutes": row.offset_minutes, "game_scheduled_at": row.game_scheduled_at}
    due = ClaimedRow(row.id, row.game_id, due_at=row.due_at, attempts=0, claimed_at=row.due_at, details=details)
    return build_notification_event(due)[0]


@pytest.fixture
async def discord() -> AsyncIterator[SandboxDiscord]:
    async with SandboxDiscord(limits=DiscordLimits.off()) as served:
        yield served


@pytest.fixture
def timing() -> Timing:
    return Timing(request_timeout=2.0, lease=4.0)  # a busy machine needs time for each, and between the two


@pytest.fixture
async def bot(
    database: Database, postgres_server: Postgres, discord: SandboxDiscord, timing: Timing
) -> AsyncIterator[Bot]:
    settings = DiscordSettings(token=SecretStr(discord.token), api_url=discord.url)
    async with DiscordClient.connected(settings, timing) as api:
        handle = event_handler(Sender(database.sessions, api, RateLimiter(), timing))
        yield Bot(discord, database, postgres_server, handle, next(iter(discord.world.channels)))
