"""The rule of a series, in the words of RFC 5545, and the local times that it names."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from dateutil.rrule import rrulestr

from shared.formatting import join_words

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_CODES = tuple(name[:2].upper() for name in WEEKDAYS)
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}
_WORK_DAYS, _WEEKEND = (0, 1, 2, 3, 4), (5, 6)


class Frequency(enum.StrEnum):
    """The unit of a rule's interval."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When a game repeats. A day has at most one occurrence, and its time of day is that of the first one."""

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    """Monday is 0. A weekly rule has at least one."""
    nth: int | None = None
    """Which of the month's weekdays is meant: 1 to 4, or -1 for the last."""
    month_day: int | None = None
    """1 to 31, or -1 for the last day. A month without this day has no occurrence."""
    count: int | None = None
    """How many occurrences there are, with the first one."""
    until: date | None = None
    """The last day on which there can be one."""

    def __str__(self) -> str:
        """Return the rule as RFC 5545 writes it."""
        days = ",".join(f"{self.nth or ''}{_CODES[day]}" for day in self.weekdays)
        parts = {
            "FREQ": self.frequency.value,
            "INTERVAL": self.interval if self.interval > 1 else None,
            "BYDAY": days or None,
            "BYMONTHDAY": self.month_day,
            "COUNT": self.count,
            "UNTIL": None if self.until is None else f"{self.until:%Y%m%d}T235959",
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value is not None)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rule that `str` wrote."""
        parts = dict(part.split("=", 1) for part in text.split(";"))
        days = parts["BYDAY"].split(",") if "BYDAY" in parts else []
        nth = days[0][:-2] if days else ""
        return cls(
            frequency=Frequency(parts["FREQ"]),
            interval=int(parts.get("INTERVAL", 1)),
            weekdays=tuple(_CODES.index(day[-2:]) for day in days),
            nth=int(nth) if nth else None,
            month_day=int(parts["BYMONTHDAY"]) if "BYMONTHDAY" in parts else None,
            count=int(parts["COUNT"]) if "COUNT" in parts else None,
            until=datetime.strptime(parts["UNTIL"][:8], "%Y%m%d").date() if "UNTIL" in parts else None,  # noqa: DTZ007  # only the day is used
        )

    def local_times(self, start: datetime, *, after: datetime | None = None) -> Iterator[datetime]:
        """Yield the local times from `start` on, or those after one of them. Time zones play no part in it."""
        expanded = rrulestr(str(self), dtstart=start)
        return iter(expanded) if after is None else expanded.xafter(after)

    def describe(self) -> str:
        """Return "Every 2 weeks on Friday, 10 times"."""
        words = self._describe_days()
        if self.count is not None:
            words += f", {self.count} times" if self.count > 1 else ", once"
        if self.until is not None:
            words += f", until {self.until.day} {self.until:%B %Y}"
        return words

    def _describe_days(self) -> str:
        if self.frequency is Frequency.DAILY:
            return "Every day" if self.interval == 1 else f"Every {self.interval} days"
        if self.frequency is Frequency.MONTHLY:
            every = "Every month" if self.interval == 1 else f"Every {self.interval} months"
            if self.nth is not None:
                return f"{every} on the {_ORDINALS[self.nth]} {WEEKDAYS[self.weekdays[0]]}"
            day = self.month_day or 0
            return f"{every} on the {'last day' if day < 0 else format_ordinal(day)}"
        names = join_words(WEEKDAYS[day] for day in self.weekdays)
        if self.interval > 1:
            return f"Every {self.interval} weeks on {names}"
        named = {_WORK_DAYS: "weekday (Monday to Friday)", tuple(range(7)): "day", _WEEKEND: "Saturday and Sunday"}
        return f"Every {named.get(self.weekdays, names)}"


def format_ordinal(number: int) -> str:
    """Return "1st", "2nd", "3rd" or "11th"."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{suffix}"
