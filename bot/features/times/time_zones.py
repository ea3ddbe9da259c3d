"""The IANA time zones that a server can choose.

`EST` has no summer time and `Etc/GMT+5` has the opposite sign, so such names are left out.
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


_ABBREVIATIONS = {
    ("est", "edt", "et", "eastern", "us/eastern"): ("America/New_York",),
    ("cst", "cdt", "ct", "central", "us/central"): ("America/Chicago",),
    ("mst", "mdt", "mt", "mountain", "us/mountain"): ("America/Denver",),
    ("pst", "pdt", "pt", "pacific", "us/pacific"): ("America/Los_Angeles",),
    ("gmt",): ("Europe/London", "UTC"),
    ("bst", "uk", "england"): ("Europe/London",),
    ("cet", "cest"): ("Europe/Berlin", "Europe/Paris"),
    ("ist", "india"): ("Asia/Kolkata",),
    ("jst", "japan"): ("Asia/Tokyo",),
    ("aest", "aedt"): ("Australia/Sydney",),
}
"""Only suggested, because some abbreviations mean several zones."""


@cache
def list_time_zones() -> tuple[str, ...]:
    """Return all zone names, "UTC" first. The first call reads the disk."""
    zones = sorted(name for name in zoneinfo.available_timezones() if name.startswith(_REGIONS))
    return ("UTC", *zones)


def search_time_zones(text: str, *, limit: int) -> list[str]:
    """Return the zones that an abbreviation means, then those whose names contain the text."""
    wanted = _fold(text)
    meant = _expand_abbreviation(wanted)
    found = [name for name in list_time_zones() if wanted in _fold(name) and name not in meant]
    return [*meant, *sorted(found, key=lambda name: not _starts_with(name, wanted))][:limit]


def find_time_zone(text: str) -> str:
    """Return the zone with this name or city.

    Raises:
        UserError: there is none. The message suggests the nearest names.
    """
    wanted = _fold(text)
    found = [name for name in list_time_zones() if wanted in (_fold(name), _city(name))]
    if len(found) == 1:
        return found[0]
    near = found or _expand_abbreviation(wanted) or search_time_zones(text, limit=3) or _find_similar(wanted)
    unknown = f"I don't know the time zone “{escape(text, limit=60)}”."
    if not near:
        raise UserError(f"{unknown} Enter a big city in your time zone, such as `Berlin` or `New York`.")
    *most, last = (f"`{name}`" for name in near[:3])
    raise UserError(f"{unknown} Did you mean {', '.join(most)}{' or ' if most else ''}{last}?")


def _find_similar(wanted: str) -> list[str]:
    cities = {_city(name): name for name in list_time_zones()}
    near = difflib.get_close_matches(wanted.rpartition("/")[2], cities, n=3, cutoff=0.7)
    return [cities[city] for city in near]


def _expand_abbreviation(wanted: str) -> list[str]:
    return [name for texts, names in _ABBREVIATIONS.items() if wanted in texts for name in names]


def _starts_with(name: str, wanted: str) -> bool:
    return _fold(name).startswith(wanted) or _city(name).startswith(wanted)


def _city(name: str) -> str:
    return _fold(name).rpartition("/")[2]


def _fold(text: str) -> str:
    return "_".join(text.casefold().split())
