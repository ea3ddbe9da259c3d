"""Writes notices, and decides whether a notification is still valid.

A notice is due at once, has no TTL, and stays valid after the game starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import Game, NotificationKind, NotificationSchedule, Outcome, new_id
from shared.schedule.notify import notify_loops
from shared.schedule.settle import Settlement

BEGUN_AFTER = timedelta(seconds=60)
"""Time after the start. It equals a reminder's minimum TTL, so that one due at the start can still be delivered."""


@dataclass(frozen=True)
class Validity:
    """When a notification of one kind is not delivered any more."""

    expires_at_begin: bool
    """Once the game has begun. The outcome is `expired`."""
    bound_to_version: bool
    """Once the game was moved or cancelled. The outcome is `superseded`."""


VALIDITY: dict[NotificationKind, Validity] = {
    NotificationKind.REMINDER: Validity(expires_at_begin=True, bound_to_version=True),
    NotificationKind.ANNOUNCEMENT: Validity(expires_at_begin=False, bound_to_version=False),
    NotificationKind.CANCELLATION: Validity(expires_at_begin=False, bound_to_version=True),
    NotificationKind.WARNING: Validity(expires_at_begin=False, bound_to_version=False),
}
_NOTICE_REFUSED_FOR = timedelta(hours=1)


def has_begun(game_scheduled_at: datetime, *, now: datetime) -> bool:
    """Return whether it is too late for a reminder."""
    return now >= game_scheduled_at + BEGUN_AFTER


def refused_until(row: NotificationSchedule) -> datetime:
    """Return until when a notification is tried again that Discord refuses: until the game begins, and a notice for an
    hour at least."""
    begun = row.game_scheduled_at + BEGUN_AFTER
    return begun if row.kind is NotificationKind.REMINDER else max(begun, row.due_at + _NOTICE_REFUSED_FOR)


def staleness(row: NotificationSchedule, game: Game, *, now: datetime) -> Settlement | None:
    """Return the outcome of an invalid notification, else None."""
    validity = VALIDITY[row.kind]
    if validity.bound_to_version and row.game_version != game.version:
        return Settlement(Outcome.SUPERSEDED, f"the game changed (version {game.version})")
    if row.offset_minutes is not None and row.offset_minutes not in game.reminder_offsets:
        return Settlement(Outcome.SUPERSEDED, "the game no longer has this reminder")
    if validity.expires_at_begin and has_begun(row.game_scheduled_at, now=now):
        return Settlement(Outcome.EXPIRED, "the game had begun")
    return None


async def add_notice(session: AsyncSession, games: Sequence[Game], kind: NotificationKind) -> None:
    """Write a notice for each game, which the caller has locked.

    An open notice of the same kind suffices, because it will show the game as it is when it is sent. So ten changes in
    a second are one request to Discord.
    """
    table = NotificationSchedule
    await session.flush()
    notices = [
        {
            "id": new_id(),
            "game_id": game.id,
            "game_version": game.version,
            "kind": kind,
            "game_scheduled_at": game.scheduled_at,
        }
        for game in games
    ]
    now = func.clock_timestamp()
    await session.execute(
        insert(table)
        .values(due_at=now, attempt_at=now)
        .on_conflict_do_nothing(
            index_elements=[table.game_id, table.kind],
            index_where=text("kind <> 'reminder' AND settled_at IS NULL"),
        ),
        notices,
    )
    await notify_loops(session)


async def refresh_announcement(session: AsyncSession, *games: Game) -> None:
    """Update the announcements of locked games."""
    for game in games:
        game.revision += 1
    await add_notice(session, games, NotificationKind.ANNOUNCEMENT)
