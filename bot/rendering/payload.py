"""The parts that messages are made of: Discord's limits, mentions, links and buttons.

Payloads are plain dictionaries as the REST API takes them, so that the delivery code sends them without discord.py.
The ids of buttons carry the game, so buttons work after any restart. The last button of a delivered message carries
its nonce too, by which the message is found again in its channel.

Sources: https://docs.discord.com/developers/resources/message#create-message and
https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.models import Game

Payload = dict[str, Any]

CONTENT_LIMIT = 2000
FIELD_LIMIT = 1024
EMBED_TITLE_LIMIT = 256

MENTIONS_LIMIT = 75
"""How many users one message may ping. Discord allows 100, but the mentions (23 characters each) and at least the
beginning of the title must fit the content too."""

SUPPRESS_EMBEDS = 1 << 2
"""The message flag that keeps links from unfolding."""

UNTITLED = "Untitled game"

JOIN_ID = "questbell:join:"
LEAVE_ID = "questbell:leave:"
DISABLED_ID = "questbell:closed"

_ACTION_ROW, _BUTTON = 1, 2
_GREY, _GREEN = 2, 3


def allowed_mentions(user_ids: Sequence[int]) -> Payload:
    """Return the `allowed_mentions` that ping exactly these users, or nobody if there are none."""
    return {"parse": [], "users": [str(user_id) for user_id in user_ids]} if user_ids else {"parse": []}


def message_link(game: Game) -> str | None:
    """Return the link to a game's announcement, or None before it is posted."""
    if game.message_id is None:
        return None
    return f"https://discord.com/channels/{game.guild_id}/{game.channel_id}/{game.message_id}"


def signup_buttons(game_id: UUID, *, nonce: str = "") -> list[Payload]:
    """Return the row with Join and Leave. A full game keeps Join: the click is answered from the current roster, while
    an edit that re-enables the button could be late."""
    return _row(
        {"style": _GREEN, "label": "Join", "custom_id": f"{JOIN_ID}{game_id}"},
        {"style": _GREY, "label": "Leave", "custom_id": f"{LEAVE_ID}{game_id}{_suffix(nonce)}"},
    )


def leave_button(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under a reminder, the last chance to cancel."""
    return _row({"style": _GREY, "label": "Can't make it", "custom_id": f"{LEAVE_ID}{game_id}{_suffix(nonce)}"})


def disabled_button(label: str, *, nonce: str) -> list[Payload]:
    """Return a row that nobody can press. It only carries the nonce of a message that has no other button."""
    return _row({"style": _GREY, "label": label, "custom_id": f"{DISABLED_ID}{_suffix(nonce)}", "disabled": True})


def _suffix(nonce: str) -> str:
    return f":{nonce}" if nonce else ""


def _row(*buttons: Payload) -> list[Payload]:
    return [{"type": _ACTION_ROW, "components": [{"type": _BUTTON, **button} for button in buttons]}]
