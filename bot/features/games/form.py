"""The forms of a new game: a modal with the options that hosts fill in most, and two with the others.

Their ids carry the draft, so they can be submitted after a restart and to any process. They start with what was entered
before, also after a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import discord

from bot.features.games.creation import DEFAULT_DURATION, CreateGameOptions
from bot.features.games.place import MOST_CHARACTERS

FORM_ID = "questbell:draft-form:"
MORE_FORM_ID = "questbell:draft-more-form:"
SIGN_UPS_FORM_ID = "questbell:draft-sign-ups-form:"

ON_THE_FORM = frozenset({"title", "when", "duration", "players", "description"})
"""Discord allows five fields."""
ON_OTHER_FORMS = frozenset(
    {"place", "repeat", "reminders", "announce", "nudge", "slots", "closes", "offer", "minimum", "minimum_check"}
)


Field = discord.ui.TextInput[discord.ui.Modal]


def game_form(draft_id: UUID, options: CreateGameOptions) -> discord.ui.Modal:
    """Return the form of a draft, with the options that were entered so far."""
    times = "friday 8pm, tomorrow 19:30, in 2 hours"
    return make_form(
        "Plan a game",
        f"{FORM_ID}{draft_id}",
        ("Title", text_field("title", options.title, 100, hint="Curse of Strahd", required=True)),
        ("When", text_field("when", options.when, 100, hint=times, required=True)),
        ("Duration", text_field("duration", options.duration, 50, hint=f"3h, 90m (default: {DEFAULT_DURATION})")),
        ("Players", text_field("players", options.players, 20, hint="How many can join (default: no limit)")),
        ("Description", text_field("description", options.description, 1000, several_lines=True)),
    )


def more_form(draft_id: UUID, options: CreateGameOptions) -> discord.ui.Modal:
    """Return the form with more options of a draft, as they were entered so far."""
    return make_form(
        "More about the game",
        f"{MORE_FORM_ID}{draft_id}",
        ("Place", text_field("place", options.place, MOST_CHARACTERS, hint="#voice, Library"), "Where you play"),
        (
            "Repeat",
            text_field("repeat", options.repeat, 100, hint="every friday, every 2 weeks"),
            "How it repeats, if it does",
        ),
        (
            "Reminders",
            text_field("reminders", options.reminders, 100, hint="1d, 1h, 0"),
            "How long before the start. 0 is the start. For none, write none",
        ),
        (
            "Announce",
            text_field("announce", options.announce, 100, hint="friday 9am, in 2 hours"),
            "When to announce it. By default, when you post it",
        ),
        (
            "Nudge",
            text_field("nudge", options.nudge, 50, hint="2d, 6h"),
            "How long before the start I ask those who haven't answered",
        ),
    )


def sign_ups_form(draft_id: UUID, options: CreateGameOptions) -> discord.ui.Modal:
    """Return the form of who can sign up for a draft and until when, as it was entered so far."""
    return make_form(
        "Sign-ups",
        f"{SIGN_UPS_FORM_ID}{draft_id}",
        (
            "Slots",
            text_field("slots", options.slots, 600, hint="2 tank, 2 healer, 6 dps"),
            "What players choose from, and how many of each",
        ),
        (
            "Closes",
            text_field("closes", options.closes, 50, hint="1d, 2h"),
            "How long before the start. By default, sign-ups close at the start",
        ),
        (
            "Offer",
            text_field("offer", options.offer, 50, hint="30m, 12h"),
            "How long a player from the waitlist has to take a seat. By default, it's theirs",
        ),
        (
            "Minimum",
            text_field("minimum", options.minimum, 20, hint="3"),
            "How many players it needs. With fewer, I ask you whether to cancel it",
        ),
        (
            "Minimum check",
            text_field("minimum_check", options.minimum_check, 50, hint="1d, 6h"),
            "How long before the start I count the players. By default, a day",
        ),
    )


def make_form(title: str, custom_id: str, *fields: tuple[str, Field] | tuple[str, Field, str]) -> discord.ui.Modal:
    """Return a form of fields, each with its label, and an explanation if it has one."""
    form = discord.ui.Modal(title=title, custom_id=custom_id)
    for label, field, *explanation in fields:
        form.add_item(discord.ui.Label(text=label, component=field, description=next(iter(explanation), None)))
    return form


def read_form(values: Mapping[str, str], options: CreateGameOptions) -> CreateGameOptions:
    """Return the options with the values of a submitted form. Those that are not on it stay as they are."""
    known = ON_THE_FORM | ON_OTHER_FORMS
    return replace(options, **{name: value for name, value in values.items() if name in known})


def text_field(
    name: str, value: str, limit: int, *, hint: str = "", required: bool = False, several_lines: bool = False
) -> Field:
    """Return a field that starts with a value and takes `limit` characters."""
    return discord.ui.TextInput(
        custom_id=name,
        default=value[:limit] or None,
        placeholder=hint or None,
        required=required,
        max_length=limit,
        style=discord.TextStyle.paragraph if several_lines else discord.TextStyle.short,
    )
