"""The time zones that a server can choose: IANA names, found in any spelling.

Names such as `EST` or `Etc/GMT+5` are left out: the first has no summer time and the second is the opposite of what it
seems to say.
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
def list_time_zones() -> tuple[str, ...]:
    """Return the names of all zones, "UTC" first. The first call reads the disk."""
    zones = sorted(name for name in zoneinfo.available_timezones() if name.startswith(_REGIONS))
    return ("UTC", *zones)


def search_time_zones(text: str, *, limit: int) -> list[str]:
    """Return the zones whose names contain a text. Names or cities that start with it come first."""
    wanted = _fold(text)
    found = [name for name in list_time_zones() if wanted in _fold(name)]
    return sorted(found, key=lambda name: not _starts_with(name, wanted))[:limit]


def find_time_zone(text: str) -> str:
    """Return the zone with this name or this city.

    Raises:
        UserError: there is none. The message suggests the nearest names.
    """
    wanted = _fold(text)
    found = [name for name in list_time_zones() if wanted in (_fold(name), _city(name))]
    if len(found) == 1:
        return found[0]
    near = found or search_time_zones(text, limit=3) or _find_similar(wanted)
    suggestions = ", ".join(f"`{name}`" for name in near[:3])
    raise UserError(
        f"I don't recognize the time zone “{escape(text, limit=60)}”. Use a region and a city, such as {suggestions}."
    )


def _find_similar(wanted: str) -> list[str]:
    cities = {_city(name): name for name in list_time_zones()}
    near = difflib.get_close_matches(wanted.rpartition("/")[2], cities, n=3, cutoff=0.7)
    return [cities[city] for city in near] or ["Europe/Berlin", "America/New_York", "UTC"]


def _starts_with(name: str, wanted: str) -> bool:
    return _fold(name).startswith(wanted) or _city(name).startswith(wanted)


def _city(name: str) -> str:
    return _fold(name).rpartition("/")[2]


def _fold(text: str) -> str:
    return "_".join(text.casefold().split())
