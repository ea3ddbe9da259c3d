"""Plans what happens to notifications that may have been sent since the backup."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from cli.commands.connections import call_discord
from cli.commands.recover.match_messages import CLOCK_SKEW, UncertainRow, is_announcement_of, match_messages
from shared import sql
from shared.discord.client import PAGE_SIZE, DiscordClient
from shared.discord.errors import RequestRejectedError
from shared.discord.history import ChannelMessage, Extent, read_history
from shared.discord.ids import first_id_at, nonce_for
from shared.errors import QuestbellError
from shared.models import NotificationKind, NotificationSchedule, Outcome, RecipientKind, delivery_id
from shared.schedule.populate import lock_game
from shared.schedule.settle import DETAIL_LIMIT, Settlement, settle

MAX_PAGES = 200
"""A busier channel is not read completely."""
BATCH = 1_000
"""Rows of one statement or transaction."""
_BEGINNING, _NO_ID = datetime.fromtimestamp(0, UTC), UUID(int=0)
FOUND = "found in the channel after a restore"
UNKNOWN = "unknown after a restore"

_SQL = sql.load("cli")


class Action(enum.StrEnum):
    """What a plan does with a row."""

    MARK_DELIVERED = "mark_delivered"
    MARK_UNDELIVERABLE = "mark_undeliverable"
    KEEP_ANNOUNCEMENT = "keep_announcement"
    LEAVE_OPEN = "leave_open"


_MAY_BE_DIRECT = (
    NotificationKind.DROP_OUT,
    NotificationKind.PROMOTION,
    NotificationKind.OFFER_END,
    NotificationKind.PERSONAL_REMINDER,
    NotificationKind.MINIMUM,
    NotificationKind.NUDGE,
)
"""Kinds of which the channel may have no message, because all recipients got direct messages."""
_OUTCOMES = {Action.MARK_DELIVERED: Outcome.DELIVERED, Action.MARK_UNDELIVERABLE: Outcome.UNDELIVERABLE}


@dataclass(frozen=True)
class Step:
    """The action on one row, with its reason. Discord's ids are text."""

    row_id: UUID
    kind: str
    due_at: datetime
    game_id: UUID
    title: str
    channel_id: str
    action: Action
    reason: str
    message_id: str | None = None


async def load_uncertain_rows(session: AsyncSession) -> list[UncertainRow]:
    """Return the open notifications that are due, by channel and game.

    They include those due before the backup, because they may have been sent since.

    Raises:
        QuestbellError: only a newer release knows some of them.
    """
    found: list[UncertainRow] = []
    after = {"after_due_at": _BEGINNING, "after_id": _NO_ID}
    while True:
        rows = (await session.execute(_SQL["list_uncertain_notifications"], {**after, "batch_size": BATCH})).all()
        if newer := sorted({row.kind for row in rows} - set(NotificationKind)):
            raise QuestbellError(
                f"a newer release wrote notifications of the kind {', '.join(newer)}; run its `questbell recover`"
            )
        found += map(_uncertain_row, rows)
        if len(rows) < BATCH:
            return sorted(found, key=lambda row: (row.channel_id, row.game_id, row.due_at))
        after = {"after_due_at": rows[-1].due_at, "after_id": rows[-1].id}


def _uncertain_row(row: Any) -> UncertainRow:
    """Return a row with the nonces of its deliveries. A backup lacks those that were created since."""
    lost = delivery_id(row.id, RecipientKind.CHANNEL, row.channel_id)
    return UncertainRow(
        id=row.id,
        kind=NotificationKind(row.kind),
        due_at=row.due_at,
        game_id=row.game_id,
        game_scheduled_at=row.game_scheduled_at,
        title=row.title,
        channel_id=row.channel_id,
        announcement_id=row.announcement_id,
        user_id=row.user_id,
        nonces=tuple(nonce_for(id_) for id_ in {*row.delivery_ids, lost}),
    )


async def list_connected_workloads(session: AsyncSession, *, own_name: str) -> list[str]:
    """Return Questbell's other connections to this database, which could send messages."""
    return list(await session.scalars(_SQL["list_connected_workloads"], {"own_name": own_name}))


async def make_plan(client: DiscordClient, rows: Sequence[UncertainRow], *, since: datetime) -> list[Step]:
    """Return the step for each row.

    Raises:
        TransientError, ConfigurationError: Discord does not answer now, or rejects the token.
    """
    if not rows:
        return []
    bot_id = int((await call_discord(client.get_own_user))["id"])
    steps: list[Step] = []
    for channel_id, group in groupby(rows, key=lambda row: row.channel_id):
        in_channel = list(group)
        start = max(since, min(row.due_at for row in in_channel)) - CLOCK_SKEW
        try:
            messages = await _read_own_messages(client, channel_id, bot_id=bot_id, since=start)
        except RequestRejectedError as error:
            steps += [_step(row, Action.MARK_UNDELIVERABLE, f"{UNKNOWN}: {error}") for row in in_channel]
        else:
            steps += _plan_channel(in_channel, messages)
    return steps


async def apply_plan(session: AsyncSession, steps: Sequence[Step]) -> None:
    """Write a plan. A row that was settled meanwhile keeps its outcome."""
    for step in steps:
        if step.action is Action.KEEP_ANNOUNCEMENT and step.message_id is not None:
            game = await lock_game(session, step.game_id)
            game.message_id = game.message_id or int(step.message_id)
    settlements = {
        step.row_id: Settlement(_OUTCOMES[step.action], step.reason[:DETAIL_LIMIT])
        for step in steps
        if step.action in _OUTCOMES
    }
    found = {step.row_id: int(step.message_id) for step in steps if step.message_id is not None}
    parameters = {"notification_ids": list(found), "message_ids": list(found.values())}
    await session.execute(_SQL["mark_found_deliveries"], parameters)
    await settle(session, NotificationSchedule, settlements)


async def _read_own_messages(
    client: DiscordClient, channel_id: int, *, bot_id: int, since: datetime
) -> list[ChannelMessage]:
    """Return the bot's messages in a channel since a moment, oldest first.

    Raises:
        RequestRejectedError: the channel is gone, may not be read, or is too busy.
        TransientError, ConfigurationError: as `call_discord`.
    """

    async def read_page(before: int | None) -> list[dict[str, Any]]:
        return await call_discord(lambda: client.list_messages(channel_id, before=before))

    messages, extent = await read_history(read_page, since=since, max_pages=MAX_PAGES)
    if extent is Extent.CUT_OFF:
        raise RequestRejectedError(f"the channel has more than {MAX_PAGES * PAGE_SIZE} messages since then")
    if extent is Extent.EMPTY and not await call_discord(lambda: client.may_read_history(channel_id)):
        raise RequestRejectedError("the bot lacks the permission Read Message History")
    own = [message for message in messages if message.author_id == bot_id and message.id >= first_id_at(since)]
    return sorted(own, key=lambda message: message.id)


def _plan_channel(rows: Sequence[UncertainRow], messages: Sequence[ChannelMessage]) -> list[Step]:
    steps: list[Step] = []
    for _, group in groupby(rows, key=lambda row: row.game_id):
        rows_of_game = list(group)
        found = match_messages(rows_of_game, messages)
        steps += [_plan_row(row, found.get(row.id), messages) for row in rows_of_game]
    return steps


def _plan_row(row: UncertainRow, message: ChannelMessage | None, messages: Sequence[ChannelMessage]) -> Step:
    if row.kind in _MAY_BE_DIRECT and message is None:
        return _step(
            row, Action.MARK_UNDELIVERABLE, f"{UNKNOWN}: it may be a direct message, and those are not searched"
        )
    action = Action.MARK_DELIVERED
    if row.kind is NotificationKind.ANNOUNCEMENT:
        action = Action.KEEP_ANNOUNCEMENT
        message = message or next((post for post in messages if is_announcement_of(post, row.game_id)), None)
    if message is None:
        return _step(row, Action.LEAVE_OPEN, "not found in the channel, so it was not sent")
    return _step(row, action, f"{FOUND}: message {message.id}", message)


def _step(row: UncertainRow, action: Action, reason: str, message: ChannelMessage | None = None) -> Step:
    return Step(
        row_id=row.id,
        kind=row.kind,
        due_at=row.due_at,
        game_id=row.game_id,
        title=row.title,
        channel_id=str(row.channel_id),
        action=action,
        reason=reason,
        message_id=None if message is None else str(message.id),
    )
