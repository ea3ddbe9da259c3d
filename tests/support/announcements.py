"""A game's announcement, written briefly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.rendering import GamePeople, Payload, Responder, announcement_message
from shared.models import Game


def announcement(
    game: Game,
    players: Iterable[int] = (),
    responses: Sequence[Responder] = (),
    *,
    slots: Mapping[int, str | None] | None = None,
    is_closed: bool = False,
    nonce: str = "",
    **people: Any,
) -> Payload:
    """Return the announcement with these players, of whom `slots` names the slots."""
    seats = {player: (slots or {}).get(player) for player in players}
    shown = GamePeople(seats=seats, responses=responses, **people)
    return announcement_message(game, shown, is_closed=is_closed, nonce=nonce)
