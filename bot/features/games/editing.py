"""Changes a game with the options of `/game edit`, or with those of the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.creation import choose_duration, describe_schedule, parse_description, parse_title
from bot.features.games.limits import parse_check, parse_closing, require_possible_minimum
from bot.features.games.lookup import find_game_by_text, format_locale
from bot.features.games.nudges import parse_nudge, require_mentionable, require_possible_nudge
from bot.features.games.offers import parse_offer
from bot.features.games.place import NO_PLACE, parse_place
from bot.features.games.slots import NO_SLOTS, parse_slots
from bot.features.rights import require_manager
from bot.features.times import parse_duration, parse_reminder_offsets, parse_start_time
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_timestamp, format_title
from shared import database
from shared.editing import DetailsEdit, EditResult, GameEdit, edit_game
from shared.formatting import format_duration, plural
from shared.models import Game, GameSeries, GameStatus, Slot
from shared.schedule.notices import find_announcement_time
from shared.signup import list_players, read_seats, read_waitlist
from shared.slots import count_seats, find_overfull_slot, find_slot
from shared.users import find_zone

NO_DESCRIPTION = "none"
"""What a host enters to remove the description."""

_CLOSED_REASONS = {
    GameStatus.IN_PROGRESS: "has started, so it can't be changed any more.",
    GameStatus.COMPLETED: "is over, so it can't be changed. To plan another game, use `/game create`.",
    GameStatus.CANCELLED: "is cancelled, so it can't be changed. To plan it again, use `/game create`.",
}


@dataclass(frozen=True, kw_only=True)
class EditDetailsOptions:
    """The options that `/game edit` and `/series edit` share, as the host entered them. None is not entered."""

    title: str | None = None
    duration: str | None = None
    players: int | None = None
    slots: str | None = None
    reminders: str | None = None
    description: str | None = None
    closes: str | None = None
    offer: str | None = None
    role: int | None = None
    """Its id, 0 for everybody."""
    place: str | None = None
    minimum: int | None = None
    minimum_check: str | None = None
    nudge: str | None = None
    nudge_role: int | None = None
    """Its id, 0 for the players of earlier games."""


DETAIL_DESCRIPTIONS = {
    "title": "The new title",
    "duration": "How long it lasts: “3h”, “90m”",
    "players": "How many players can join (0: no limit)",
    "slots": f"All slots, and how many of each: “2 tank, 2 healer, 6 dps”, or “{NO_SLOTS}”",
    "reminders": "When to remind players: “1d, 1h, 0” (0 is the start) or “none”",
    "description": f"What players should know, or “{NO_DESCRIPTION}”",
    "closes": "How long before the start sign-ups close: “1d”, “2h” (0: at the start)",
    "offer": "How long a player from the waitlist has to take a seat: “30m”, “12h” (0: it's theirs)",
    "role": "The role that players need to join (@everyone: none)",
    "place": f"Where you play: a channel such as “#voice”, any text, or “{NO_PLACE}”",
    "minimum": "How many players it needs (0: no minimum)",
    "minimum_check": "How long before the start I count the players: “1d”, “6h”",
    "nudge": "When to ask those who haven't answered, before the start: “2d”, “6h” (0: never)",
    "nudge_role": "The role to ask once (@everyone: who played before and hasn't answered)",
}
"""What Discord says about the options that `/game edit` and `/series edit` share."""


@dataclass(frozen=True, kw_only=True)
class EditGameOptions(EditDetailsOptions):
    """The options of `/game edit`."""

    game: str
    when: str | None = None
    confirm: bool = False
    """Whether the players have to confirm the new time."""
    in_zone_of_game: bool = False
    """Whether `when` is in the game's time zone. Otherwise, it is in the user's."""


async def edit_from_options(session: AsyncSession, interaction: Interaction, options: EditGameOptions) -> str:
    """Change the game, and return the confirmation.

    Raises:
        UserError: an option is invalid, or the user may not change this game.
    """
    guild_id = interaction.guild_id or 0
    game = await find_game_by_text(session, options.game, guild_id=guild_id)
    await require_manager(session, interaction, game, verb="change")
    zone = game.zone if options.in_zone_of_game else await find_zone(session, interaction.user.id, guild_id=guild_id)
    if options.confirm and options.when is None:
        raise UserError("Players confirm a new time. Fill in `when` too, or leave `confirm` out.")
    edit = _parse_options(interaction, options, zone=zone)
    if edit == GameEdit():
        raise UserError("Nothing to change. Fill in at least one more option, such as `when` or `players`.")
    require_minimum_of_edit(game, edit)
    require_nudge_of_edit(interaction, game, edit)
    title = format_title(game.title)
    match result := await edit_game(session, game.id, edit, actor_id=interaction.user.id, asks_again=options.confirm):
        case EditResult.CLOSED:
            require_scheduled(game)
        case EditResult.IN_THE_PAST:
            raise UserError("The new time is in the past. Enter a later one, such as `tomorrow 8pm`.")
        case EditResult.TOO_FEW_SEATS:
            taken = len(await list_players(session, game.id))
            raise UserError(
                f"{title} already has {plural(taken, 'player')}. Allow at least {taken}, or ask someone to leave first."
            )
        case EditResult.SLOT_TAKEN:
            raise UserError(await _describe_taken_slot(session, game, edit.slots or ()))
        case EditResult.UNCHANGED:
            return f"{title} is already like that, so nothing has changed."
    now, announce_at = await database.now(session), await find_announcement_time(session, game.id)
    return _confirm(game, is_moved=result is EditResult.MOVED, now=now, announce_at=announce_at)


def require_scheduled(game: Game) -> None:
    """Check that a game has not started.

    Raises:
        UserError: it has, or it is over.
    """
    if game.status is not GameStatus.SCHEDULED:
        raise UserError(f"{format_title(game.title)} {_CLOSED_REASONS[game.status]}")


async def _describe_taken_slot(session: AsyncSession, game: Game, slots: Sequence[Slot]) -> str:
    seats, waiting = await read_seats(session, game.id), await read_waitlist(session, game.id)
    slot = find_overfull_slot(game.slots, slots, seats, waiting)
    if slot is None:
        raise ValueError("no slot is taken")
    name, taken = f"**{escape(slot.name, limit=80)}**", list(seats.values()).count(slot.name)
    if not taken:
        return f"Somebody waits for a seat as {name}, so it can't go. Ask them to choose another slot first."
    ask = "ask them to choose another slot first, or take someone off with `/game remove`."
    if find_slot(slots, slot.name) is None:
        return f"{name} has {plural(taken, 'player')}, so it can't go. Keep it in the list, or {ask}"
    return f"{name} has {plural(taken, 'player')}. Give it at least {plural(taken, 'seat')}, or {ask}"


def _confirm(game: Game, *, is_moved: bool, now: datetime, announce_at: datetime | None) -> str:
    start = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    notice = " I'm letting everyone know the new time." if is_moved else ""
    first = (
        f"{format_title(game.title)} is changed. "
        f"It starts on {start} and lasts {format_duration(game.duration)}.{notice}"
    )
    lines = [first, *describe_schedule(game, now=now, announce_at=announce_at)]
    if game.series_id is not None:
        lines.append("-# Only this game has changed. To change all from now on, use `/series edit`.")
    return "\n".join(lines)


def require_minimum_of_edit(game: Game | GameSeries, edit: DetailsEdit) -> None:
    """Check that a game's limits still fit together after an edit.

    Raises:
        UserError: they do not.
    """
    if (edit.minimum_players, edit.minimum_minutes, edit.capacity, edit.slots) == (None, None, None, None):
        return
    minimum = game.minimum_players if edit.minimum_players is None else edit.minimum_players or None
    capacity = game.capacity if edit.capacity is None else edit.capacity or None
    seats = count_seats(capacity, game.slots if edit.slots is None else edit.slots)
    require_possible_minimum(minimum, edit.minimum_minutes, seats=seats)


def require_nudge_of_edit(interaction: Interaction, game: Game | GameSeries, edit: DetailsEdit) -> None:
    """Check that a game's nudge is still possible after an edit.

    Raises:
        UserError: it is not, or the user may not mention its role.
    """
    require_mentionable(interaction, edit.nudge_role_id or None)
    if (edit.nudge_minutes, edit.nudge_role_id, edit.closes_minutes) == (None, None, None):
        return
    nudge_minutes = game.nudge_minutes if edit.nudge_minutes is None else edit.nudge_minutes or None
    closes_minutes = game.closes_minutes if edit.closes_minutes is None else edit.closes_minutes or None
    require_possible_nudge(nudge_minutes, edit.nudge_role_id or None, closes_minutes)


def _parse_options(interaction: Interaction, options: EditGameOptions, *, zone: str) -> GameEdit:
    start = None
    if options.when is not None:
        start = parse_start_time(options.when, zone=zone, now=datetime.now(UTC), locale=format_locale(interaction))
    duration = choose_duration(None if start is None else start.duration, options.duration)
    scheduled_at = None if start is None else start.at
    return GameEdit(**parse_details(options) | {"scheduled_at": scheduled_at, "duration": duration})


def parse_details(options: EditDetailsOptions) -> dict[str, Any]:
    """Return the values that options mean, by the names of `DetailsEdit`.

    Raises:
        UserError: an option is invalid.
    """
    description = None if options.description is None else parse_description(options.description)
    if description is not None and description.casefold() == NO_DESCRIPTION:
        description = ""
    nudge_minutes = None if options.nudge is None else parse_nudge(options.nudge) or 0
    return {
        "title": None if options.title is None else parse_title(options.title),
        "description": description,
        "place": None if options.place is None else parse_place(options.place),
        "duration": None if options.duration is None else parse_duration(options.duration),
        "capacity": options.players,
        "slots": None if options.slots is None else parse_slots(options.slots),
        "reminder_offsets": None if options.reminders is None else parse_reminder_offsets(options.reminders),
        "required_role_id": options.role,
        "offer_minutes": None if options.offer is None else parse_offer(options.offer) or 0,
        "closes_minutes": None if options.closes is None else parse_closing(options.closes) or 0,
        "minimum_players": options.minimum,
        "minimum_minutes": None if options.minimum_check is None else parse_check(options.minimum_check),
        "nudge_minutes": nudge_minutes,
        "nudge_role_id": 0 if nudge_minutes == 0 and options.nudge_role is None else options.nudge_role,
    }
