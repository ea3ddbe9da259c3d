"""Writes notices, and decides whether a notification is still valid.

A notice is due at once, has no TTL, and stays valid after the game starts. An announcement may be due later, and
changes before then wait for it. The end of an offer, the question about a minimum of players and a nudge are due later
too. The last two expire as a reminder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select, delete, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.errors import TransientError
from shared.models import (
    DeliveryState,
    Game,
    GameStatus,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    Participant,
    new_id,
)
from shared.schedule.notify import notify_loops
from shared.schedule.settle import Settlement, settle_and_log

BEGUN_AFTER = timedelta(seconds=60)
"""Time after the start. It equals a reminder's minimum TTL, so that one due at the start can still be delivered."""


@dataclass(frozen=True)
class Validity:
    """When a notification of one kind is not delivered any more."""

    expires_at_begin: bool
    """Once the game has begun. The outcome is `expired`."""
    bound_to_version: bool
    """Once the game was moved or cancelled. The outcome is `superseded`."""
    superseded_by: frozenset[NotificationKind] = frozenset()
    """Once a newer notice of one of these kinds is written. The outcome is `superseded`."""


VALIDITY: dict[NotificationKind, Validity] = {
    NotificationKind.REMINDER: Validity(expires_at_begin=True, bound_to_version=True),
    NotificationKind.PERSONAL_REMINDER: Validity(expires_at_begin=True, bound_to_version=True),
    NotificationKind.ANNOUNCEMENT: Validity(expires_at_begin=False, bound_to_version=False),
    NotificationKind.CANCELLATION: Validity(expires_at_begin=False, bound_to_version=True),
    NotificationKind.WARNING: Validity(expires_at_begin=False, bound_to_version=False),
    NotificationKind.CHANGE: Validity(
        expires_at_begin=False,
        bound_to_version=True,
        superseded_by=frozenset({NotificationKind.CHANGE, NotificationKind.CANCELLATION}),
    ),
    NotificationKind.DROP_OUT: Validity(
        expires_at_begin=False,
        bound_to_version=False,
        superseded_by=frozenset({NotificationKind.DROP_OUT, NotificationKind.CANCELLATION}),
    ),
    NotificationKind.PROMOTION: Validity(
        expires_at_begin=False,
        bound_to_version=False,
        superseded_by=frozenset({NotificationKind.CANCELLATION}),
    ),
    NotificationKind.MINIMUM: Validity(expires_at_begin=True, bound_to_version=True),
    NotificationKind.NUDGE: Validity(expires_at_begin=True, bound_to_version=True),
    NotificationKind.OFFER_END: Validity(
        expires_at_begin=False,
        bound_to_version=False,
        superseded_by=frozenset({NotificationKind.CANCELLATION}),
    ),
}
HOST_KINDS = (NotificationKind.WARNING, NotificationKind.DROP_OUT, NotificationKind.MINIMUM)
"""The kinds whose only recipient is the host."""
_NOTICE_REFUSED_FOR = timedelta(hours=1)


class Notification(Protocol):
    """A notification, as an entity or as a plain row."""

    @property
    def kind(self) -> NotificationKind:
        """Return its kind."""

    @property
    def due_at(self) -> datetime:
        """Return when it is due."""

    @property
    def game_version(self) -> int:
        """Return the version of the game that it is about."""

    @property
    def game_scheduled_at(self) -> datetime:
        """Return the game's start in that version."""

    @property
    def offset_minutes(self) -> int | None:
        """Return how long before the start it reminds, None if it is no reminder of everybody."""


def has_begun(game_scheduled_at: datetime, *, now: datetime) -> bool:
    """Return whether it is too late for a reminder."""
    return now >= game_scheduled_at + BEGUN_AFTER


def refused_until(row: Notification) -> datetime:
    """Return until when a notification is tried again that Discord refuses: until the game begins, and a notice for an
    hour at least."""
    begun = row.game_scheduled_at + BEGUN_AFTER
    return begun if VALIDITY[row.kind].expires_at_begin else max(begun, row.due_at + _NOTICE_REFUSED_FOR)


def staleness(row: Notification, game: Game, *, now: datetime) -> Settlement | None:
    """Return the outcome of an invalid notification, else None."""
    validity = VALIDITY[row.kind]
    if validity.bound_to_version and row.game_version != game.version:
        return Settlement(Outcome.SUPERSEDED, f"the game changed (version {game.version})")
    if game.status is GameStatus.CANCELLED and NotificationKind.CANCELLATION in validity.superseded_by:
        return Settlement(Outcome.SUPERSEDED, "the game is cancelled")
    if row.offset_minutes is not None and row.offset_minutes not in game.reminder_offsets:
        return Settlement(Outcome.SUPERSEDED, "the game no longer has this reminder")
    if validity.expires_at_begin and has_begun(row.game_scheduled_at, now=now):
        return Settlement(Outcome.EXPIRED, "the game had begun")
    return None


async def add_notice(
    session: AsyncSession,
    games: Sequence[Game],
    kind: NotificationKind,
    *,
    user_ids: Sequence[int] = (),
    due_at: datetime | None = None,
) -> None:
    """Write a notice for each game, which the caller has locked. It supersedes those that it makes obsolete.

    Otherwise an open notice of the same kind suffices, because it will show the game as it is when it is sent. So ten
    changes in a second are one request to Discord.

    Raises:
        TransientError: an obsolete notice of the kind may have been sent, and its result is not known yet.
    """
    if not games:
        return
    table = NotificationSchedule
    await session.flush()
    obsolete = [older for older, validity in VALIDITY.items() if kind in validity.superseded_by]
    left = await _supersede(session, games, obsolete, detail=f"replaced by a newer notice ({kind})")
    if kind in left:
        raise TransientError(f"an earlier notice ({kind}) is being sent")
    notices = [
        {
            "id": new_id(),
            "game_id": game.id,
            "game_version": game.version,
            "kind": kind,
            "game_scheduled_at": game.scheduled_at,
            "user_ids": list(user_ids),
        }
        for game in games
    ]
    due: Any = func.clock_timestamp() if due_at is None else due_at
    await session.execute(
        insert(table)
        .values(due_at=due, attempt_at=due)
        .on_conflict_do_nothing(
            index_elements=[table.game_id, table.kind],
            index_where=text("kind <> 'reminder' AND user_id IS NULL AND settled_at IS NULL"),
        ),
        notices,
    )
    await notify_loops(session)


async def refresh_announcement(session: AsyncSession, *games: Game) -> None:
    """Update the announcements of locked games."""
    for game in games:
        game.revision += 1
    await add_notice(session, games, NotificationKind.ANNOUNCEMENT)


async def find_announcement_time(session: AsyncSession, game_id: UUID) -> datetime | None:
    """Return when a game will be announced, or None if it is announced already or at once."""
    table = NotificationSchedule
    statement = select(table.due_at).where(
        table.game_id == game_id,
        table.kind == NotificationKind.ANNOUNCEMENT,
        table.settled_at.is_(None),
        table.due_at > func.clock_timestamp(),
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def is_unknown(session: AsyncSession, game: Game) -> bool:
    """Return whether only the host knows of a game: it is to be announced later, and nobody has joined yet."""
    if await find_announcement_time(session, game.id) is None:
        return False
    return (await session.scalar(select(Participant.user_id).where(Participant.game_id == game.id).limit(1))) is None


async def withdraw_announcement(session: AsyncSession, game: Game, *, detail: str) -> bool:
    """Give up the announcement of a locked game that is to be announced later. Return False if there is none."""
    if await find_announcement_time(session, game.id) is None:
        return False
    await _supersede(session, [game], [NotificationKind.ANNOUNCEMENT], detail=detail)
    return True


async def update_drop_outs(
    session: AsyncSession, game: Game, *, left: int | None = None, returned: int | None = None
) -> None:
    """Notify a locked game's host of who has left. Those who left since the last notice was sent share one."""
    table = NotificationSchedule
    is_open = (table.game_id == game.id, table.kind == NotificationKind.DROP_OUT, table.settled_at.is_(None))
    # The result of a delivery settles the row without the game's lock: a settled row would never name the next player.
    statement = select(table.id, table.user_ids, table.next_user_ids).where(*is_open).with_for_update()
    row = (await session.execute(statement)).one_or_none()
    is_in_doubt = row is not None and (await session.scalars(select_in_doubt([row.id]))).first() is not None
    before = [] if row is None else [*row.next_user_ids] if is_in_doubt else [*row.user_ids, *row.next_user_ids]
    now = list(dict.fromkeys(user for user in (*before, left) if user not in (None, returned)))
    if now == before:
        return
    if row is not None and is_in_doubt:
        await session.execute(update(table).where(table.id == row.id).values(next_user_ids=now))
    elif now:
        await add_notice(session, [game], NotificationKind.DROP_OUT, user_ids=now)
    else:
        await _supersede(session, [game], [NotificationKind.DROP_OUT], detail="the players are back")


async def add_promotion(session: AsyncSession, game: Game, user_id: int) -> None:
    """Notify a user who has got a seat of a locked game. A notice that is still open suffices."""
    table = NotificationSchedule
    now = func.clock_timestamp()
    await session.execute(
        insert(table)
        .values(
            id=new_id(),
            game_id=game.id,
            game_version=game.version,
            kind=NotificationKind.PROMOTION,
            game_scheduled_at=game.scheduled_at,
            user_id=user_id,
            due_at=now,
            attempt_at=now,
        )
        .on_conflict_do_nothing(
            index_elements=[table.game_id, table.user_id],
            index_where=text("kind = 'promotion' AND settled_at IS NULL"),
        )
    )
    await notify_loops(session)


async def withdraw_promotion(session: AsyncSession, game: Game, user_id: int) -> None:
    """Supersede the notice of a seat that the user has given up before reading of it."""
    detail = "the player has left"
    await _supersede(session, [game], [NotificationKind.PROMOTION], user_id=user_id, detail=detail)


async def redirect_to_host(session: AsyncSession, game: Game) -> None:
    """Send what is for a locked game's host alone to the one that it has now, unless it may have been sent already.

    Deliveries that were certainly not sent are deleted, so that the next attempt decides again who gets them. A
    superseded row may be reopened, and has them deleted too.
    """
    table, delivery = NotificationSchedule, NotificationDelivery
    rows = list(await session.scalars(select(table.id).where(table.game_id == game.id, table.kind.in_(HOST_KINDS))))
    is_pending = (delivery.notification_id.in_(rows), delivery.state == DeliveryState.PENDING)
    await session.execute(delete(delivery).where(*is_pending))
    is_open = (table.id.in_(rows), table.user_id.is_not(None), table.settled_at.is_(None))
    in_doubt = table.id.in_(select_in_doubt(rows))
    await session.execute(update(table).where(*is_open, ~in_doubt).values(user_id=game.host_id))


def select_in_doubt(notifications: Sequence[UUID]) -> Select[UUID]:
    """Select the notifications of which an attempt has no result. The bot finds out whether it was sent."""
    return select(NotificationDelivery.notification_id).where(
        NotificationDelivery.notification_id.in_(notifications), NotificationDelivery.state == DeliveryState.SENDING
    )


async def _supersede(
    session: AsyncSession,
    games: Sequence[Game],
    kinds: Sequence[NotificationKind],
    *,
    user_id: int | None = None,
    detail: str,
) -> set[NotificationKind]:
    """Supersede open notices. Return the kinds of those that may have been sent, which stay open."""
    if not kinds:
        return set()
    table = NotificationSchedule
    in_games = table.game_id.in_([game.id for game in games])
    of_user = true() if user_id is None else table.user_id == user_id
    is_open = (in_games, table.kind.in_(kinds), of_user, table.settled_at.is_(None))
    open_rows = {row.id: row.kind for row in await session.execute(select(table.id, table.kind).where(*is_open))}
    in_doubt = set(await session.scalars(select_in_doubt(list(open_rows))))
    row_ids = open_rows.keys() - in_doubt
    await settle_and_log(session, table, row_ids, outcome=Outcome.SUPERSEDED, detail=detail, was_attempted=False)
    return {open_rows[row_id] for row_id in in_doubt}
