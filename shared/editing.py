"""Changes of a planned game, in the caller's transaction."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.audit import record_game_change
from shared.confirmations import ask_again
from shared.models import AuditAction, Game, GameSeries, GameStatus, NotificationKind, Slot
from shared.schedule.notices import (
    add_notice,
    find_announcement_time,
    is_unknown,
    refresh_announcement,
    withdraw_announcement,
)
from shared.schedule.populate import lock_game, populate_schedule
from shared.signup import fill_seats, list_players, read_seats, read_waitlist, rename_slots
from shared.slots import find_overfull_slot


@dataclass(frozen=True, kw_only=True)
class DetailsEdit:
    """What changes of a game or a series. None leaves a value as it is, 0 removes a limit, and no `slots` removes all
    slots."""

    title: str | None = None
    description: str | None = None
    place: str | None = None
    duration: timedelta | None = None
    capacity: int | None = None
    slots: tuple[Slot, ...] | None = None
    reminder_offsets: tuple[int, ...] | None = None
    required_role_id: int | None = None
    closes_minutes: int | None = None
    minimum_players: int | None = None
    minimum_minutes: int | None = None
    offer_minutes: int | None = None
    nudge_minutes: int | None = None
    nudge_role_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class GameEdit(DetailsEdit):
    """What changes of a game."""

    scheduled_at: datetime | None = None


_LIMITS = frozenset(
    {
        "capacity",
        "required_role_id",
        "closes_minutes",
        "minimum_players",
        "offer_minutes",
        "nudge_minutes",
        "nudge_role_id",
    }
)
_REMOVED_WITH = {"minimum_minutes": "minimum_players", "nudge_role_id": "nudge_minutes"}
"""What means nothing without something else."""
_NOT_RECORDED = frozenset({"description", "slots", "regulars"})
"""Long texts. The history says that they changed, but not how."""
_SEATS = frozenset({"capacity", "slots"})
"""What may free seats."""


class EditResult(enum.Enum):
    """Result of `edit_game`."""

    MOVED = "moved"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CLOSED = "closed"
    IN_THE_PAST = "in the past"
    TOO_FEW_SEATS = "too few seats"
    SLOT_TAKEN = "slot taken"
    """A slot that has players, or for which somebody waits, would be missing or too small."""


async def edit_game(
    session: AsyncSession, game_id: UUID, edit: GameEdit, *, actor_id: int | None = None, asks_again: bool = False
) -> EditResult:
    """Change a game that has not started. Its players are notified of a new time.

    `actor_id` is who changes it, None if the bot does. With `asks_again`, the players have to confirm a new time.
    """
    game = await lock_game(session, game_id)
    changes = list_changes(game, edit)
    if game.status is not GameStatus.SCHEDULED:
        return EditResult.CLOSED
    is_moved = "scheduled_at" in changes
    if is_moved and changes["scheduled_at"] <= await database.now(session):
        return EditResult.IN_THE_PAST
    capacity = changes.get("capacity")
    if capacity is not None and capacity < len(await list_players(session, game_id)):
        return EditResult.TOO_FEW_SEATS
    if "slots" in changes:
        seats, waiting = await read_seats(session, game_id), await read_waitlist(session, game_id)
        if find_overfull_slot(game.slots, changes["slots"], seats, waiting) is not None:
            return EditResult.SLOT_TAKEN
    if not changes:
        return EditResult.UNCHANGED
    before = {name: getattr(game, name) for name in changes}
    for name, value in changes.items():
        setattr(game, name, value)
    if is_moved:
        game.local_time = game.scheduled_at.astimezone(ZoneInfo(game.zone)).replace(tzinfo=None)
        game.version += 1
        if asks_again:
            await ask_again(session, game)
    recorded = compare(before, changes)
    await record_game_change(session, game, AuditAction.EDITED, actor_id=actor_id, changes=recorded)
    await populate_schedule(session, game_id)
    if "slots" in changes:
        await rename_slots(session, game, before["slots"])
    if not changes.keys().isdisjoint(_SEATS):
        await fill_seats(session, game)
    notifies = is_moved and not await is_unknown(session, game)
    announce_at = await find_announcement_time(session, game_id)
    if announce_at is not None and announce_at >= game.scheduled_at:
        await withdraw_announcement(session, game, detail="the game starts before it was to be announced")
    await refresh_announcement(session, game)
    if notifies:
        await add_notice(session, [game], NotificationKind.CHANGE)
    return EditResult.MOVED if is_moved else EditResult.CHANGED


def list_changes(game: Game | GameSeries, edit: DetailsEdit) -> dict[str, Any]:
    """Return the new values of what an edit changes, by name."""
    wanted = {field.name: value for field in fields(edit) if (value := getattr(edit, field.name)) is not None}
    wanted |= dict.fromkeys((name for name in _LIMITS if wanted.get(name) == 0), None)
    wanted |= {part: None for part, whole in _REMOVED_WITH.items() if wanted.get(whole, ...) is None}
    if edit.reminder_offsets is not None:
        wanted["reminder_offsets"] = sorted(set(edit.reminder_offsets), reverse=True)
    return {name: value for name, value in wanted.items() if value != getattr(game, name)}


def compare(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what the history says about changes of some values."""
    both = {name: (before[name], value) for name, value in changes.items() if name not in _NOT_RECORDED}
    return both | dict.fromkeys(_NOT_RECORDED & changes.keys(), (None, None))
