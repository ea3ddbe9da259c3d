"""Reads and words what limits the sign-ups of a game."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.features.errors import UserError
from bot.features.times import format_span, parse_time_before
from bot.rendering.formatting import format_timestamp
from shared.models import Game
from shared.signup_rules import closing_time


def parse_closing(text: str) -> int | None:
    """Return how many minutes before the start sign-ups close, None if that is at the start.

    Raises:
        UserError: the text is invalid, or too long a time.
    """
    return (parse_time_before(text, option="closes") or None) if text else None


def require_open_sign_ups(start: datetime, closes_minutes: int | None, *, now: datetime) -> None:
    """Check that players can join a new game.

    Raises:
        UserError: sign-ups would be closed already.
    """
    if closes_minutes is not None and start - timedelta(minutes=closes_minutes) <= now:
        span = format_span(timedelta(minutes=closes_minutes))
        raise UserError(
            f"{span} before the start is in the past, so nobody could join. "
            "Enter a shorter time for `closes`, or leave it out."
        )


def format_minutes(minutes: int | None) -> str:
    """Return "1h30m", which is read as the same length, or an empty text for none."""
    return format_span(timedelta(minutes=minutes)) if minutes else ""


def describe_limits(game: Game, *, now: datetime) -> list[str]:
    """Return a line for each limit that has its own time."""
    closes_at = closing_time(game)
    if closes_at is None:
        return []
    close = "close" if closes_at > now else "have been closed since"
    return [f"🚪 Sign-ups {close}: {format_timestamp(closes_at, 'f')}"]
