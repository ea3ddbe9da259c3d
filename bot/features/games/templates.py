"""Fills the options that a host left out with those of a template or of an earlier game."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.errors import UserError
from bot.features.games.creation import CreateGameOptions
from bot.features.games.limits import format_minutes
from bot.features.games.slots import format_slots
from bot.features.times import format_span
from bot.rendering.escaping import clean, escape
from bot.rendering.formatting import format_role
from shared.formatting import join_words
from shared.models import Game, GameTemplate
from shared.templates import find_template

TEMPLATE_FIELDS = (
    "title",
    "duration",
    "players",
    "slots",
    "reminders",
    "description",
    "place",
    "repeat",
    "closes",
    "offer",
    "role",
    "minimum",
    "minimum_check",
    "nudge",
    "nudge_role",
)
"""What a template says. The time is different for each game."""


async def fill_from_template(session: AsyncSession, guild_id: int, options: CreateGameOptions) -> CreateGameOptions:
    """Return the options with what the template says about those that were left out.

    Raises:
        UserError: there is no such template.
    """
    if not options.template:
        return options
    template = await find_template(session, guild_id, options.template)
    if template is None:
        raise UserError(
            f"There's no template called “{escape(options.template, limit=80)}”. See `/template list` for all."
        )
    entered = asdict(options)
    left_out = {name: value for name, value in template.defaults.items() if name in entered and not entered[name]}
    return replace(options, **left_out)


async def require_unlocked(session: AsyncSession, guild_id: int, options: CreateGameOptions) -> None:
    """Check that the options say what the template has locked. A template that was deleted locks nothing.

    Raises:
        UserError: one says something else.
    """
    template = await find_template(session, guild_id, options.template) if options.template else None
    if template is None:
        return
    entered = asdict(options)
    changed = [name for name in template.locked if entered.get(name, "") != template.defaults.get(name, "")]
    if changed:
        are = "is" if len(changed) == 1 else "are"
        fixed = join_words(f"`{_option(name)}` ({_format_value(template, name)})" for name in changed)
        raise UserError(
            f"The template “{escape(template.name, limit=80)}” says what {fixed} {are}. "
            "Enter the same, or use no template."
        )


def _option(name: str) -> str:
    """Return the name of an option as Discord shows it."""
    return name.replace("_", "-")


def _format_value(template: GameTemplate, name: str) -> str:
    value = template.defaults.get(name)
    if not value:
        return "empty"
    return format_role(int(value)) if name in ("role", "nudge_role") else escape(value, limit=60)


def copy_options(game: Game, *, when: str = "") -> CreateGameOptions:
    """Return the options that make a game like this one at another time."""
    offsets = [format_span(timedelta(minutes=offset)) if offset else "0" for offset in game.reminder_offsets]
    return CreateGameOptions(
        title=game.title,
        when=when,
        duration=format_span(game.duration),
        players="" if game.capacity is None else str(game.capacity),
        slots=format_slots(game.slots),
        reminders=", ".join(offsets) or "none",
        description=game.description,
        place=game.place,
        closes=format_minutes(game.closes_minutes),
        offer=format_minutes(game.offer_minutes),
        role=str(game.required_role_id or ""),
        minimum=str(game.minimum_players or ""),
        minimum_check=format_minutes(game.minimum_minutes),
        nudge=format_minutes(game.nudge_minutes),
        nudge_role=str(game.nudge_role_id or ""),
    )


def parse_locked(text: str) -> list[str]:
    """Return the names of options, such as "players, duration".

    Raises:
        UserError: a name is none of a template's.
    """
    entered = clean(text).casefold().replace(";", ",").replace("-", "_")
    names = [name for part in entered.split(",") if (name := part.strip(' `“”"'))]
    unknown = [name for name in names if name not in TEMPLATE_FIELDS]
    if unknown:
        known = join_words(f"`{_option(name)}`" for name in TEMPLATE_FIELDS)
        raise UserError(f"A template has no option “{escape(unknown[0], limit=40)}”. It can lock {known}.")
    return list(dict.fromkeys(names))
