"""What must be resolved after a restore: the open rows whose time has come, and the writing of what was found out."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from cli.channel_history import bot_messages
from cli.discord_access import patiently
from cli.recognise import CLOCKS, announces, told
from shared.discord.client import DiscordClient
from shared.discord.errors import RequestRejectedError
from shared.discord.history import ChannelMessage
from shared.discord.ids import nonce_for
from shared.models import Game, NotificationDelivery, NotificationKind, NotificationSchedule, Outcome
from shared.schedule.populate import lock_game
from shared.schedule.settle import Settlement, settle

FOUND = "found in the channel after a restore"
UNKNOWN = "unknown after a restore"


class Action(enum.StrEnum):
    """What is done about a row."""

    SETTLE_DELIVERED = "settle delivered"
    SETTLE_UNKNOWN = "settle undeliverable"
    ADOPT = "adopt the announcement"
    LEAVE_OPEN = "leave open"


@dataclass(frozen=True)
class Doubtful:
    """An open row that may have been told since the backup, with its game and what is left of its ledger."""

    row: NotificationSchedule
    game: Game
    nonces: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """What is to be done about one row, and why. Discord's ids are text."""

    row_id: UUID
    kind: str
    due_at: datetime
    game_id: UUID
    title: str
    channel_id: str
    action: Action
    detail: str
    message_id: str | None = None


async def doubtful(session: AsyncSession) -> list[Doubtful]:
    """Return the open rows whose time has come, by channel. Announcements are among them only while the database knows
    no message of theirs: editing one that is known does no harm.

    A row that was due before the backup is among them too: it was open then, so it may have been told since.
    """
    row = NotificationSchedule
    statement = (
        select(row, Game)
        .join(Game, Game.id == row.game_id)
        .where(
            row.settled_at.is_(None),
            row.due_at <= func.clock_timestamp(),
            or_(row.kind != NotificationKind.ANNOUNCEMENT, Game.message_id.is_(None)),
        )
        .order_by(Game.channel_id, Game.id, row.due_at)
    )
    found = [Doubtful(one, game) for one, game in await session.execute(statement)]
    nonces = {one.row.id: one.nonces for one in found}
    ledger = select(NotificationDelivery.id, NotificationDelivery.notification_id).where(
        NotificationDelivery.notification_id.in_(nonces)
    )
    for delivery_id, row_id in await session.execute(ledger):
        nonces[row_id].append(nonce_for(delivery_id))
    return found


async def find_out(client: DiscordClient, rows: Sequence[Doubtful], *, since: datetime) -> list[Step]:
    """Return what is to be done about each row, by what its channel says since the backup.

    Raises:
        TransientError, ConfigurationError: Discord does not answer now, or refuses the token: nothing is known.
    """
    if not rows:
        return []
    bot_id = int((await patiently(client.get_own_user))["id"])
    steps: list[Step] = []
    for channel_id, group in groupby(rows, key=lambda one: one.game.channel_id):
        here = list(group)
        start = max(since, min(one.row.due_at for one in here)) - CLOCKS
        try:
            posts = await bot_messages(client, channel_id, bot_id=bot_id, since=start)
        except RequestRejectedError as error:
            steps += [_step(one, Action.SETTLE_UNKNOWN, f"{UNKNOWN}: {error}") for one in here]
        else:
            steps += _steps(here, posts)
    return steps


async def write(session: AsyncSession, steps: Sequence[Step]) -> None:
    """Write what was found out. A row that was settled meanwhile is left as it is."""
    for step in steps:
        match step.action:
            case Action.SETTLE_DELIVERED:
                await _settle(session, step, Outcome.DELIVERED)
            case Action.SETTLE_UNKNOWN:
                await _settle(session, step, Outcome.UNDELIVERABLE)
            case Action.ADOPT if step.message_id is not None:
                game = await lock_game(session, step.game_id)
                game.message_id = game.message_id or int(step.message_id)


async def running_workloads(session: AsyncSession, *, but: str) -> list[str]:
    """Return the names of Questbell's other connections to this database: who could send while we look."""
    statement = text(
        "SELECT DISTINCT application_name FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'questbell%' AND application_name <> :but"
    )
    return list(await session.scalars(statement, {"but": but}))


async def _settle(session: AsyncSession, step: Step, outcome: Outcome) -> None:
    await settle(session, NotificationSchedule, {step.row_id: Settlement(outcome, step.detail[:500])})


def _steps(rows: Sequence[Doubtful], posts: Sequence[ChannelMessage]) -> list[Step]:
    """Return the steps for the rows of one channel, which is read to its end."""
    steps: list[Step] = []
    for _, group in groupby(rows, key=lambda one: one.game.id):
        of_game = list(group)
        nonces = {nonce: one.row.id for one in of_game for nonce in one.nonces}
        messages = told([one.row for one in of_game], of_game[0].game, posts, nonces=nonces)
        steps += [_decided(one, messages.get(one.row.id), posts) for one in of_game]
    return steps


def _decided(one: Doubtful, message: ChannelMessage | None, posts: Sequence[ChannelMessage]) -> Step:
    if one.row.kind is NotificationKind.ANNOUNCEMENT:
        message = message or next((post for post in posts if announces(post, one.game.id)), None)
        action = Action.ADOPT
    else:
        action = Action.SETTLE_DELIVERED
    if message is None:
        return _step(one, Action.LEAVE_OPEN, "not found in the channel, so it was not told")
    return _step(one, action, f"{FOUND}: message {message.id}", message)


def _step(one: Doubtful, action: Action, detail: str, message: ChannelMessage | None = None) -> Step:
    return Step(
        row_id=one.row.id,
        kind=one.row.kind,
        due_at=one.row.due_at,
        game_id=one.game.id,
        title=one.game.title,
        channel_id=str(one.game.channel_id),
        action=action,
        detail=detail,
        message_id=None if message is None else str(message.id),
    )
