"""The transactions before a request, each for many at once: open the ledger, and take a turn to send.

Who need not wait for the limits takes the turn while the ledger is opened. All others take it in a transaction of its
own, which decides anew whether the notification still holds, for minutes of waiting may lie between. Everybody takes
locks in this order: game, row of the schedule, ledger row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery import ledger
from bot.delivery.decide import Standing, decide
from bot.delivery.errors import DeliveryDeferredError
from bot.delivery.ledger import FINAL, Trying, Turn
from bot.delivery.limits import HeadStart
from bot.delivery.recording import lock_rows
from bot.delivery.telling import Message, Telling
from shared.discord.ids import nonce_for
from shared.models import NotificationDelivery, RecipientKind
from shared.schedule.settle import settle_attempted
from shared.settings import Timing


class Locked:
    """The game is being changed this moment: ask again, and wait for it."""


LOCKED = Locked()


@dataclass(frozen=True)
class Asked:
    """A notification that a message asks to be told."""

    row_id: UUID
    game_id: UUID
    telling: Telling
    head_start: HeadStart


@dataclass(frozen=True)
class Wanted:
    """A recipient who is to be told now."""

    asked: Asked
    delivery: NotificationDelivery


@dataclass(frozen=True)
class Try:
    """A turn to send, committed. `deadline` is the latest moment to begin the request, by the event loop's clock."""

    standing: Standing
    delivery: NotificationDelivery
    nonce: str
    turn: Turn
    message: Message
    deadline: float


@dataclass(frozen=True)
class Abandoned:
    """A try that was left without an outcome, so long ago that its nonce may be forgotten."""

    standing: Standing
    delivery: NotificationDelivery
    nonce: str
    since: datetime
    quiet: float
    """Seconds since the last try's lease ended."""


Step = Try | Abandoned | DeliveryDeferredError | None
"""What a recipient's turn has come to; None when there is nothing left to tell."""


@dataclass(frozen=True)
class Begun:
    """Who of a notification is still to be told; nobody when it has an outcome, recorded by then if need be.

    `first` is what the turn of the one recipient has come to who had a head start.
    """

    first: Step = None
    others: Sequence[NotificationDelivery] = ()


async def begin(
    session: AsyncSession, asked: Sequence[Asked], *, timing: Timing, wait: bool = False
) -> list[Begun | Locked]:
    """Open ledgers, and take the first turn of each where there is nothing to wait for."""
    deadline = _deadline(timing)
    decisions = await decide(session, {one.row_id: one.game_id for one in asked}, wait=wait)
    standing = await _opened(session, asked, decisions.standing)
    untold = {row_id: ledger.unsettled(found.ledger) for row_id, found in standing.items()}
    await settle_attempted(session, [row_id for row_id, left in untold.items() if not left])
    left = [untold.get(one.row_id, []) for one in asked]
    firsts = [await _ahead(one, rows) for one, rows in zip(asked, left, strict=True)]
    ahead = [first for first in firsts if first is not None]
    steps = iter(await _take(session, ahead, standing, timing=timing, deadline=deadline))
    begun = [
        Begun(next(steps), rows[1:]) if first is not None else Begun(others=rows)
        for first, rows in zip(firsts, left, strict=True)
    ]
    return [LOCKED if one.row_id in decisions.locked else its for one, its in zip(asked, begun, strict=True)]


async def _ahead(asked: Asked, untold: Sequence[NotificationDelivery]) -> Wanted | None:
    """Return the first of some recipients, if there is nothing to wait for."""
    if untold and await asked.head_start.take(untold[0].recipient_id):
        return Wanted(asked, untold[0])
    return None


async def take_turns(
    session: AsyncSession, wanted: Sequence[Wanted], *, timing: Timing, wait: bool = False
) -> list[Step | Locked]:
    """Take the turns of recipients who may be told now, deciding anew: minutes may have passed."""
    deadline = _deadline(timing)
    decisions = await decide(session, {one.asked.row_id: one.asked.game_id for one in wanted}, wait=wait)
    steps = await _take(session, wanted, decisions.standing, timing=timing, deadline=deadline)
    return [LOCKED if one.asked.row_id in decisions.locked else step for one, step in zip(wanted, steps, strict=True)]


def _deadline(timing: Timing) -> float:
    return asyncio.get_running_loop().time() + timing.lease - timing.request_timeout


async def _opened(
    session: AsyncSession, asked: Sequence[Asked], standing: Mapping[UUID, Standing]
) -> dict[UUID, Standing]:
    """Return what holds, with the ledgers of all that is told for the first time."""
    new = {
        one.row_id: one.telling.recipients(found)
        for one in asked
        if (found := standing.get(one.row_id)) is not None and not found.ledger
    }
    written = await ledger.open_recipients(session, new)
    return {**standing, **{row_id: replace(standing[row_id], ledger=rows) for row_id, rows in written.items()}}


async def _take(
    session: AsyncSession,
    wanted: Sequence[Wanted],
    standing: Mapping[UUID, Standing],
    *,
    timing: Timing,
    deadline: float,
) -> list[Step]:
    """Commit `sending` for each recipient who may be told now. This is the moment by which telling the wrong thing is
    judged."""
    if not wanted:
        return []
    holding = [one for one in wanted if one.asked.row_id in standing]
    gone = [one for one in holding if _left(one, standing[one.asked.row_id])]
    staying = {one.delivery.id for one in holding} - {one.delivery.id for one in gone}
    await lock_rows(session, {one.asked.row_id for one in gone})
    turns = await ledger.begin_sending(session, staying, lease=timing.lease, young=timing.nonce_window)
    others = {one.delivery.id for one in holding} - turns.keys()
    elsewhere = await ledger.trying(session, others, young=timing.nonce_window) if others else {}
    await _forget(session, gone)
    steps: list[Step] = []
    for one in wanted:
        found = standing.get(one.asked.row_id)
        turn = turns.pop(one.delivery.id, None)  # two copies of a message may ask at once, and the turn is one's
        if found is None:
            steps.append(None)
        elif turn is not None:
            nonce = nonce_for(one.delivery.id)
            message = one.asked.telling.message(found, one.delivery, nonce=nonce, fresh=turn.fresh)
            steps.append(Try(found, one.delivery, nonce, turn, message, deadline))
        else:
            steps.append(_without_turn(one, found, elsewhere.get(one.delivery.id), timing))
    await _write_mentions(session, steps)
    return steps


def _left(one: Wanted, standing: Standing) -> bool:
    """Whether those have left for whom alone a message is: a player who was to be told directly, or the players whom a
    further message in the channel would mention. The channel's first message is of use without any."""
    delivery, roster = one.delivery, set(standing.roster)
    if delivery.recipient_kind is RecipientKind.USER:
        return delivery.recipient_id not in roster
    listed = {user for row in standing.ledger for user in (row.recipient_id, *row.mentions)}
    return delivery.chunk > 0 and not (roster & set(delivery.mentions) or roster - listed)


async def _forget(session: AsyncSession, gone: Sequence[Wanted]) -> None:
    if gone:
        await ledger.drop(session, [one.delivery.id for one in gone])
        await settle_attempted(session, {one.asked.row_id for one in gone})


def _without_turn(one: Wanted, standing: Standing, found: Trying | None, timing: Timing) -> Step:
    if found is None or found.state in FINAL:
        return None
    if found.lease > 0:
        return DeliveryDeferredError("another process is sending", retry_after=max(0.1, found.lease))
    if found.since is None or not found.old:  # only who has left gets no turn with a young nonce
        pause = timing.nonce_window
        return DeliveryDeferredError("a try that may have been sent is left to grow old", retry_after=pause)
    return Abandoned(standing, one.delivery, nonce_for(one.delivery.id), found.since, quiet=-found.lease)


async def _write_mentions(session: AsyncSession, steps: Sequence[Step]) -> None:
    """Write down whom the messages mention that were never sent before; the others are as they were."""
    await ledger.write_mentions(
        session,
        {
            step.delivery.id: step.message.mentions
            for step in steps
            if isinstance(step, Try) and step.turn.fresh and list(step.message.mentions) != step.delivery.mentions
        },
    )
