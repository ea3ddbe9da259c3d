"""Who can still get a seat in a game, or a place on its waitlist. The caller has locked the game.

Users who have a seat keep it. Those who wait are promoted also after sign-ups are closed, and after they lost the role:
only Discord knows who has it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from shared.models import Game


def closing_time(game: Game) -> datetime | None:
    """Return when sign-ups close, None if that is at the start. It moves with the game."""
    return game.scheduled_at - timedelta(minutes=game.closes_minutes) if game.closes_minutes else None


def is_past_closing(game: Game, *, now: datetime) -> bool:
    """Return whether sign-ups are closed before the start."""
    closes_at = closing_time(game)
    return closes_at is not None and now >= closes_at


def lacks_role(game: Game, role_ids: Collection[int]) -> bool:
    """Return whether a game is for a role that a user with these roles does not have."""
    return game.required_role_id is not None and game.required_role_id not in role_ids
