"""What people write of times and durations, read strictly: a misread session is worse than one more question."""

from bot.features.times._durations import parse_duration, parse_offsets
from bot.features.times._when import parse_when

__all__ = ["parse_duration", "parse_offsets", "parse_when"]
