"""Games and their rows in a test's database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, text, update

from shared import database as db
from shared.database import Sessions
from shared.editing import GameEdit, edit_game
from shared.games import NewGame, create_game
from shared.models import Game, GameStatusSchedule, NotificationKind, NotificationSchedule
from shared.signup import join_game
from tests.support.transition_check import allow_any_change

GUILD, CHANNEL, HOST = 900, 901, 902


async def new_game(
    sessions: Sessions,
    *,
    starts_in: timedelta = timedelta(hours=2),
    offsets: Sequence[int] = (60, 10),
    players: Sequence[int] = (),
    **fields: Any,
) -> Game:
    """Create a game that starts `starts_in` from the database's now, with players."""
    async with db.transaction(sessions) as session:
        now = await db.now(session)
        defaults: dict[str, Any] = {
            "guild_id": GUILD,
            "channel_id": CHANNEL,
            "host_id": HOST,
            "title": "The Sunken Keep",
            "zone": "Europe/Berlin",
            "duration": timedelta(hours=3),
            "reminder_offsets": tuple(offsets),
            "scheduled_at": now + starts_in,
        }
        game = await create_game(session, NewGame(**(defaults | fields)))
        for player in players:
            await join_game(session, game.id, user_id=player)
    return game


async def change_game(sessions: Sessions, game: Game, *, actor_id: int | None = None, **changes: Any) -> Game:
    """Edit a game, and return it as it is then."""
    async with db.transaction(sessions) as session:
        await edit_game(session, game.id, GameEdit(**changes), actor_id=actor_id)
        changed = await session.get(Game, game.id)
        assert changed is not None
        return changed


async def rows_of(sessions: Sessions, game: Game, kind: NotificationKind | None = None) -> list[NotificationSchedule]:
    """Return the notification rows of a game as they are now, earliest due first."""
    statement = select(NotificationSchedule).where(NotificationSchedule.game_id == game.id)
    if kind is not None:
        statement = statement.where(NotificationSchedule.kind == kind)
    async with db.transaction(sessions) as session:
        return list((await session.execute(statement.order_by(NotificationSchedule.due_at))).scalars())


async def make_due(sessions: Sessions, *rows: NotificationSchedule, ago: timedelta = timedelta(0)) -> None:
    """Make rows due now, or `ago` before now."""
    async with db.transaction(sessions) as session:
        await allow_any_change(session)
        moment = await db.now(session) - ago
        await session.execute(
            update(NotificationSchedule)
            .where(NotificationSchedule.id.in_([row.id for row in rows]))
            .values(due_at=moment, attempt_at=moment)
        )


async def drop_notices(sessions: Sessions) -> None:
    """Delete the announcements of new games, for tests that are about reminders alone."""
    async with db.transaction(sessions) as session:
        await allow_any_change(session)
        notices = NotificationSchedule.kind != NotificationKind.REMINDER
        await session.execute(delete(NotificationSchedule).where(notices))


async def make_due_now(sessions: Sessions, row: NotificationSchedule | GameStatusSchedule) -> None:
    """Make a row due, unless it is due or settled already. The other rows of its game keep their distances from it."""
    table = type(row)
    async with db.transaction(sessions) as session:
        now = await db.now(session)
        due_at = await session.scalar(select(table.due_at).where(table.id == row.id, table.settled_at.is_(None)))
        if due_at is None or due_at <= now:
            return
        await allow_any_change(session)
        statement = update(table).where(table.game_id == row.game_id, table.settled_at.is_(None), table.due_at > now)
        earlier = due_at - now
        await session.execute(statement.values(due_at=table.due_at - earlier, attempt_at=table.attempt_at - earlier))


async def become_newer(sessions: Sessions, *rows: NotificationSchedule) -> None:
    """Give rows a kind that only a newer release knows, whose schema allows it."""
    ids = [row.id for row in rows]
    async with db.transaction(sessions) as session:
        await allow_any_change(session)
        for name in ("kind", "offset"):
            constraint = f"ck_notification_schedule_{name}"
            await session.execute(text(f"ALTER TABLE notification_schedule DROP CONSTRAINT IF EXISTS {constraint}"))
        await session.execute(
            text("UPDATE notification_schedule SET kind = 'future_kind' WHERE id = ANY(CAST(:ids AS uuid[]))"),
            {"ids": ids},
        )
