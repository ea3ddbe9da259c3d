"""The text of `/game history`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.rendering.escaping import utf16_length
from bot.rendering.formatting import describe_offsets
from bot.rendering.history import history_message
from bot.rendering.payload import CONTENT_LIMIT
from shared.audit import Entry
from shared.models import AuditAction

AT = datetime(2030, 5, 1, 18, tzinfo=UTC)
SECONDS = int(AT.timestamp())


def entry(action: str, *, actor_id: int | None = 1, **detail: Any) -> Entry:
    return Entry(actor_id, action, detail, AT)


def sentence(action: str, *, actor_id: int | None = 1, **detail: Any) -> str:
    """What the list says about one entry."""
    line = history_message("Keep", [entry(action, actor_id=actor_id, **detail)]).splitlines()[1]
    head, _, text = line.partition(": ")
    assert head == f"<t:{SECONDS}:R>"
    return text


@pytest.mark.parametrize("action", [action for action in AuditAction if action is not AuditAction.SETTINGS_CHANGED])
def test_every_action_is_a_sentence(action: AuditAction) -> None:
    text = sentence(action, user_id=2)
    assert text.startswith("<@1> ")
    assert "{" not in text
    about_others = {action for action in AuditAction if "added" in action or "removed" in action}
    about_others |= {AuditAction.LEFT_SERVER, AuditAction.PROMOTED, AuditAction.SLOT_CHANGED, AuditAction.OFFER_ENDED}
    about_others |= {AuditAction.HANDED_OVER, AuditAction.SERIES_HANDED_OVER, AuditAction.MOVED_UP}
    assert ("<@2>" in text) is (action in about_others)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"title": ["Keep", "@everyone"]}, "changed the title from “Keep” to “@\u200beveryone”"),
        ({"description": [None, None]}, "changed the description"),
        (
            {"scheduled_at": [AT.isoformat(), AT.isoformat()]},
            f"changed the start from <t:{SECONDS}:f> to <t:{SECONDS}:f>",
        ),
        ({"duration": [5400.0, 10800.0]}, "changed the duration from 1 hour 30 minutes to 3 hours"),
        ({"capacity": [None, 4]}, "changed the number of seats from no limit to 4"),
        (
            {"reminder_offsets": [[60, 0], []]},
            "changed the reminders from 1 hour before and at the start to none",
        ),
        ({"sign_up_deadline": [1, 2]}, "changed the sign up deadline"),
        ({}, "edited the game"),
    ],
)
def test_an_edit_says_what_it_changed(changed: Mapping[str, Any], text: str) -> None:
    assert sentence(AuditAction.EDITED, changed=changed) == f"<@1> {text}"


@pytest.mark.parametrize(
    ("action", "changed", "text"),
    [
        (
            AuditAction.SERIES_EDITED,
            {"clock": ["20:00", "19:30"], "rule": ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=FR"]},
            "edited the series: changed the time of day from 20:00 to 19:30 "
            "and changed how it repeats from “Every day” to “Every Friday”",
        ),
        (
            AuditAction.SERIES_EDITED,
            {"carries_roster": [False, True], "regulars": [None, None]},
            "edited the series: changed whether the roster carries over from no to yes and changed the regulars",
        ),
        (AuditAction.SERIES_PAUSED, {}, "paused the series"),
        (
            AuditAction.SERIES_PAUSED,
            {"pause_reason": [None, "channel deleted"]},
            "paused the series: its channel was deleted",
        ),
        (AuditAction.SERIES_PAUSED, {"pause_reason": [None, "newer"]}, "paused the series: newer"),
        (AuditAction.DATE_SKIPPED, {"date": [AT.isoformat(), None]}, f"skipped <t:{SECONDS}:f>"),
    ],
)
def test_a_change_of_a_series_says_what_changed(action: AuditAction, changed: Mapping[str, Any], text: str) -> None:
    assert sentence(action, changed=changed) == f"<@1> {text}"


def test_what_only_a_newer_release_knows_is_shown_by_its_name() -> None:
    assert sentence("joined the waitlist", user_id=2) == "<@1> joined the waitlist"


def test_the_bot_is_an_actor_too() -> None:
    assert sentence(AuditAction.CANCELLED, actor_id=None) == "Questbell cancelled the game"


def test_the_latest_entries_are_shown_as_far_as_they_fit() -> None:
    title = ["\\*" * 100, "🎲" * 100]
    message = history_message("🎲" * 100, [entry(AuditAction.EDITED, changed={"title": title})] * 20)
    assert utf16_length(message) <= CONTENT_LIMIT
    assert len(message.splitlines()) > 4


def test_a_game_without_entries_says_so() -> None:
    assert history_message("*Keep*", []) == "**\\*Keep\\***\nNothing has happened yet."


@pytest.mark.parametrize(("offsets", "text"), [((), "none"), ((0, 60), "1 hour before and at the start")])
def test_reminders_are_described(offsets: tuple[int, ...], text: str) -> None:
    assert describe_offsets(offsets) == text
