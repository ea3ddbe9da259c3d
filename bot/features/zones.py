"""The time zones that a server can choose: IANA names, found however they are spelled.

Names such as `EST` or `Etc/GMT+5` are left out: the first has no summer time and the second means the opposite
of what it says.
"""

from __future__ import annotations

import difflib
import zoneinfo
from functools import cache

from bot.features.errors import UserError
from bot.rendering.escaping import escape

_REGIONS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


@cache
def names() -> tuple[str, ...]:
    """Return all zones by name, "UTC" first. The first call reads the disk."""
    places = sorted(name for name in zoneinfo.available_timezones() if name.startswith(_REGIONS))
    return ("UTC", *places)


def matching(text: str, *, limit: int) -> list[str]:
    """Return the zones whose names hold a text, those that begin with it or whose city does first."""
    wish = _folded(text)
    found = [name for name in names() if wish in _folded(name)]
    return sorted(found, key=lambda name: not _begins(name, wish))[:limit]


def find(text: str) -> str:
    """Return the zone that a text names, by its whole name or its city alone.

    Raises:
        UserError: there is none; the message names the nearest.
    """
    wish = _folded(text)
    found = [name for name in names() if wish in (_folded(name), _city(name))]
    if len(found) == 1:
        return found[0]
    near = found or matching(text, limit=3) or _similar(wish)
    suggestions = ", ".join(f"`{name}`" for name in near[:3])
    raise UserError(
        f"I don't recognize the time zone “{escape(text, limit=60)}”. Use a region and a city, such as {suggestions}."
    )


def _similar(wish: str) -> list[str]:
    cities = {_city(name): name for name in names()}
    near = difflib.get_close_matches(wish.rpartition("/")[2], cities, n=3, cutoff=0.7)
    return [cities[city] for city in near] or ["Europe/Berlin", "America/New_York", "UTC"]


def _begins(name: str, wish: str) -> bool:
    return _folded(name).startswith(wish) or _city(name).startswith(wish)


def _city(name: str) -> str:
    return _folded(name).rpartition("/")[2]


def _folded(text: str) -> str:
    return "_".join(text.casefold().split())
