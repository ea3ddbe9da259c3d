"""The buttons of our messages. Their ids carry the game, so that they work after any restart.

The last one of a message that was told carries a mark too: by it the message is found again in its channel.
"""

from __future__ import annotations

from uuid import UUID

from bot.rendering.payload import Payload

JOIN = "questbell:join:"
LEAVE = "questbell:leave:"
CLOSED = "questbell:closed"

_ACTION_ROW, _BUTTON = 1, 2
_GREY, _GREEN = 2, 3


def signup(game_id: UUID, *, mark: str = "") -> list[Payload]:
    """Return the row with Join and Leave. A full game keeps Join: the click is answered from the roster of that moment,
    while an edit that re-enabled the button could be late."""
    return _row(
        {"style": _GREEN, "label": "Join", "custom_id": f"{JOIN}{game_id}"},
        {"style": _GREY, "label": "Leave", "custom_id": f"{LEAVE}{game_id}{_suffix(mark)}"},
    )


def leave(game_id: UUID, *, mark: str) -> list[Payload]:
    """Return the row under a reminder: the last chance to say so."""
    return _row({"style": _GREY, "label": "Can't make it", "custom_id": f"{LEAVE}{game_id}{_suffix(mark)}"})


def closed(label: str, *, mark: str) -> list[Payload]:
    """Return a row that nobody can press, under what cannot be joined: it only carries the mark."""
    return _row({"style": _GREY, "label": label, "custom_id": f"{CLOSED}{_suffix(mark)}", "disabled": True})


def _suffix(mark: str) -> str:
    return f":{mark}" if mark else ""


def _row(*buttons: Payload) -> list[Payload]:
    return [{"type": _ACTION_ROW, "components": [{"type": _BUTTON, **button} for button in buttons]}]
