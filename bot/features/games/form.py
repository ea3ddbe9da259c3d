"""The forms of a game: a modal with the options that hosts fill in most, and one with more of them.

Their ids carry the draft, so they can be submitted after a restart and to any process. They start with what was entered
before, also after a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from uuid import UUID

import discord

from bot.features.games.creation import DEFAULT_DURATION, CreateGameOptions
from bot.features.games.place import MOST_CHARACTERS

FORM_ID = "questbell:draft-form:"
MORE_FORM_ID = "questbell:draft-more-form:"

ON_THE_FORM = frozenset({"title", "when", "duration", "players", "description"})
"""Discord allows five fields."""
ON_THE_SECOND_FORM = frozenset({"place", "repeat", "reminders", "announce", "slots"})


def game_form(draft_id: UUID, options: CreateGameOptions) -> discord.ui.Modal:
    """Return the form of a draft, with the options that were entered so far."""
    form = discord.ui.Modal(title="Plan a game", custom_id=f"{FORM_ID}{draft_id}")
    times = "friday 8pm, tomorrow 19:30, in 2 hours"
    for label, field in (
        ("Title", text_field("title", options.title, 100, hint="Curse of Strahd", required=True)),
        ("When", text_field("when", options.when, 100, hint=times, required=True)),
        ("Duration", text_field("duration", options.duration, 50, hint=f"3h, 90m (default: {DEFAULT_DURATION})")),
        ("Players", text_field("players", options.players, 20, hint="How many can join (default: no limit)")),
        ("Description", text_field("description", options.description, 1000, several_lines=True)),
    ):
        form.add_item(discord.ui.Label(text=label, component=field))
    return form


def second_form(draft_id: UUID, options: CreateGameOptions) -> discord.ui.Modal:
    """Return the form with more options of a draft, as they were entered so far."""
    form = discord.ui.Modal(title="More about the game", custom_id=f"{MORE_FORM_ID}{draft_id}")
    entered = asdict(options)
    for name, label, limit, hint in (
        ("place", "Place", MOST_CHARACTERS, "Where you play: #voice, or any text"),
        ("repeat", "Repeat", 100, "every friday, every 2 weeks, monthly on the 15th"),
        ("reminders", "Reminders", 100, "1d, 1h, 0 (0 is the start), or none"),
        ("announce", "Announce", 100, "friday 9am, in 2 hours (default: when you post it)"),
        ("slots", "Slots", 600, "2 tank, 2 healer, 6 dps"),
    ):
        if name in entered:
            form.add_item(discord.ui.Label(text=label, component=text_field(name, entered[name], limit, hint=hint)))
    return form


def read_form(values: Mapping[str, str], options: CreateGameOptions) -> CreateGameOptions:
    """Return the options with the values of a submitted form. Those that are not on it stay as they are."""
    known = (ON_THE_FORM | ON_THE_SECOND_FORM) & asdict(options).keys()
    return replace(options, **{name: value for name, value in values.items() if name in known})


def text_field(
    name: str, value: str, limit: int, *, hint: str = "", required: bool = False, several_lines: bool = False
) -> discord.ui.TextInput[discord.ui.Modal]:
    """Return a field that starts with a value and takes `limit` characters."""
    return discord.ui.TextInput(
        custom_id=name,
        default=value[:limit] or None,
        placeholder=hint or None,
        required=required,
        max_length=limit,
        style=discord.TextStyle.paragraph if several_lines else discord.TextStyle.short,
    )
