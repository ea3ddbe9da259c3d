"""Brings text to one spelling: lower case without accents, ASCII digits and dashes, no emoji."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from bot.features.times.words import NUMBERS

_APOSTROPHES = frozenset("\u2018\u2019\u02bc`\u00b4")
_CLOCK_FACES = range(0x1F550, 0x1F568)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_NUMBER_WORDS = re.compile(rf"(?<![a-z])(?:{'|'.join(NUMBERS)})(?![a-z])")


def normalize(text: str) -> str:
    """Return the text in one spelling. Emoji that could mean a time stay, as clock faces and flags do."""
    folded = "".join(_fold(text.casefold()))
    return _NUMBER_WORDS.sub(lambda found: NUMBERS[found[0]], " ".join(folded.split()))


def _fold(text: str) -> Iterator[str]:
    previous = ""
    for char in text:
        category = unicodedata.category(char)
        if category == "Nd":
            previous = str(unicodedata.decimal(char))
        elif category == "Pd" or char == "\u2212":
            previous = "-"
        elif char in _APOSTROPHES:
            previous = "'"
        elif char in "\u20e3\ufe0e\ufe0f" or category == "Cf" or (category == "Mn" and previous.isalpha()):
            continue
        elif category == "So" and ord(char) not in _CLOCK_FACES and ord(char) not in _FLAG_LETTERS:
            previous = " "
        else:
            previous = _base(char)
        yield previous


def _base(char: str) -> str:
    """Return a letter without its accent, and a wide letter or sign as a usual one."""
    decomposed = unicodedata.decomposition(char)
    if not decomposed or (decomposed[0] == "<" and not decomposed.startswith(("<wide>", "<narrow>", "<noBreak>"))):
        return char
    return "".join(part for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part) != "Mn")
