"""The words of times in English, German, French and Spanish, lower case and without accents.

A word that stands in two places has two meanings, so "mar" is a Tuesday in French and a month in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WEEKDAYS = (
    "monday mondays mon montag mo lundi lun lunes",
    "tuesday tuesdays tues tue tuesdy dienstag di mardi mar martes",
    "wednesday wednesdays weds wed wensday wednsday mittwoch mi mercredi mer miercoles mie",
    "thursday thursdays thurs thur thu thrusday donnerstag do jeudi jeu jueves jue",
    "friday fridays fri firday freitag fr vendredi ven viernes vie",
    "saturday saturdays sat saterday samstag sonnabend sa samedi sam sabado sab",
    "sunday sundays sun sonntag so dimanche dim di domingo dom",
)
MONTHS = (
    "january jan januar janner janvier janv enero ene",
    "february feb febuary februar fevrier fevr febrero",
    "march mar marz mars marzo",
    "april apr avril avr abril abr",
    "may mai mayo",
    "june jun juni juin junio",
    "july jul juli juillet juil julio",
    "august aug aout agosto ago",
    "september sept sep septembre septiembre",
    "october oct oktober okt octobre octubre",
    "november nov novembre noviembre",
    "december dec decemeber dezember dez decembre diciembre dic",
)
DAYS = {
    -1: ("yesterday", "gestern", "hier", "ayer"),
    0: ("today", "tday", "heute", "aujourd'hui", "aujourdhui", "hoy"),
    1: ("tomorrow", "tommorow", "tommorrow", "tomorow", "tmrw", "tmr", "tomo", "morgen", "demain", "manana"),
    2: ("day after tomorrow", "the day after tomorrow", "ubermorgen", "uebermorgen", "apres-demain", "pasado manana"),
}
"""Days from today."""
TONIGHT = ("tonight", "tonite", "2nite", "heute abend", "heute nacht", "ce soir", "cette nuit", "esta noche")

PARTS = {
    "morning": (
        *("morning", "morgens", "vormittag", "vormittags", "fruh", "matin", "du matin", "le matin"),
        *("de la manana", "por la manana"),
    ),
    "afternoon": (
        *("afternoon", "nachmittag", "nachmittags", "apres-midi", "de l'apres-midi", "l'apres-midi"),
        *("tarde", "de la tarde", "por la tarde"),
    ),
    "evening": ("evening", "eve", "abend", "abends", "soir", "du soir", "le soir"),
    "night": ("night", "nachts", "nuit", "la nuit", "de la noche", "por la noche", "noche"),
}
HOURS = {
    "morning": frozenset(range(12)),
    "afternoon": frozenset(range(12, 19)),
    "evening": frozenset(range(16, 24)),
    "night": frozenset((*range(17, 24), *range(6))),
}
"""The hours of each part of a day. A part overlaps its neighbours, because people differ."""

NOON = ("noon", "midday", "mittags", "mittag", "midi", "mediodia")
MIDNIGHT = ("midnight", "mitternacht", "minuit", "medianoche")
NEXT = ("next", "nachsten", "nachster", "nachste", "kommenden", "prochain", "proximo", "que viene")
THIS = ("this", "this coming", "coming", "diesen", "dieser", "ce", "este")

NUMBERS = {
    **{"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"},
    **{"seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12"},
}


def listed(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


FILLERS = listed("at on the of @ from starting starts start um den der dem ab von a las la le les el al del de du des")
"""Words that say nothing about the time. "By" and "about" are none: they say that the time is not exact."""


def any_of(*groups: Iterable[str]) -> str:
    """Return an expression that matches the longest of these words, as a whole word."""
    longest_first = sorted({word for group in groups for word in group}, key=lambda word: (-len(word), word))
    return rf"(?:{'|'.join(map(re.escape, longest_first))})(?![a-z'])"


def index(rows: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the numbers of the rows in which each word stands."""
    found: dict[str, tuple[int, ...]] = {}
    for number, row in enumerate(rows):
        for word in row.split():
            found[word] = (*found.get(word, ()), number)
    return found
