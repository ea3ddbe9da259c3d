"""A channel's messages are matched to the notifications that the bot wrote them for, and to no others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bot.rendering import (
    cancellation_message,
    change_message,
    drop_out_message,
    minimum_message,
    nudge_message,
    reminder_message,
)
from cli.commands.recover.match_messages import UncertainRow, match_messages, matches
from shared.discord.history import ChannelMessage
from shared.discord.ids import first_id_at
from shared.models import Game, NotificationKind

START = datetime(2030, 5, 1, 18, 0, 30, 123_000, tzinfo=UTC)
ANNOUNCEMENT = 555


def new_game(**fields: Any) -> Game:
    defaults = {
        "id": uuid4(),
        "guild_id": 1,
        "channel_id": 2,
        "capacity": None,
        "message_id": ANNOUNCEMENT,
        "title": "Keep",
    }
    return Game(**(defaults | {"scheduled_at": START} | fields))


def new_row(
    game: Game, offset: int = 10, kind: NotificationKind = NotificationKind.REMINDER, **fields: Any
) -> UncertainRow:
    return UncertainRow(
        id=uuid4(),
        kind=kind,
        due_at=START - timedelta(minutes=offset),
        game_id=game.id,
        game_scheduled_at=game.scheduled_at,
        title=game.title,
        channel_id=game.channel_id,
        announcement_id=game.message_id,
        **fields,
    )


def new_message(content: str, *, minutes_before: int = 10, **fields: Any) -> ChannelMessage:
    return ChannelMessage(first_id_at(START - timedelta(minutes=minutes_before)), content=content, **fields)


def reminder_of(game: Game, minutes_before: int = 10) -> str:
    now = START - timedelta(minutes=minutes_before)
    return str(reminder_message(game, offset_minutes=10, mentions=(1, 2), now=now)["content"])


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
@pytest.mark.parametrize("announcement", [ANNOUNCEMENT, None])
def test_every_title_is_recognized_however_it_is_escaped_and_cut(title: str, announcement: int | None) -> None:
    game = new_game(title=title, message_id=announcement)
    assert matches(new_message(reminder_of(game)), new_row(game))
    message = new_message(str(cancellation_message(game, mentions=(1,))["content"]))
    assert matches(message, new_row(game, kind=NotificationKind.CANCELLATION))
    assert not matches(message, new_row(game))


@pytest.mark.parametrize(
    "difference",
    [
        {"title": "Tower"},
        {"title": "Keep 2"},
        {"scheduled_at": START + timedelta(seconds=1)},
        {"message_id": ANNOUNCEMENT + 1},
    ],
)
def test_a_message_about_another_game_does_not_match(difference: dict[str, Any]) -> None:
    assert not matches(new_message(reminder_of(new_game(**difference))), new_row(new_game()))


@pytest.mark.parametrize(("minutes", "is_match"), [(0, True), (5, False), (-5, False)])
def test_a_message_that_a_game_starts_now_matches_only_the_game_that_started_then(minutes: int, is_match: bool) -> None:
    game = new_game(message_id=None)
    message = new_message(reminder_of(game, 0), minutes_before=0)
    moved = new_game(message_id=None, scheduled_at=START + timedelta(minutes=minutes))
    assert "<t:" not in message.content
    assert matches(message, new_row(moved, 0)) is is_match


def test_a_new_time_and_a_drop_out_are_recognized() -> None:
    game = new_game()
    moved = new_message(str(change_message(game, mentions=(1,))["content"]))
    left = new_message(str(drop_out_message(game, left=(1, 2), players=(), mentions=(3,))["content"]))
    assert matches(moved, new_row(game, kind=NotificationKind.CHANGE))
    assert matches(left, new_row(game, kind=NotificationKind.DROP_OUT))
    assert not matches(moved, new_row(game, kind=NotificationKind.DROP_OUT))


def test_a_question_about_a_minimum_is_recognized_in_the_channel_of_its_host() -> None:
    game = new_game(minimum_players=3)
    asked = new_message(str(minimum_message(game, players=(1, 2), mentions=(3,))["content"]))
    assert matches(asked, new_row(game, kind=NotificationKind.MINIMUM, user_id=3))
    assert not matches(asked, new_row(game, kind=NotificationKind.MINIMUM, user_id=4))


def test_a_nudge_is_recognized_whomever_it_mentions() -> None:
    game = new_game()
    for payload in (nudge_message(game, free_seats=2, mentions=(3,)), nudge_message(game, free_seats=None, role_id=9)):
        asked = new_message(str(payload["content"]))
        assert matches(asked, new_row(game, kind=NotificationKind.NUDGE))
        assert not matches(asked, new_row(game, kind=NotificationKind.MINIMUM))


def test_a_message_belongs_to_the_latest_reminder_that_was_due_when_it_was_sent() -> None:
    game = new_game()
    hour, ten = new_row(game, 60), new_row(game, 10)
    early = new_message(reminder_of(game, 59), minutes_before=59)
    late = new_message(reminder_of(game, 9), minutes_before=9)
    assert match_messages([hour, ten], [late]) == {ten.id: late}
    assert match_messages([hour, ten], [late, early]) == {hour.id: early, ten.id: late}


def test_a_message_from_before_a_row_was_due_does_not_belong_to_it() -> None:
    game = new_game()
    assert match_messages([new_row(game, 10)], [new_message(reminder_of(game, 60), minutes_before=60)]) == {}


def test_a_known_nonce_decides() -> None:
    game = new_game()
    hour, ten = new_row(game, 60, nonces=("mine",)), new_row(game, 10)
    message = new_message(reminder_of(game, 9), minutes_before=9, nonce="mine")
    assert match_messages([hour, ten], [message]) == {hour.id: message}
