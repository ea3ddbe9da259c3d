"""Finds the IANA time zone that a server's admin means."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bot.features.errors import UserError
from bot.features.times.zone_names import ABBREVIATIONS, distinct, fold, list_zones, zones_by_name
from bot.rendering.escaping import escape


def find_time_zone(text: str, *, now: datetime | None = None) -> str:
    """Return the zone with this name, old name, city or country.

    Raises:
        UserError: there is none, or several. The message suggests names, with the time there now.
    """
    now = now or datetime.now(UTC)
    wanted = _fold(text)
    exact = distinct(zones_by_name().get(wanted, ()), now=now)
    if len(exact) == 1:
        return exact[0]
    near = exact or _abbreviated(wanted) or search_time_zones(text, limit=3) or _find_similar(wanted)
    quoted = f"“{escape(text, limit=60)}”"
    if not near:
        raise UserError(
            f"I don't know the time zone {quoted}. Enter a big city in your time zone, such as `Berlin` or `New York`."
        )
    *most, last = (f"`{zone}` ({now.astimezone(ZoneInfo(zone)):%H:%M} there now)" for zone in near[:4])
    raise UserError(f"{quoted} isn't one time zone. Did you mean {', '.join(most)}{' or ' if most else ''}{last}?")


def search_time_zones(text: str, *, limit: int) -> list[str]:
    """Return the zones that an abbreviation means, then those with a name, city or country that begins or goes so."""
    wanted = _fold(text)
    names = zones_by_name()
    found = sorted(
        (name for name in names if wanted in name), key=lambda name: (not name.startswith(wanted), len(name))
    )
    in_order = (
        list_zones() if not wanted else (*_abbreviated(wanted), *(zone for name in found for zone in names[name]))
    )
    return list(dict.fromkeys(in_order))[:limit]


def format_zone_choice(zone: str, *, now: datetime) -> str:
    """Return "Europe/Berlin · 19:02 now (CET)"."""
    local = now.astimezone(ZoneInfo(zone))
    abbreviation = local.tzname() or ""
    return f"{zone} · {local:%H:%M} now" + (f" ({abbreviation})" if abbreviation.isalpha() and zone != "UTC" else "")


def _abbreviated(wanted: str) -> list[str]:
    zones, _offset = ABBREVIATIONS.get(wanted, ((), None))
    return [*zones, *(["UTC"] if wanted == "gmt" else [])]


def _find_similar(wanted: str) -> list[str]:
    near = difflib.get_close_matches(wanted, zones_by_name(), n=3, cutoff=0.7)
    tail = difflib.get_close_matches(wanted.rpartition("/")[2], zones_by_name(), n=3, cutoff=0.7)
    return list(dict.fromkeys(zone for name in (*near, *tail) for zone in zones_by_name()[name]))[:3]


def _fold(text: str) -> str:
    folded = fold(text)
    return folded.removesuffix(" time") or folded
