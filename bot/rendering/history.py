"""Renders who changed what as plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.rendering.escaping import escape, utf16_length
from bot.rendering.formatting import describe_offsets, format_mention, format_role, format_timestamp
from bot.rendering.payload import CONTENT_LIMIT
from bot.rendering.place import format_place
from bot.rendering.series_embeds import describe_pause
from shared.audit import Entry
from shared.formatting import format_duration, join_words
from shared.models import AuditAction
from shared.series.rule import Rule

_TITLE_LIMIT = 100
_SLOT_LIMIT = 80
_ACTIONS: Mapping[str, str] = {
    AuditAction.CREATED: "created the game",
    AuditAction.CANCELLED: "cancelled the game",
    AuditAction.JOINED: "joined",
    AuditAction.WAITLISTED: "joined the waitlist",
    AuditAction.PROMOTED: "gave a free seat to {user}",
    AuditAction.SEAT_TAKEN: "took the offered seat",
    AuditAction.OFFER_ENDED: "took back the seat that {user} didn't take in time",
    AuditAction.CONFIRMED: "confirmed the new time",
    AuditAction.CONFIRMATION_ASKED: "asked the players to confirm the new time",
    AuditAction.MAYBE: "answered maybe",
    AuditAction.DECLINED: "can't come",
    AuditAction.LEFT: "left",
    AuditAction.PLAYER_ADDED: "added {user}",
    AuditAction.PLAYER_REMOVED: "removed {user}",
    AuditAction.LEFT_SERVER: "took out {user}, who left the server",
    AuditAction.CO_HOST_ADDED: "made {user} a co-host",
    AuditAction.CO_HOST_REMOVED: "removed the co-host {user}",
    AuditAction.HANDED_OVER: "made {user} the host",
    AuditAction.MOVED_UP: "moved {user} to the front of the waitlist",
    AuditAction.SERIES_STARTED: "made it a series",
    AuditAction.SERIES_RESUMED: "resumed the series",
    AuditAction.SERIES_ENDED: "ended the series",
    AuditAction.SERIES_HANDED_OVER: "made {user} the host of the series",
}
"""What somebody did. Edits say what they changed."""


def history_message(title: str, entries: Sequence[Entry]) -> str:
    """Return the entries as a list, as many as fit into a message."""
    text = f"**{escape(title, limit=2 * _TITLE_LIMIT)}**"
    for entry in entries:
        line = f"\n{format_timestamp(entry.at, 'R')}: {format_actor(entry.actor_id)} {_describe(entry)}"
        if utf16_length(text) + utf16_length(line) > CONTENT_LIMIT:
            break
        text += line
    return text if entries else f"{text}\nNothing has happened yet."


def format_actor(user_id: int | None) -> str:
    """Return who did something."""
    return "Questbell" if user_id is None else format_mention(user_id)


def _describe(entry: Entry) -> str:
    user_id = entry.detail.get("user_id")
    changed: Mapping[str, Sequence[Any]] = entry.detail.get("changed", {})
    match entry.action:
        case AuditAction.EDITED:
            return _describe_changes(changed) if changed else "edited the game"
        case AuditAction.SERIES_EDITED:
            return f"edited the series: {_describe_changes(changed)}" if changed else "edited the series"
        case AuditAction.SERIES_PAUSED:
            _, reason = changed.get("pause_reason", (None, None))
            return f"paused the series{'' if reason is None else f': {describe_pause(reason)}'}"
        case AuditAction.DATE_SKIPPED:
            date, _ = changed.get("date", (None, None))
            return f"skipped {'a date' if date is None else _write_time(date)}"
        case AuditAction.SLOT_CHANGED:
            return _describe_slot_change(entry, user_id)
    return _ACTIONS.get(entry.action, entry.action).format(user=format_actor(user_id))


def _describe_changes(changed: Mapping[str, Sequence[Any]]) -> str:
    return join_words(_describe_change(name, before, after) for name, (before, after) in changed.items())


def _describe_slot_change(entry: Entry, user_id: int | None) -> str:
    before, after = entry.detail.get("changed", {}).get("slot", (None, None))
    slot = "another slot" if after is None else f"the slot {escape(after, limit=_SLOT_LIMIT)}"
    if user_id != entry.actor_id:
        return f"moved {format_actor(user_id)} to {slot}"
    return f"chose {slot}" if before is None else f"changed from {escape(before, limit=_SLOT_LIMIT)} to {slot}"


def _describe_change(name: str, before: Any, after: Any) -> str:
    if name not in _FIELDS:
        return f"changed the {name.replace('_', ' ')}"
    field, write = _FIELDS[name]
    if before is None and after is None:
        return f"changed {field}"
    return f"changed {field} from {write(before)} to {write(after)}"


def _write_title(value: Any) -> str:
    return f"“{escape(str(value), limit=_TITLE_LIMIT)}”"


def _write_place(value: Any) -> str:
    return format_place(str(value)) or "none"


def _write_time(value: Any) -> str:
    return format_timestamp(datetime.fromisoformat(value), "f")


def _write_duration(value: Any) -> str:
    return format_duration(timedelta(seconds=value))


def _write_capacity(value: Any) -> str:
    return "no limit" if value is None else str(value)


def _write_closing(value: Any) -> str:
    return describe_offsets([value or 0])


def _write_offer(value: Any) -> str:
    return format_duration(timedelta(minutes=value)) if value else "none"


def _write_role(value: Any) -> str:
    return "none" if value is None else format_role(value)


def _write_minimum(value: Any) -> str:
    return "none" if value is None else str(value)


def _write_check(value: Any) -> str:
    return "the usual time" if value is None else describe_offsets([value])


def _write_rule(value: Any) -> str:
    return f"“{Rule.parse(value).describe()}”"


def _write_switch(value: Any) -> str:
    return "yes" if value else "no"


def _write_nudge(value: Any) -> str:
    return "none" if value is None else describe_offsets([value])


_FIELDS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "title": ("the title", _write_title),
    "description": ("the description", str),
    "place": ("the place", _write_place),
    "scheduled_at": ("the start", _write_time),
    "duration": ("the duration", _write_duration),
    "slots": ("the slots", str),
    "offer_minutes": ("the time to take a free seat", _write_offer),
    "capacity": ("the number of seats", _write_capacity),
    "reminder_offsets": ("the reminders", describe_offsets),
    "required_role_id": ("the required role", _write_role),
    "minimum_players": ("the minimum of players", _write_minimum),
    "minimum_minutes": ("when the players are counted", _write_check),
    "closes_minutes": ("the end of sign-ups", _write_closing),
    "nudge_minutes": ("the nudge", _write_nudge),
    "nudge_role_id": ("the role to nudge", _write_role),
    "rule": ("how it repeats", _write_rule),
    "clock": ("the time of day", str),
    "open_ahead": ("how many games are open at once", str),
    "carries_roster": ("whether the roster carries over", _write_switch),
    "regulars": ("the regulars", str),
}
"""The words for what can be edited, and how its values are written."""
