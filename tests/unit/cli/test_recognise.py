"""What the bot writes is recognised again, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bot.rendering import cancellation, reminder
from cli.recognise import tells, told
from shared.discord.history import ChannelMessage
from shared.discord.ids import first_id_at
from shared.models import Game, NotificationKind, NotificationSchedule

START = datetime(2030, 5, 1, 18, 0, 30, 123_000, tzinfo=UTC)
ANNOUNCEMENT = 555


def game(**fields: Any) -> Game:
    facts = {"id": uuid4(), "guild_id": 1, "channel_id": 2, "message_id": ANNOUNCEMENT, "title": "Keep"}
    return Game(**(facts | {"scheduled_at": START} | fields))


def row(offset: int = 10, kind: NotificationKind = NotificationKind.REMINDER) -> NotificationSchedule:
    return NotificationSchedule(
        id=uuid4(), kind=kind, game_scheduled_at=START, due_at=START - timedelta(minutes=offset), offset_minutes=offset
    )


def post(content: str, *, before_start: int = 10, **fields: Any) -> ChannelMessage:
    at = START - timedelta(minutes=before_start)
    return ChannelMessage(first_id_at(at), content=content, **fields)


def reminding(of: Game, before_start: int = 10) -> str:
    now = START - timedelta(minutes=before_start)
    return str(reminder(of, offset_minutes=10, mentions=(1, 2), now=now)["content"])


@pytest.mark.parametrize(
    "title",
    [
        "Keep",
        "**The** _Sunken_ Keep || [link](https://x.y)",
        "@everyone and <@1>",
        "# 1. Dragons' \\Lair\\",
        "x_y_" * 70,
        "ends in stars **",
        "🐉🐉",
        "Königin der Nacht 日本",
        "\u202eabc\u200bdef",
    ],
)
@pytest.mark.parametrize("announced", [ANNOUNCEMENT, None])
def test_every_title_is_recognised_however_it_is_escaped_and_cut(title: str, announced: int | None) -> None:
    ours = game(title=title, message_id=announced)
    assert tells(post(reminding(ours)), row(), ours)
    said = post(str(cancellation(ours, mentions=(1,))["content"]))
    assert tells(said, row(kind=NotificationKind.CANCELLATION), ours)
    assert not tells(said, row(), ours)


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Tower"},
        {"title": "Keep 2"},
        {"scheduled_at": START + timedelta(seconds=1)},
        {"message_id": ANNOUNCEMENT + 1},
    ],
)
def test_a_message_about_another_session_is_not_ours(other: dict[str, Any]) -> None:
    assert not tells(post(reminding(game(**other))), row(), game())


def test_a_message_tells_the_latest_reminder_that_was_due_when_it_was_made() -> None:
    ours, hour, ten = game(), row(60), row(10)
    early, late = post(reminding(ours, 59), before_start=59), post(reminding(ours, 9), before_start=9)
    assert told([hour, ten], ours, [late], nonces={}) == {ten.id: late}
    assert told([hour, ten], ours, [late, early], nonces={}) == {hour.id: early, ten.id: late}


def test_a_message_from_before_a_row_was_due_does_not_tell_it() -> None:
    ours = game()
    assert told([row(10)], ours, [post(reminding(ours, 60), before_start=60)], nonces={}) == {}


def test_a_nonce_decides_where_the_ledger_survived() -> None:
    ours, hour, ten = game(), row(60), row(10)
    said = post(reminding(ours, 9), before_start=9, nonce="mine")
    assert told([hour, ten], ours, [said], nonces={"mine": hour.id}) == {hour.id: said}
