"""Reads lengths of time such as "1h30", "2 hours 15" and "an hour and a half"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from shared.formatting import SECONDS_PER_UNIT
from shared.models import LONGEST_DURATION

SHORTEST, LONGEST = timedelta(seconds=10), LONGEST_DURATION
"""How long a game can last."""

_UNITS = {
    "week": "weeks? wks? wk w wochen? semaines? semanas?",
    "day": "days? d tag(?:en?)? jours? dias?",
    "hour": "hours? hrs? hr h stunden? std heures? horas?",
    "minute": "minutes? mins? min m minuten? minutos?",
    "second": "seconds? secs? sec s sekunden? secondes? segundos?",
}
_UNIT = "|".join(f"(?P<{name}>{'|'.join(words.split())})" for name, words in _UNITS.items())
_NUMBER = (
    r"(?:(?P<number>\d{1,7}(?:[.,]\d{1,4})?)(?P<half> and a half| 1/2)?"
    r"|(?P<half_a>half an?)|(?P<a>an?|une?|una|eine[rm]?))"
)
_PART = re.compile(rf"{_NUMBER}\s?(?:{_UNIT})(?:(?![a-z])|(?=\d))(?P<and_half> and a half)?")
_SEPARATOR = re.compile(r"\s?(?:,|and\b|und\b|et\b|y\b|&)?\s?")
_MINUTES = re.compile(r"\s?(?P<minutes>[0-5]\d)(?![\d:.a-z]|\s?[a-z])")
_ISO = re.compile(r"p(?:(\d{1,5})d)?(?:t(?:(\d{1,6})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?)?(?![a-z\d])")


def read_spans(text: str, start: int = 0) -> Iterator[tuple[timedelta, int, str]]:
    """Yield each length that begins at `start`, its end and its smallest unit: for "1h 30m" 1 hour, then 90 minutes.

    The units must become smaller, so "1h 1d" is no length.
    """
    if (iso := _ISO.match(text, start)) and any(iso.groups()):
        days, hours, minutes, seconds = (int(group or 0) for group in iso.groups())
        yield timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds), iso.end(), "second"
        return
    total, position, smallest = 0.0, start, float("inf")
    while part := _PART.match(text, position):
        unit = next(name for name in _UNITS if part[name])
        seconds = SECONDS_PER_UNIT[unit]
        if seconds >= smallest:
            return
        number = float(part["number"].replace(",", ".")) if part["number"] else 0.5 if part["half_a"] else 1.0
        total += (number + (0.5 if part["half"] or part["and_half"] else 0)) * seconds
        smallest = seconds
        yield timedelta(seconds=total), part.end(), unit
        if unit == "hour" and (extra := _MINUTES.match(text, part.end())):
            yield timedelta(seconds=total + 60 * int(extra["minutes"])), extra.end(), "minute"
            return
        separator = _SEPARATOR.match(text, part.end())
        position = separator.end() if separator else part.end()


def parse_span(text: str) -> timedelta | None:
    """Return the length that the whole text means, else None."""
    return next((span for span, end, _unit in read_spans(text) if end == len(text)), None)
