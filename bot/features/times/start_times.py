"""Reads the start of a game as its host writes it.

Every word and number counts. If the text can mean several times, the host is asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.features.errors import UserError
from bot.features.times.calendar import instants
from bot.features.times.durations import format_span
from bot.features.times.readings import Readings, StartTime, find_readings
from bot.features.times.zone_names import Customs, customs_of
from bot.rendering.escaping import clean, escape
from shared.formatting import format_duration

_MOST_READINGS = 6


def parse_start_time(text: str, *, zone: str, now: datetime, locale: str | None = None) -> StartTime:
    """Return the one time that a text means, always after `now`. Local times are in `zone` (an IANA name).

    Raises:
        UserError: the time is unclear, does not exist, is in the past, or is more than a year away.
    """
    customs = customs_of(zone, locale)
    found = find_readings(text, zone=zone, now=now, customs=customs)
    if found.is_clear:
        return found.times[0]
    quoted = escape(f"“{text}", limit=80)
    raise UserError(f"{quoted}” {_quote_inside(found.why)}. {_advice(found, zone=zone, now=now, customs=customs)}")


def suggest_start_times(text: str, *, zone: str, now: datetime, locale: str | None = None) -> list[tuple[str, str]]:
    """Return for each reading its description and the text that means exactly it, or why there is none."""
    customs = customs_of(zone, locale)
    found = find_readings(text, zone=zone, now=now, customs=customs)
    if not found.times:
        return [(f"“{clean(text)[:30]}” {found.why}"[:100], text)]
    return [
        (describe(time, zone=zone, customs=customs), format_start_time(time, zone=zone))
        for time in found.times[:_MOST_READINGS]
    ]


def format_start_time(time: StartTime, *, zone: str) -> str:
    """Return a text that means exactly this time, in any country: "2026-12-04 20:00 for 3h"."""
    local = time.at.astimezone(ZoneInfo(zone))
    text = f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    if len(instants(local.replace(tzinfo=None, fold=0), ZoneInfo(zone))) > 1:
        text += f"{local:%z}"
    return text if time.duration is None else f"{text} for {format_span(time.duration)}"


def describe(time: StartTime, *, zone: str, customs: Customs) -> str:
    """Return "Fri 4 Dec 2026, 20:00 (Europe/Berlin)", with 8:00 PM where people write so."""
    local = time.at.astimezone(ZoneInfo(zone))
    seconds = f"{local:%S}" if local.second else ""
    clock = f"{local:%H:%M}" if not customs.twelve_hours else f"{local:%I:%M %p}".lstrip("0")
    if seconds:
        clock = f"{local:%H:%M:%S}"
    if len(instants(local.replace(tzinfo=None, fold=0), ZoneInfo(zone))) > 1:
        clock += f" {local:%Z}"
    length = f", {format_duration(time.duration)}" if time.duration is not None else ""
    return f"{local:%a} {local.day} {local:%b %Y}, {clock}{length} ({zone})"


def give_examples(now: datetime, *, zone: str) -> list[str]:
    """Return texts that are accepted at any time."""
    day = now.astimezone(ZoneInfo(zone)) + timedelta(days=7)
    return ["tomorrow 8pm", "friday 19:30", "in 2 hours", f"{day:%Y-%m-%d} 20:00"]


def _advice(found: Readings, *, zone: str, now: datetime, customs: Customs) -> str:
    if not found.times:
        *most, last = (f"`{example}`" for example in give_examples(now, zone=zone))
        return f"I read times in {zone}. Try {', '.join(most)} or {last}."
    choices = [
        f"`{format_start_time(time, zone=zone)}` ({describe(time, zone=zone, customs=customs).rpartition(' (')[0]})"
        for time in found.times[:_MOST_READINGS]
    ]
    *most, last = choices
    return f"Enter {', '.join(most)}{' or ' if most else ''}{last}."


def _quote_inside(why: str) -> str:
    start, mark, rest = why.partition("“")
    return start + mark + escape(rest.removesuffix("”"), limit=60) + "”" if mark else why
