"""Commands count as changed only if users would see a difference."""

from __future__ import annotations

from typing import Any

import pytest

from bot.features.registration import normalize_commands

WANTED: dict[str, Any] = {
    "name": "game",
    "type": 1,
    "description": "Plan",
    "contexts": [0],
    "nsfw": False,
    "default_member_permissions": 32,
    "options": [{"name": "players", "type": 4, "required": False, "min_value": 0, "choices": []}],
}


def test_fields_that_discord_adds_or_omits_are_not_a_change() -> None:
    known = {
        "name": "game",
        "type": 1,
        "description": "Plan",
        "contexts": [0],
        "default_member_permissions": "32",
        "id": "7",
        "version": "8",
        "application_id": "9",
        "dm_permission": False,
        "name_localizations": None,
        "options": [{"name": "players", "type": 4, "min_value": 0}],
    }
    assert normalize_commands([known]) == normalize_commands([WANTED])


@pytest.mark.parametrize(
    "change",
    [
        {"description": "Play"},
        {"default_member_permissions": 0},
        {"options": [{"name": "players", "type": 4, "min_value": 1}]},
        {"options": [{"name": "players", "type": 4}]},
        {"options": []},
    ],
)
def test_everything_that_users_see_counts_as_a_change(change: dict[str, Any]) -> None:
    assert normalize_commands([WANTED | change]) != normalize_commands([WANTED])
