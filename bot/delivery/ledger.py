"""The ledger's state machine: every statement that changes a `notification_delivery` row.

pending → sending → sent | failed | unknown, and sending → pending when Discord definitely refused. `sending` is
committed before the request: a row found in it was asked for, perhaps in vain. Each statement takes many rows at once,
for the commit of an outcome must not cost more than the request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Interval,
    Text,
    Update,
    Uuid,
    and_,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared import metrics
from shared.database import among, as_columns, given, given_as, in_list
from shared.models import DeliveryState, NotificationDelivery, RecipientKind, new_id

Row = NotificationDelivery
FINAL = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN)
_ERROR_LIMIT = 500


@dataclass(frozen=True)
class Recipient:
    """Who is told: a user, or a channel with the players that its message mentions."""

    kind: RecipientKind
    id: int
    mentions: tuple[int, ...] = ()
    chunk: int = 0


async def open_recipients(
    session: AsyncSession, recipients: Mapping[UUID, Sequence[Recipient]]
) -> dict[UUID, list[NotificationDelivery]]:
    """Write the ledgers of notifications at their first attempt, for who is told is fixed then, and return them."""
    ledgers = {row_id: [_pending(row_id, recipient) for recipient in named] for row_id, named in recipients.items()}
    rows = [row for ledger in ledgers.values() for row in ledger]
    if not rows:
        return ledgers
    values = (
        (row.id, row.notification_id, row.recipient_kind, row.recipient_id, row.chunk, _literal(row)) for row in rows
    )
    written = await session.execute(_OPEN, as_columns(values, *_OPENED))
    if len(written.all()) == len(rows):
        return ledgers
    return await ledgers_of(session, ledgers)  # another process opens some of them at the same time


def _pending(notification_id: UUID, recipient: Recipient) -> NotificationDelivery:
    return Row(
        id=new_id(),
        notification_id=notification_id,
        recipient_kind=recipient.kind,
        recipient_id=recipient.id,
        chunk=recipient.chunk,
        mentions=list(recipient.mentions),
        state=DeliveryState.PENDING,
        attempts=0,
    )


def _literal(row: NotificationDelivery) -> str:
    """Return the mentions as one value: arrays of different lengths cannot be rows of an array."""
    return "{" + ",".join(map(str, row.mentions)) + "}"


_OPENED = ("id", "notification_id", "recipient_kind", "recipient_id", "chunk", "mentions")
_NEW = given_as(
    id=Uuid(),
    notification_id=Uuid(),
    recipient_kind=Row.recipient_kind.type,
    recipient_id=BigInteger(),
    chunk=BigInteger(),
    mentions=Text(),
).c
_OPEN = (
    insert(Row)
    .from_select(
        list(_OPENED),
        select(*(_NEW[name] for name in _OPENED[:-1]), cast(_NEW.mentions, ARRAY(BigInteger))),
        include_defaults=False,
    )
    .on_conflict_do_nothing()
    .returning(Row.id)
    .execution_options(dml_strategy="raw")  # its parameters are columns, and no rows
)


async def ledgers_of(session: AsyncSession, notifications: Collection[UUID]) -> dict[UUID, list[NotificationDelivery]]:
    """Return the ledger rows of each notification, in the order they are told."""
    found: dict[UUID, list[NotificationDelivery]] = {notification: [] for notification in notifications}
    for row in await session.scalars(_LEDGERS, {"notifications": list(notifications)}):
        found[row.notification_id].append(row)
    return found


_LEDGERS = (
    select(Row)
    .where(in_list(Row.notification_id, "notifications"))
    .order_by(Row.chunk, Row.recipient_id)
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True)
class Turn:
    """The right to send one ledger row's message until the lease ends. `attempt` fences: a later turn has a higher
    one."""

    delivery_id: UUID
    attempt: int
    fresh: bool
    """Whether no earlier try may have been sent."""


async def begin_sending(
    session: AsyncSession, deliveries: Collection[UUID], *, lease: float, young: float
) -> dict[UUID, Turn]:
    """Take the turns to send, for `lease` seconds; rows that are final or that another process has are left out.

    A row that was left in `sending` may be sent again only while Discord surely remembers its nonce, `young`
    seconds from the first try whose outcome is not known.
    """
    periods = {"for_lease": timedelta(seconds=lease), "while_young": timedelta(seconds=young)}
    taken = await session.execute(_BEGIN_SENDING, {"deliveries": list(deliveries), **periods})
    return {id_: Turn(id_, attempt=attempt, fresh=fresh) for id_, attempt, fresh in taken}


_CLOCK = func.statement_timestamp()
"""One moment for a whole statement."""
_ABANDONED = and_(
    Row.state == DeliveryState.SENDING,
    Row.lease_until <= _CLOCK,
    Row.first_sending_at > _CLOCK - bindparam("while_young", type_=Interval()),
)
_BEGIN_SENDING = (
    update(Row)
    .where(in_list(Row.id, "deliveries"), or_(Row.state == DeliveryState.PENDING, _ABANDONED))
    .values(
        state=DeliveryState.SENDING,
        attempts=Row.attempts + 1,
        first_sending_at=func.coalesce(Row.first_sending_at, _CLOCK),
        lease_until=_CLOCK + bindparam("for_lease", type_=Interval()),
    )
    .returning(Row.id, Row.attempts, Row.first_sending_at == _CLOCK)
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True)
class Trying:
    """A row whose turn could not be taken: somebody is trying, or was and left no outcome."""

    state: DeliveryState
    lease: float
    """Seconds until the lease ends; negative after its end."""
    since: datetime | None
    """When the first try began whose outcome is not known."""
    old: bool
    """Whether the first try is so long ago that its nonce may be forgotten."""


async def trying(session: AsyncSession, deliveries: Collection[UUID], *, young: float) -> dict[UUID, Trying]:
    """Return how it stands with rows whose turns could not be taken, leaving out what is `pending`."""
    clock = func.statement_timestamp()
    old = Row.first_sending_at <= clock - timedelta(seconds=young)
    statement = select(
        Row.id, Row.state, func.extract("epoch", Row.lease_until - clock), Row.first_sending_at, old
    ).where(among(Row.id, deliveries), Row.state != DeliveryState.PENDING)
    return {
        id_: Trying(state, lease=float(lease or 0.0), since=since, old=bool(is_old))
        for id_, state, lease, since, is_old in await session.execute(statement)
    }


async def write_mentions(session: AsyncSession, mentions: Mapping[UUID, Sequence[int]]) -> None:
    """Write down whom messages mention that were never sent before."""
    if mentions:
        await session.execute(update(Row), [{"id": id_, "mentions": list(whom)} for id_, whom in mentions.items()])


async def drop(session: AsyncSession, deliveries: Collection[UUID]) -> None:
    """Forget recipients who need not be told any more and surely never were."""
    await session.execute(
        delete(Row)
        .where(among(Row.id, deliveries), Row.state == DeliveryState.PENDING)
        .execution_options(synchronize_session=False)
    )


async def resolve(session: AsyncSession, deliveries: Collection[UUID], *, state: DeliveryState) -> None:
    """Record what a look-up found of abandoned tries: never sent (`pending`), or nobody can tell (`unknown`)."""
    finished = func.clock_timestamp() if state is DeliveryState.UNKNOWN else None
    resolved = await session.execute(
        update(Row)
        .where(
            among(Row.id, deliveries),
            Row.state == DeliveryState.SENDING,
            Row.lease_until <= func.statement_timestamp(),
        )
        .values(state=state, first_sending_at=None, lease_until=None, finished_at=finished)
        .returning(Row.id)
        .execution_options(synchronize_session=False)
    )
    if state is DeliveryState.UNKNOWN:
        metrics.DELIVERIES.labels("unknown").inc(len(resolved.all()))


async def mark_sent(session: AsyncSession, messages: Mapping[UUID, int]) -> None:
    """Record Discord's yes, by the messages' ids. It is a fact whoever's turn it is by now, so it is not fenced."""
    marked = await session.execute(_MARK_SENT, as_columns(messages.items(), "id", "message_id"))
    metrics.DELIVERIES.labels("sent").inc(len(marked.all()))


_TOLD = given_as(id=Uuid(), message_id=BigInteger()).c
_MARK_SENT = (
    update(Row)
    .where(Row.id == _TOLD.id, Row.state != DeliveryState.SENT)
    .values(
        state=DeliveryState.SENT,
        message_id=_TOLD.message_id,
        last_error=None,
        lease_until=None,
        finished_at=func.clock_timestamp(),
    )
    .returning(Row.id)
    .execution_options(synchronize_session=False)
)


async def mark_failed(session: AsyncSession, refused: Mapping[Turn, str]) -> None:
    """Record refusals that no other try changes."""
    failed = _of(refused).values(state=DeliveryState.FAILED, finished_at=func.clock_timestamp(), lease_until=None)
    marked = await session.execute(failed.returning(Row.id))
    metrics.DELIVERIES.labels("failed").inc(len(marked.all()))


async def give_back(session: AsyncSession, refused: Mapping[Turn, str]) -> None:
    """Record that Discord definitely refused for now: nothing was sent, so the rows can be tried as if they were new.

    Where an earlier try may have been sent, this refusal says nothing about that one, and the row stays `sending`.
    """
    fresh = {turn: error for turn, error in refused.items() if turn.fresh}
    if fresh:
        values = {"state": DeliveryState.PENDING, "first_sending_at": None, "lease_until": None}
        await session.execute(_of(fresh).values(values))
    await note_ambiguity(session, {turn: error for turn, error in refused.items() if not turn.fresh})


async def note_ambiguity(session: AsyncSession, tries: Mapping[Turn, str]) -> None:
    """Record that it is not known whether these tries were sent. The rows stay `sending`; their leases end, the tries
    being over."""
    if tries:
        await session.execute(_of(tries).values(lease_until=func.clock_timestamp()))


async def redirect(session: AsyncSession, turn: Turn, *, notification_id: UUID, to: Recipient, error: str) -> None:
    """Tell a recipient somewhere else, after a refusal that was definite: the same row, so still at most once."""
    last = select(func.max(Row.chunk)).where(Row.notification_id == notification_id).scalar_subquery()
    await session.execute(
        _of({turn: error}).values(
            state=DeliveryState.PENDING,
            recipient_kind=to.kind,
            recipient_id=to.id,
            mentions=list(to.mentions),
            chunk=last + 1,
            first_sending_at=None,
            lease_until=None,
        )
    )


def _of(turns: Mapping[Turn, str]) -> Update:
    """Return the update of rows whose turns are still ours, with what was said about each."""
    rows = [(turn.delivery_id, turn.attempt, said[:_ERROR_LIMIT]) for turn, said in turns.items()]
    ours = given(rows, id=Uuid(), attempt=BigInteger(), said=Text())
    return (
        update(Row)
        .where(Row.id == ours.c.id, Row.attempts == ours.c.attempt, Row.state == DeliveryState.SENDING)
        .values(last_error=ours.c.said)
        .execution_options(synchronize_session=False)
    )


def unsettled(ledger: Iterable[NotificationDelivery]) -> list[NotificationDelivery]:
    """Return the recipients about whom nothing final is known."""
    return [row for row in ledger if row.state not in FINAL]
