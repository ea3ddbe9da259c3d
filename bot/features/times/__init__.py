"""Parses times, durations and time zones strictly. A misread game is worse than one more question."""

from bot.features.times.durations import parse_duration, parse_reminder_offsets
from bot.features.times.questions import list_bare_hour_meanings
from bot.features.times.start_times import parse_start_time
from bot.features.times.time_zones import find_time_zone, search_time_zones

__all__ = [
    "find_time_zone",
    "list_bare_hour_meanings",
    "parse_duration",
    "parse_reminder_offsets",
    "parse_start_time",
    "search_time_zones",
]
