"""Reads times, durations and time zones strictly. A misread game is worse than one more question."""

from bot.features.times.dates import parse_clock, parse_date
from bot.features.times.durations import format_span, parse_duration, parse_reminder_offsets, parse_time_before
from bot.features.times.readings import StartTime
from bot.features.times.start_times import format_start_time, give_examples, parse_start_time, suggest_start_times
from bot.features.times.time_zones import find_time_zone, format_zone_choice, search_time_zones

__all__ = [
    "StartTime",
    "find_time_zone",
    "format_span",
    "format_start_time",
    "format_zone_choice",
    "give_examples",
    "parse_clock",
    "parse_date",
    "parse_duration",
    "parse_reminder_offsets",
    "parse_start_time",
    "parse_time_before",
    "search_time_zones",
    "suggest_start_times",
]
