"""Each kind of notification is complete: it has a validity, content, and an emoji by which `recover` finds it."""

from __future__ import annotations

from bot.notifications import CONTENT
from cli.commands.recover.match_messages import EMOJI
from shared.models import NotificationKind
from shared.schedule.notices import VALIDITY


def test_each_kind_has_a_validity_and_content() -> None:
    assert set(VALIDITY) == set(CONTENT) == set(NotificationKind)


def test_each_kind_of_message_begins_with_its_own_emoji() -> None:
    assert set(EMOJI) == set(NotificationKind) - {NotificationKind.ANNOUNCEMENT}
    assert len(set(EMOJI.values())) == len(EMOJI)
