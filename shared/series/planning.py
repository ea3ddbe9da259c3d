"""Decides which occurrences of a series come next. Pure, so that it is tested against a calendar.

A series repeats a local time: 8 pm stays 8 pm when the clocks change. A time that the clocks skip is read with the
offset before the change, so it is later by what they skip, and of a time that they show twice the first is meant. RFC
5545 (section 3.3.5) says the same.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from shared.series.rule import Rule


class ClockChange(enum.Enum):
    """What is special about a local time."""

    SKIPPED = "skipped"
    REPEATED = "repeated"


@dataclass(frozen=True)
class Plan:
    """What follows in a series, in local times."""

    opened: tuple[datetime, ...] = ()
    missed: tuple[datetime, ...] = ()
    """Those whose time passed before they were made."""
    is_complete: bool = False
    """Whether the rule has none after these."""


def resolve(local: datetime, zone: tzinfo) -> datetime:
    """Return the instant in UTC at which an occurrence with this local time starts."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def find_clock_change(local: datetime, zone: tzinfo) -> ClockChange | None:
    """Return whether the clocks of a zone skip or repeat a local time."""
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if first == second:
        return None
    is_shown = resolve(local, zone).astimezone(zone).replace(tzinfo=None) == local
    return ClockChange.REPEATED if is_shown else ClockChange.SKIPPED


def plan_occurrences(
    rule: Rule,
    *,
    start: datetime,
    zone: tzinfo,
    after: datetime | None,
    now: datetime,
    wanted: int,
    left_out: Collection[datetime] = (),
) -> Plan:
    """Return the next `wanted` occurrences `after` a local time that are in the future, without those `left_out`."""
    opened: list[datetime] = []
    missed: list[datetime] = []
    for local in rule.local_times(start, after=after):
        if local in left_out:
            continue
        if resolve(local, zone) <= now:
            missed.append(local)
        elif len(opened) < wanted:
            opened.append(local)
        else:
            return Plan(tuple(opened), tuple(missed))
    return Plan(tuple(opened), tuple(missed), is_complete=True)
