"""The oracle must find hosts who are asked about the minimum without need, too often, or not at all."""

from __future__ import annotations

import pytest

from sandbox.oracle.compare import compare
from sandbox.oracle.verdict import Verdict
from shared.models import GameStatus, NotificationKind
from tests.unit.oracle.evidence import ANN, BEN, CAT, EVE, Evening, at, found, hosted_by_eve, notify, shown

MINIMUM = NotificationKind.MINIMUM


def small() -> Evening:
    """An evening on which Ann and Ben play and three are needed, of which Eve is asked at 160 or later."""
    evening = hosted_by_eve()
    evening.minimum_players, evening.minimum_minutes = 3, 4
    return evening


def judge(evening: Evening) -> Verdict:
    return compare(shown(evening).evidence())


def join(evening: Evening, second: float) -> None:
    evening.change(second, players=frozenset({ANN, BEN, CAT}))


def test_a_host_who_is_asked_once_is_fine():
    evening = small()
    notify(evening, MINIMUM, 161, EVE)
    verdict = judge(evening)
    assert (found(verdict), verdict.minimum_questions) == ({}, 1)


def test_a_host_who_is_not_asked_is_found():
    assert found(judge(small())) == {"lost": 1}


def test_a_host_who_is_asked_twice_about_one_start_is_found():
    evening = small()
    for second in (161, 162):
        notify(evening, MINIMUM, second, EVE)
    assert found(judge(evening)) == {"doubled": 1}


def test_a_question_of_a_game_with_enough_players_when_it_was_decided_is_wrong():
    evening = small()
    join(evening, 160.5)
    notify(evening, MINIMUM, 161, EVE)
    assert judge(evening).wrong == [f"{_name(evening)}: enough players had a seat"]


def test_a_question_is_fine_if_the_players_came_afterwards_and_may_be_missing_if_they_came_in_time():
    for second, asks, expected in ((170, True, {}), (170, False, {}), (150, False, {})):
        evening = small()
        join(evening, second)
        if asks:
            notify(evening, MINIMUM, 161, EVE)
        assert found(judge(evening)) == expected


def test_a_question_that_reaches_somebody_else_is_wrong():
    evening = small()
    notify(evening, MINIMUM, 161, EVE, ANN)
    assert judge(evening).wrong == [f"{_name(evening)}: it was not for the host alone"]


def test_a_question_before_it_is_due_is_wrong():
    evening = small()
    notify(evening, MINIMUM, 159, EVE)
    assert judge(evening).wrong == [f"{_name(evening)}: it was not due"]


@pytest.mark.parametrize(
    ("change", "notice", "reason"),
    [
        ({"status": GameStatus.CANCELLED}, NotificationKind.CANCELLATION, "the game was cancelled"),
        ({"starts_at": at(4000)}, NotificationKind.CHANGE, "the game had been moved"),
    ],
)
def test_a_question_of_a_game_that_was_cancelled_or_moved_is_wrong_and_none_is_fine(
    change: dict[str, object], notice: NotificationKind, reason: str
) -> None:
    for asks in (False, True):
        evening = small()
        if asks:
            notify(evening, MINIMUM, 161, EVE)
        evening.change(160.5, **change)
        notify(evening, notice, 162, ANN, BEN, EVE)
        expected = [f"{MINIMUM} of The Sunken Keep at 18:02:41.000000: {reason}"] if asks else []
        assert judge(evening).wrong == expected


def test_a_question_after_the_start_is_wrong():
    evening = small()
    evening.now = at(600)
    evening.change(400, status=GameStatus.IN_PROGRESS)
    notify(evening, MINIMUM, 461, EVE)
    verdict = judge(evening)
    assert verdict.wrong == [f"{MINIMUM} of The Sunken Keep at 18:07:41.000000: the game had started"]


def test_a_question_of_a_game_that_needs_no_minimum_is_wrong():
    evening = hosted_by_eve()
    notify(evening, MINIMUM, 161, EVE)
    assert judge(evening).wrong == [f"{_name(evening)}: the game needs no minimum"]


def test_a_question_of_each_start_is_fine():
    evening = small()
    notify(evening, MINIMUM, 161, EVE)
    evening.change(170, starts_at=at(430))
    notify(evening, NotificationKind.CHANGE, 171, ANN, BEN, EVE)
    notify(evening, MINIMUM, 191, EVE)
    verdict = judge(evening)
    assert (found(verdict), verdict.minimum_questions) == ({}, 2)


def _name(evening: Evening) -> str:
    return f"{MINIMUM} of The Sunken Keep at {evening.messages[1].at:%T.%f}"
