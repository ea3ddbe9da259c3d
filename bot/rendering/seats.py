"""What seats say beside who has them, alike for the rows of a delivery and for those of a command."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol


class Seat(Protocol):
    """A player's seat."""

    @property
    def user_id(self) -> int:
        """Return who has it."""

    @property
    def is_confirmed(self) -> bool:
        """Return whether the player has confirmed the time, and taken a seat that was offered."""

    @property
    def offered_until(self) -> datetime | None:
        """Return when a seat that is only offered goes to the next, else None."""


def list_unconfirmed(seats: Iterable[Seat]) -> list[int]:
    """Return the players who have not confirmed a new time yet."""
    return [seat.user_id for seat in seats if not seat.is_confirmed and seat.offered_until is None]


def list_offered(seats: Iterable[Seat]) -> list[int]:
    """Return the players who have not taken an offered seat yet."""
    return [seat.user_id for seat in seats if seat.offered_until is not None]
