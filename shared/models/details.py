"""What a host says about a game. A game, a series and a new game have the same details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, Dialect, Integer, TypeDecorator, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

LONGEST_DURATION = timedelta(days=7)
"""Of a game. Hosts can enter no longer one."""


@dataclass(frozen=True)
class Slot:
    """A part that players choose when they join, such as healer, with its own seats."""

    name: str
    capacity: int | None = None
    """None is no limit."""
    emoji: str = ""


class Slots(TypeDecorator[tuple[Slot, ...]]):
    """The slots of a game as JSON, in the order in which they are shown."""

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: Sequence[Slot] | None, dialect: Dialect) -> list[dict[str, Any]]:
        """Return the JSON."""
        return [asdict(slot) for slot in value or ()]

    def process_result_value(self, value: list[dict[str, Any]] | None, dialect: Dialect) -> tuple[Slot, ...]:
        """Return the slots."""
        return tuple(Slot(**slot) for slot in value or ())


class GameDetails:
    """The columns of a game that the games of a series share."""

    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    place: Mapped[str] = mapped_column(default="", server_default=text("''"))
    """Where it is played: a text, or the mention of a channel."""
    duration: Mapped[timedelta]
    capacity: Mapped[int | None]
    slots: Mapped[tuple[Slot, ...]] = mapped_column(Slots, default=(), server_default=text("'[]'"))
    reminder_offsets: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    required_role_id: Mapped[int | None]
    """Who can join. None is everybody."""
    closes_minutes: Mapped[int | None]
    """How long before the start sign-ups end. None is at the start."""
    minimum_players: Mapped[int | None]
    """With fewer, the host is asked whether to cancel the game."""
    minimum_minutes: Mapped[int | None]
    """How long before the start the host is asked."""
    offer_minutes: Mapped[int | None]
    """How long a promoted player has to confirm a seat. None is no need to."""
    nudge_minutes: Mapped[int | None]
    """How long before the start those are nudged who have not answered. None is never."""
    nudge_role_id: Mapped[int | None]
    """Who is nudged. None is the players of earlier games."""


DETAILS = tuple(GameDetails.__annotations__)


def copy_details(source: Any) -> dict[str, Any]:
    """Return the details of a game, a series or a new game by name."""
    details = {name: getattr(source, name) for name in DETAILS}
    return details | {"reminder_offsets": list(details["reminder_offsets"])}
