"""Makes games repeat: reads how, suggests ways, and confirms them with the next dates."""

from bot.features.repeats.creation import (
    confirm_dates,
    describe_clock_changes,
    make_series,
    plan_series,
    require_time_between,
)
from bot.features.repeats.phrases import format_repeat, is_once, parse_repeat, read_repeat
from bot.features.repeats.suggestions import list_repeats

__all__ = [
    "confirm_dates",
    "describe_clock_changes",
    "format_repeat",
    "is_once",
    "list_repeats",
    "make_series",
    "parse_repeat",
    "plan_series",
    "read_repeat",
    "require_time_between",
]
