"""Reads and writes the slots of a game as hosts enter them: "2 tank, 2 healer, 6 dps"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import takewhile

from bot.features.errors import UserError
from bot.rendering.escaping import clean, escape, is_blank, utf16_length
from shared.models import Slot
from shared.slots import find_slot

MOST_SLOTS = 10
MOST_IN_SLOT = 500
NO_SLOTS = "none"
"""What a host enters to remove all slots."""

_NAME_LIMIT = 40
_EMOJI_LIMIT = 16
_EMOJI_PARTS = {"So", "Sk", "Mn", "Me", "Cf", "Cs"}
"""The Unicode categories of which emoji consist, with their colours and joiners."""
_SEATS = (
    re.compile(r"(?P<name>.*\S)\s*[xX\u00d7]\s*(?P<seats>\d+)"),
    re.compile(r"(?P<seats>\d+)(?:\s*[xX\u00d7])?\s+(?P<name>\S.*)"),
    re.compile(r"(?P<name>.*\S)\s+(?P<seats>\d+)"),
)
"""How a part says how many seats a slot has. The first that fits counts."""
_ONLY_SEATS = re.compile(r"[xX\u00d7]?\d+")
_CUSTOM_EMOJI = re.compile(r"<a?:\w+:\d+>")


def parse_slots(text: str) -> tuple[Slot, ...]:
    """Return the slots that a text lists, such as "2 tank, healer 2, 🛡️ Guard x1, GM".

    Raises:
        UserError: the text does not list slots.
    """
    if clean(text).casefold() in ("", NO_SLOTS, "-"):
        return ()
    slots: list[Slot] = []
    for part in re.split(r"[,;\n]", clean(text, keep_lines=True)):
        if not part.strip():
            continue
        slot = _parse_slot(" ".join(part.split()))
        if find_slot(slots, slot.name) is not None:
            raise UserError(f"There are two slots called “{escape(slot.name, limit=80)}”. Give each its own name.")
        slots.append(slot)
    if not slots:
        raise UserError("I found no slots. List them, such as `2 tank, 2 healer, 6 dps`.")
    if len(slots) > MOST_SLOTS:
        raise UserError(f"A game can have {MOST_SLOTS} slots at most, and you listed {len(slots)}. Leave some out.")
    return tuple(slots)


def format_slots(slots: Sequence[Slot]) -> str:
    """Return slots as a host would enter them."""
    return ", ".join(map(_format_slot, slots))


def _format_slot(slot: Slot) -> str:
    named = f"{slot.emoji} {slot.name}".strip()
    return named if slot.capacity is None else f"{named} x{slot.capacity}"


def _parse_slot(entered: str) -> Slot:
    shown = escape(entered, limit=60)
    if _CUSTOM_EMOJI.search(entered):
        raise UserError(f"I can't show this server's own emoji in “{shown}”. Use a standard one, such as 🛡️, or none.")
    emoji, text = _split_emoji(entered)
    found = next((match for pattern in _SEATS if (match := pattern.fullmatch(text))), None)
    name = text if found is None else found["name"]
    if not emoji:
        emoji, name = _split_emoji(name)
    name = name.strip(" :")
    if is_blank(name) or _ONLY_SEATS.fullmatch(name):
        raise UserError(f"“{shown}” has no name. Enter how many and what, such as `2 tank`.")
    if len(name) > _NAME_LIMIT:
        raise UserError(f"“{shown}” is too long. The name of a slot has {_NAME_LIMIT} characters at most.")
    seats = None if found is None else int(found["seats"])
    if seats is not None and not 1 <= seats <= MOST_IN_SLOT:
        raise UserError(
            f"“{shown}” can't have {escape(str(seats), limit=20)} seats. "
            f"Enter a number from 1 to {MOST_IN_SLOT}, or leave it out for no limit."
        )
    return Slot(name, seats, emoji)


def _split_emoji(text: str) -> tuple[str, str]:
    """Return the emoji that a text begins with, if any, and the rest."""
    emoji = "".join(takewhile(lambda char: unicodedata.category(char) in _EMOJI_PARTS, text))
    if not any(unicodedata.category(char) == "So" for char in emoji) or utf16_length(emoji) > _EMOJI_LIMIT:
        return "", text
    return emoji, text[len(emoji) :].strip()
