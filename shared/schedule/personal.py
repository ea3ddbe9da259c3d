"""Reminders of one player alone: the extra one before each of their games, and those that they snoozed.

They are rows like all reminders. They follow from a game and from its people's settings, so they are written and
superseded in the transaction that changes the game, its roster or the settings.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database, sql
from shared.errors import TransientError
from shared.models import Game, GameStatus, NotificationKind, NotificationSchedule, Outcome, new_id
from shared.schedule.notices import select_in_doubt
from shared.schedule.notify import notify_loops
from shared.schedule.reopen import write_or_reopen
from shared.schedule.settle import settle_and_log

SNOOZE = "snooze"
"""The `reason` of a reminder that was snoozed. That of the other personal reminders is "extra"."""
GAMES_LIMIT = 200
"""The most games of a user whose reminders are rewritten when their settings change."""

_SAME_SNOOZE = timedelta(minutes=1)
"""A snooze this close to one that is still open is the same: the button was pressed twice."""
_LOCK_CLASS = 7301
"""Tells the advisory locks of users apart from all others."""
_SQL = sql.load("personal")


async def lock_settings(session: AsyncSession, user_id: int) -> None:
    """Lock a user's settings until the transaction ends. It precedes the locks of games."""
    await session.execute(_SQL["lock_settings"], {"class": _LOCK_CLASS, "user_id": user_id})


async def share_settings(session: AsyncSession, user_ids: Collection[int]) -> None:
    """Keep users' settings as they are until the transaction ends, because rows follow from them.

    Otherwise a user who joins and changes a setting at once could miss the reminder that follows from both.

    Raises:
        TransientError: some are changing at this moment.
    """
    if await try_share_settings(session, user_ids):
        raise TransientError("a user's settings are changing")


async def try_share_settings(session: AsyncSession, user_ids: Collection[int]) -> set[int]:
    """Keep users' settings as they are, except those that are changing at this moment. Return whose these are."""
    parameters = {"class": _LOCK_CLASS, "user_ids": list(user_ids)}
    return set(await session.scalars(_SQL["share_settings"], parameters))


async def populate_personal_reminders(
    session: AsyncSession, game_ids: Sequence[UUID], *, user_id: int | None = None
) -> None:
    """Supersede the obsolete personal reminders of locked games, and write missing ones, for one user or for all."""
    parameters = {"game_ids": list(game_ids), "user_id": user_id}
    obsolete = (await session.scalars(_SQL["obsolete_personal_reminders"], parameters)).all()
    if obsolete:
        await _supersede(session, obsolete, detail="the game or the player's settings changed")
    if user_id is None:
        await session.execute(_SQL["keep_personal_reminders"], {"game_ids": list(game_ids)})
    await session.execute(_SQL["add_extra_reminders"], parameters)


async def populate_reminders_of_user(session: AsyncSession, user_id: int) -> None:
    """Rewrite the personal reminders of a user whose locked settings have changed."""
    found = await session.scalars(_SQL["lock_games_of_user"], {"user_id": user_id, "limit": GAMES_LIMIT})
    await populate_personal_reminders(session, found.all(), user_id=user_id)
    await notify_loops(session)


async def snooze_reminder(session: AsyncSession, game: Game, *, user_id: int, delay: timedelta) -> datetime | None:
    """Remind a player of a locked game again after a delay. Return when, or None if the game starts before.

    A player has one snoozed reminder of a game. Another one replaces it, unless it means the same.
    """
    now = await database.now(session)
    due_at = now + delay
    if game.status is not GameStatus.SCHEDULED or due_at >= game.scheduled_at:
        return None
    table = NotificationSchedule
    is_open = (
        table.game_id == game.id,
        table.user_id == user_id,
        table.kind == NotificationKind.PERSONAL_REMINDER,
        table.reason == SNOOZE,
        table.settled_at.is_(None),
    )
    found = await session.execute(select(table.id, table.due_at).where(*is_open))
    earlier: dict[UUID, datetime] = {row.id: row.due_at for row in found}
    same = [at for at in earlier.values() if abs(at - due_at) < _SAME_SNOOZE]
    if same:
        return same[0]
    in_doubt = set(await session.scalars(select_in_doubt(list(earlier))))
    await _supersede(session, [id_ for id_ in earlier if id_ not in in_doubt], detail="the player snoozed it again")
    row = {
        "id": new_id(),
        "game_id": game.id,
        "game_version": game.version,
        "kind": NotificationKind.PERSONAL_REMINDER,
        "game_scheduled_at": game.scheduled_at,
        "user_id": user_id,
        "reason": SNOOZE,
        "due_at": due_at,
        "attempt_at": due_at,
    }
    identity = (table.game_id, table.user_id, table.due_at)
    await write_or_reopen(session, NotificationKind.PERSONAL_REMINDER, [row], identity=identity)
    await notify_loops(session)
    return due_at


async def _supersede(session: AsyncSession, row_ids: Sequence[UUID], *, detail: str) -> None:
    table, outcome = NotificationSchedule, Outcome.SUPERSEDED
    await settle_and_log(session, table, row_ids, outcome=outcome, detail=detail, was_attempted=False)
