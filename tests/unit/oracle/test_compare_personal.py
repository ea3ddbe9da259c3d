"""The oracle must find reminders of one player that are lost, doubled or sent to others, and dates of a series that are
missing or made twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from sandbox.oracle.compare import compare
from sandbox.oracle.facts import Evidence, ReminderWishes
from sandbox.oracle.verdict import Verdict
from shared.models import GameStatus, NotificationKind
from tests.unit.oracle.evidence import ANN, BEN, CAT, Evening, announce, at, delivered_once, found

KIND = NotificationKind.PERSONAL_REMINDER


def personal(*mentions: int, due: float = 160, decided: float = 160.5) -> Evening:
    """An evening on which Ben got a personal reminder, or whom it mentions, a minute after that for everybody."""
    evening = delivered_once()
    row = evening.row(kind=KIND, offset=None, due=due, user_id=BEN)
    evening.accept(evening.attempt(row, decided, mentions=mentions or [BEN]), decided + 0.1)
    return evening


def judge(evening: Evening, *, snoozed: float | None = 160, extra: int | None = None) -> dict[str, int]:
    snoozes = {} if snoozed is None else {(evening.game_id, BEN): (at(snoozed - 15), at(snoozed))}
    wishes = ReminderWishes({} if extra is None else {BEN: extra}, at(0), snoozes)
    return found(compare(evening.evidence(wishes=wishes)))


def test_a_reminder_that_reached_its_player_once_is_fine():
    assert judge(personal()) == {}
    assert judge(personal(), snoozed=None, extra=4) == {}


def test_a_reminder_that_reached_nobody_is_lost():
    assert judge(delivered_once()) == {"lost": 1}
    assert judge(delivered_once(), snoozed=None, extra=4) == {"lost": 1}


def test_one_that_everybody_gets_at_that_time_is_not_sent_again():
    assert judge(delivered_once(), snoozed=None, extra=5) == {}


def test_a_reminder_that_is_sent_twice_is_doubled():
    evening = personal()
    evening.accept(evening.attempt(evening.rows[-1], 161, to=BEN), 161.1)
    evening.preferences = replace(evening.preferences, changing=frozenset({BEN}))
    assert judge(evening) == {"doubled": 1}


def test_a_row_of_its_own_for_the_same_reminder_is_doubled_too():
    evening = personal()
    row = evening.row(kind=KIND, offset=None, due=160, user_id=BEN)
    evening.accept(evening.attempt(row, 161, mentions=[BEN]), 161.1)
    assert judge(evening) == {"doubled": 1}


@pytest.mark.parametrize("mentions", [(ANN,), (ANN, BEN), (CAT,)])
def test_a_reminder_that_reaches_somebody_else_is_wrong(mentions: tuple[int, ...]) -> None:
    assert judge(personal(*mentions)) == {"wrong": 1}


def test_a_reminder_that_nobody_asked_for_is_wrong():
    assert judge(personal(), snoozed=None) == {"wrong": 1}


def test_a_reminder_to_somebody_who_has_left_is_wrong_and_none_is_fine():
    for evening, expected in ((personal(), {"wrong": 1}), (delivered_once(), {})):
        evening.change(155, players=frozenset({ANN}))
        evening.row(kind=NotificationKind.DROP_OUT, offset=None, due=155, user_ids=(BEN,))
        assert {kind: n for kind, n in judge(evening).items() if kind != "lost"} == expected


def test_a_reminder_of_a_game_that_was_cancelled_or_moved_is_wrong_and_none_is_fine():
    for change in ({"status": GameStatus.CANCELLED}, {"starts_at": at(4000)}):
        for evening, expected in ((personal(), {"wrong": 1}), (delivered_once(), {})):
            evening.change(155, **change)
            assert judge(evening) == expected


def test_a_reminder_before_it_is_due_is_wrong():
    assert judge(personal(decided=150)) == {"wrong": 1}


def series(*dates: int, over: int, interval: int = 1) -> Verdict:
    """Judge a series with games on some days, of which the first ones are over."""
    evening = delivered_once()
    announce(evening, 110)
    evidence = evening.evidence()
    [game], series_id = evidence.facts.games.values(), uuid4()
    day = at(0).replace(tzinfo=None)
    games = {}
    for number, date in enumerate(dates):
        status = GameStatus.CANCELLED if number < over else GameStatus.SCHEDULED
        made = replace(
            game,
            id=game.id if number == 0 else uuid4(),
            series_id=series_id,
            occurrence=day + timedelta(days=date),
            interval=timedelta(days=interval),
            offsets=(),
            states=(replace(game.final, status=status, starts_at=at(9000)),),
        )
        games[made.id] = made
    facts = replace(evidence.facts, games=games, notifications={}, deliveries={})
    return compare(Evidence(facts, messages=[]))


def test_a_date_that_follows_one_that_is_over_must_be_announced():
    assert found(series(0, over=0)) == {}
    assert series(0, 1, over=1).lost == ["the announcement of The Sunken Keep (there is no row)"]


def test_a_date_that_is_missing_is_lost():
    assert series(0, over=1).lost == ["the next game of The Sunken Keep, which is cancelled"]


def test_a_date_that_is_made_twice_is_doubled():
    assert len(series(0, 1, 1, over=2).doubled) == 1


def test_a_date_that_is_left_out_or_made_too_early_is_wrong():
    assert len(series(0, 2, over=1).wrong) == 1
    assert len(series(0, 1, over=1, interval=7).wrong) == 1
    assert series(0, 7, over=1, interval=7).wrong == []
    assert len(series(0, 1, over=0).wrong) == 1
