"""Series as embeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.rendering.embeds import format_heading, format_list
from bot.rendering.escaping import escape
from bot.rendering.formatting import describe_offsets, format_mention, format_role, format_timestamp
from bot.rendering.payload import EMBED_TITLE_LIMIT, UNTITLED, Payload, message_link
from bot.rendering.place import format_place
from bot.rendering.slots import format_slot
from shared.formatting import format_duration, plural
from shared.models import ExceptionKind, Game, GameSeries, PauseReason, SeriesState
from shared.series.planning import resolve
from shared.series.rule import Rule

_COLOURS = {SeriesState.ACTIVE: 0xD9A441, SeriesState.PAUSED: 0x7A818C, SeriesState.ENDED: 0x7A818C}
_STATES = {SeriesState.ACTIVE: "", SeriesState.PAUSED: " · ⏸️ paused", SeriesState.ENDED: " · 🏁 ended"}
_PAUSE_REASONS: Mapping[str, str] = {
    PauseReason.CHANNEL_DELETED: "its channel was deleted",
    PauseReason.BOT_REMOVED: "I was removed from the server",
}
_EXCEPTIONS = {ExceptionKind.SKIPPED: "skipped", ExceptionKind.MISSED: "missed"}
_EXCEPTIONS_SHOWN = 5
_REGULARS_SHOWN = 30


def series_list_embed(many: Sequence[tuple[GameSeries, Mapping[datetime, Game | None]]]) -> Payload:
    """Return the embed that lists series with the first of their next dates, cut where it is full."""
    return {
        "title": "🔁 Series",
        "description": format_list([_describe_entry(series, upcoming) for series, upcoming in many])
        or "No game repeats yet. To repeat one, fill in `repeat` in `/game create`.",
        "color": _COLOURS[SeriesState.ACTIVE],
    }


def series_embed(
    series: GameSeries, upcoming: Mapping[datetime, Game | None], exceptions: Mapping[datetime, ExceptionKind]
) -> Payload:
    """Return the embed with all details of a series. Times are local ones of its zone."""
    seats = "no limit" if series.capacity is None else plural(series.capacity, "seat")
    ahead = plural(series.open_ahead, "game")
    fields = [
        _field("Next", "\n".join(_describe_date(series, *entry) for entry in upcoming.items()) or "No more dates"),
        _field("Duration", format_duration(series.duration), inline=True),
        _field("Players", seats, inline=True),
        _field("Host", format_mention(series.host_id), inline=True),
        _field("Open at once", ahead, inline=True),
        _field("Roster", "Carries over" if series.carries_roster else "Starts empty", inline=True),
    ]
    fields.extend(_field(name, value, inline=True) for name, value in _describe_details(series).items() if value)
    if series.regulars:
        shown = " ".join(map(format_mention, series.regulars[:_REGULARS_SHOWN]))
        more = len(series.regulars) - _REGULARS_SHOWN
        fields.append(_field("Regulars", f"{shown} and {more} more" if more > 0 else shown))
    if exceptions:
        latest = sorted(exceptions.items())[-_EXCEPTIONS_SHOWN:]
        lines = (f"{_format_start(series, local)} {_EXCEPTIONS[kind]}" for local, kind in latest)
        fields.append(_field("Left out", "\n".join(lines)))
    return {
        "title": f"🔁 {escape(series.title, limit=EMBED_TITLE_LIMIT - 8) or UNTITLED}",
        "description": f"{_rule(series)} at {series.local_start:%H:%M} ({series.zone}){_describe_state(series)}",
        "color": _COLOURS[series.state],
        "fields": fields,
        "footer": {"text": "Dates are shown in your time zone."},
    }


def _describe_details(series: GameSeries) -> dict[str, str]:
    """Return what only some games have, by its name. What a series has not is empty."""
    minimum, role_id = series.minimum_players, series.required_role_id
    return {
        "Slots": ", ".join(f"{slot.capacity or ''} {format_slot(slot)}".strip() for slot in series.slots),
        "Place": format_place(series.place or ""),
        "Sign-ups close": describe_offsets([series.closes_minutes]) if series.closes_minutes else "",
        "Only for": "" if role_id is None else format_role(role_id),
        "Needs": "" if minimum is None else f"at least {plural(minimum, 'player')}",
        "Time to take a free seat": (
            format_duration(timedelta(minutes=series.offer_minutes)) if series.offer_minutes else ""
        ),
    }


def describe_pause(reason: str) -> str:
    """Return why the bot has paused a series."""
    return _PAUSE_REASONS.get(reason, reason)


def _describe_entry(series: GameSeries, upcoming: Mapping[datetime, Game | None]) -> str:
    local, game = next(iter(upcoming.items()), (None, None))
    entry = f"{format_heading(series.title, game)}{_describe_state(series)}\n{_rule(series)}"
    return entry if local is None else f"{entry} · next {_format_start(series, local, game)}"


def _describe_state(series: GameSeries) -> str:
    reason = series.pause_reason
    return _STATES[series.state] + ("" if reason is None else f": {describe_pause(reason)}")


def _describe_date(series: GameSeries, local: datetime, game: Game | None) -> str:
    start = _format_start(series, local, game)
    if game is None:
        return start
    link = message_link(game)
    return f"{start} · [announced]({link})" if link else f"{start} · announced"


def _format_start(series: GameSeries, local: datetime, game: Game | None = None) -> str:
    return format_timestamp(game.scheduled_at if game else resolve(local, ZoneInfo(series.zone)), "F")


def _rule(series: GameSeries) -> str:
    return Rule.parse(series.rule).describe()


def _field(name: str, value: str, *, inline: bool = False) -> Payload:
    return {"name": name, "value": value, "inline": inline}
