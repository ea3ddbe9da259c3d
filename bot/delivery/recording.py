"""The last transaction of a telling: what came of tries, for many at once, and the outcomes that follow from it.

A crash before it leaves rows in `sending`, which is true: they were asked for, and nobody knows the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery import ledger
from bot.delivery.ledger import Recipient, Turn
from shared import users
from shared.database import in_list
from shared.models import DeliveryState, NotificationSchedule, RecipientKind
from shared.schedule.settle import settle_attempted

Row = NotificationSchedule


@dataclass(frozen=True)
class Sent:
    """Discord said yes, or the message was found."""

    row_id: UUID
    delivery_id: UUID
    message_id: int


@dataclass(frozen=True)
class Failed:
    """Discord refused for good."""

    row_id: UUID
    turn: Turn
    error: str


@dataclass(frozen=True)
class GivenBack:
    """Discord refused for now, or was not asked."""

    row_id: UUID
    turn: Turn
    error: str


@dataclass(frozen=True)
class Unclear:
    """Nobody knows whether Discord took it."""

    row_id: UUID
    turn: Turn
    error: str


@dataclass(frozen=True)
class Redirected:
    """A player's direct messages are closed, so the channel is told."""

    row_id: UUID
    turn: Turn
    error: str
    user_id: int
    channel_id: int


@dataclass(frozen=True)
class Resolved:
    """An abandoned try was looked for: `pending` when it surely was not sent, `unknown` when nobody can tell."""

    row_id: UUID
    delivery_id: UUID
    state: DeliveryState


Ending = Sent | Failed | GivenBack | Unclear | Redirected | Resolved


async def record(session: AsyncSession, endings: Sequence[Ending]) -> list[None]:
    """Record what came of tries, and the outcomes of the notifications whose last recipients they were.

    The rows of the schedule are locked first: of two processes that finish a notification's last two recipients, the
    second sees both.
    """
    rows = {ending.row_id for ending in endings}
    await lock_rows(session, rows)
    await _record_answers(session, endings)
    for ending in endings:
        if isinstance(ending, Redirected):
            await _redirect(session, ending)
    for state in (DeliveryState.PENDING, DeliveryState.UNKNOWN):
        found = [one.delivery_id for one in endings if isinstance(one, Resolved) and one.state is state]
        if found:
            await ledger.resolve(session, found, state=state)
    await settle_attempted(session, rows)
    return [None] * len(endings)


async def _record_answers(session: AsyncSession, endings: Sequence[Ending]) -> None:
    if sent := {one.delivery_id: one.message_id for one in endings if isinstance(one, Sent)}:
        await ledger.mark_sent(session, sent)
    for kind, write in (
        (Failed, ledger.mark_failed),
        (GivenBack, ledger.give_back),
        (Unclear, ledger.note_ambiguity),
    ):
        if said := {one.turn: one.error for one in endings if isinstance(one, kind)}:
            await write(session, said)


async def _redirect(session: AsyncSession, ending: Redirected) -> None:
    await users.mark_dms_closed(session, ending.user_id)
    channel = Recipient(RecipientKind.CHANNEL, ending.channel_id, mentions=(ending.user_id,))
    await ledger.redirect(session, ending.turn, notification_id=ending.row_id, to=channel, error=ending.error)


async def lock_rows(session: AsyncSession, rows: Collection[UUID]) -> None:
    """Lock rows of the schedule that may have to be concluded, before those of their ledgers, in an order that all
    keep."""
    if rows:
        await session.execute(_LOCK, {"rows": list(rows)})


_LOCK = select(Row.id).where(in_list(Row.id, "rows")).order_by(Row.id).with_for_update(key_share=True)
