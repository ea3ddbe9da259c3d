"""The slots of a game: their names, their players in the announcement, and the menu to choose one.

An emoji is part of the text. Discord refuses a whole message with an emoji that it does not know in a menu's own field.
"""

from __future__ import annotations

from collections import Counter

from bot.rendering.escaping import clean, escape
from bot.rendering.payload import SLOT_ID, Payload
from shared.models import Game, Slot
from shared.slots import Seats, find_slot

CHOOSE_SLOT = "Choose your slot"

_NAME_LIMIT = 44
"""The 40 characters of a name, and some that are escaped."""
_OPTION_LIMIT = 100
_STRING_SELECT, _ACTION_ROW = 3, 1


def format_slot(slot: Slot) -> str:
    """Return a slot's name with its emoji."""
    return f"{slot.emoji} {escape(slot.name, limit=_NAME_LIMIT)}".strip()


def format_slot_of(game: Game, name: str | None) -> str:
    """Return the slot of a player, empty if they have none."""
    slot = None if name is None else find_slot(game.slots, name)
    return "" if slot is None else format_slot(slot)


def slot_count(slot: Slot, taken: int) -> str:
    """Return "1/2", or "1" for a slot without a limit."""
    return str(taken) if slot.capacity is None else f"{taken}/{slot.capacity}"


def slot_options(game: Game, seats: Seats) -> list[Payload]:
    """Return the options of the menu. Each says how many seats are taken."""
    taken = Counter(seats.values())
    return [
        {
            "label": f"{slot.emoji} {clean(slot.name)}".strip()[:_OPTION_LIMIT],
            "value": slot.name,
            "description": f"{slot_count(slot, taken[slot.name])} taken",
        }
        for slot in game.slots
    ]


def slot_menu(game: Game, seats: Seats, *, can_join: bool = True) -> list[Payload]:
    """Return the row below the buttons of a game with slots, none without."""
    if not game.slots:
        return []
    menu = {
        "type": _STRING_SELECT,
        "custom_id": f"{SLOT_ID}{game.id}",
        "placeholder": CHOOSE_SLOT,
        "options": slot_options(game, seats),
        "disabled": not can_join,
    }
    return [{"type": _ACTION_ROW, "components": [menu]}]
