"""Percentiles of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

PLACES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def percentile(ordered: Sequence[T], place: float) -> T:
    """Return the value at a place from 0 to 1 of an ascending sequence."""
    return ordered[min(len(ordered) - 1, int(place * len(ordered)))]


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    """Return the percentiles of durations in seconds, in milliseconds."""
    ordered = sorted(seconds)
    return {name: round(percentile(ordered, place) * 1000, 1) for name, place in PLACES.items()}
