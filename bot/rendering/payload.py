"""The parts of messages: Discord's limits, mentions, links and buttons.

Button ids carry the game and work after a restart. A delivered message's last button also carries the nonce that
identifies it.

Sources: https://docs.discord.com/developers/resources/message#create-message and
https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.game_search import ListedGame
from shared.models import Game

Payload = dict[str, Any]

CONTENT_LIMIT = 2000
FIELD_LIMIT = 1024
EMBED_TITLE_LIMIT = 256

MENTIONS_LIMIT = 75
"""Discord allows 100 pings, but the mentions (23 characters each) must leave space for the title."""

SUPPRESS_EMBEDS = 1 << 2
"""Keeps links from unfolding."""

UNTITLED = "Untitled game"

JOIN_ID = "questbell:join:"
MAYBE_ID = "questbell:maybe:"
LEAVE_ID = "questbell:leave:"
TAKE_ID = "questbell:take:"
ASK_ID = "questbell:ask-to-confirm:"
CONFIRM_ID = "questbell:confirm:"
SLOT_ID = "questbell:slot:"
EDIT_ID = "questbell:edit:"
SNOOZE_ID = "questbell:snooze:"
MINIMUM_CANCEL_ID = "questbell:minimum-cancel:"
MINIMUM_KEEP_ID = "questbell:minimum-keep:"
DISABLED_ID = "questbell:closed"

SNOOZE_DELAYS = {15: "Snooze 15 min", 60: "Snooze 1 h"}
"""The buttons that snooze a reminder, by minutes."""

_ACTION_ROW, _BUTTON = 1, 2
_GREY, _GREEN, _RED = 2, 3, 4


def allowed_role(role_id: int) -> Payload:
    """Return the `allowed_mentions` that ping exactly this role."""
    return {"parse": [], "roles": [str(role_id)]}


def allowed_mentions(user_ids: Sequence[int]) -> Payload:
    """Return the `allowed_mentions` that ping exactly these users, or nobody."""
    return {"parse": [], "users": [str(user_id) for user_id in user_ids]} if user_ids else {"parse": []}


def message_link(game: Game | ListedGame) -> str | None:
    """Return the link to a game's announcement, or None before it is posted."""
    if game.message_id is None:
        return None
    return f"https://discord.com/channels/{game.guild_id}/{game.channel_id}/{game.message_id}"


def signup_buttons(game_id: UUID, *, nonce: str = "", can_join: bool = True) -> list[Payload]:
    """Return the buttons of the three answers, and Edit, which only some may press. In a full game, Join leads to the
    waitlist."""
    return _row(
        {"style": _GREEN, "label": "Join", "custom_id": f"{JOIN_ID}{game_id}", "disabled": not can_join},
        {"style": _GREY, "label": "Maybe", "custom_id": f"{MAYBE_ID}{game_id}"},
        {"style": _GREY, "label": "Can't", "custom_id": f"{LEAVE_ID}{game_id}"},
        {"style": _GREY, "label": "Edit", "custom_id": f"{EDIT_ID}{game_id}{_suffix(nonce)}"},
    )


def nudge_buttons(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under a nudge. No id ends with the game's, by which announcements are recognised."""
    return _row(
        {"style": _GREEN, "label": "Join", "custom_id": f"{JOIN_ID}{game_id}{_suffix(nonce)}"},
        {"style": _GREY, "label": "Maybe", "custom_id": f"{MAYBE_ID}{game_id}{_suffix(nonce)}"},
        {"style": _GREY, "label": "Can't", "custom_id": f"{LEAVE_ID}{game_id}{_suffix(nonce)}"},
    )


def leave_button(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under a reminder."""
    return _row({"style": _GREY, "label": "Can't make it", "custom_id": f"{LEAVE_ID}{game_id}{_suffix(nonce)}"})


def minimum_buttons(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under the question about a game that too few have joined."""
    return _row(
        {"style": _RED, "label": "Cancel the game", "custom_id": f"{MINIMUM_CANCEL_ID}{game_id}{_suffix(nonce)}"},
        {"style": _GREY, "label": "Keep it", "custom_id": f"{MINIMUM_KEEP_ID}{game_id}{_suffix(nonce)}"},
    )


def offer_buttons(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under the offer of a seat. No id ends with the game's, by which announcements are recognised."""
    return _row(
        {"style": _GREEN, "label": "Take it", "custom_id": f"{TAKE_ID}{game_id}{_suffix(nonce)}"},
        {"style": _GREY, "label": "Can't make it", "custom_id": f"{LEAVE_ID}{game_id}{_suffix(nonce)}"},
    )


def join_button(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under the notice of a lost seat."""
    return _row({"style": _GREY, "label": "Join", "custom_id": f"{JOIN_ID}{game_id}{_suffix(nonce)}"})


def confirm_buttons(game_id: UUID, *, nonce: str) -> list[Payload]:
    """Return the row under a new time to confirm. No id ends with the game's, by which announcements are recognised."""
    return _row(
        {"style": _GREEN, "label": "I can make it", "custom_id": f"{CONFIRM_ID}{game_id}{_suffix(nonce)}"},
        {"style": _GREY, "label": "Can't make it", "custom_id": f"{LEAVE_ID}{game_id}{_suffix(nonce)}"},
    )


def add_snooze_buttons(rows: list[Payload], game_id: UUID, *, left: timedelta) -> list[Payload]:
    """Return a reminder's row with those buttons before the others that end before the start, which is `left` away.

    Their ids do not end with the game's id, by which announcements are recognised.
    """
    [row] = rows
    buttons = [
        {"type": _BUTTON, "style": _GREY, "label": label, "custom_id": f"{SNOOZE_ID}{game_id}:{minutes}"}
        for minutes, label in SNOOZE_DELAYS.items()
        if timedelta(minutes=minutes) < left
    ]
    return [{**row, "components": [*buttons, *row["components"]]}]


def disabled_button(label: str, *, nonce: str) -> list[Payload]:
    """Return a disabled button, which only carries the nonce."""
    return _row({"style": _GREY, "label": label, "custom_id": f"{DISABLED_ID}{_suffix(nonce)}", "disabled": True})


def _suffix(nonce: str) -> str:
    return f":{nonce}" if nonce else ""


def _row(*buttons: Payload) -> list[Payload]:
    return [{"type": _ACTION_ROW, "components": [{"type": _BUTTON, **button} for button in buttons]}]
