"""The judge must be able to say no: each violation is made up and must be found, and nothing else must be."""

from __future__ import annotations

import pytest

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.chaos.facts import Change
from tests.chaos.judge import judge
from tests.chaos.verdict import Verdict
from tests.unit.chaos.evidence import ANN, BEN, EVE, Evening, at, told_once

VIOLATIONS = ("lost", "doubled", "told_wrong", "unsettled")


def found(verdict: Verdict) -> dict[str, int]:
    return {column: count for column in VIOLATIONS if (count := getattr(verdict, column))}


def test_a_reminder_that_was_told_once_in_time_is_fine():
    verdict = judge(told_once().case())
    assert (found(verdict), verdict.problems) == ({}, [])
    assert (verdict.reminders, verdict.delivered, verdict.lateness) == (1, 1, [1.0])


def test_a_reminder_that_was_never_told_is_lost():
    evening = Evening()
    evening.row()
    assert found(judge(evening.case())) == {"lost": 1}


def test_a_row_that_says_delivered_is_no_excuse_when_discord_made_nothing():
    evening = Evening()
    evening.decide(evening.row(outcome=Outcome.DELIVERED), 101)
    assert found(judge(evening.case())) == {"lost": 1}


def test_a_reminder_that_the_schedule_forgot_to_write_is_lost():
    assert found(judge(Evening().case())) == {"lost": 1}


def test_a_reminder_that_was_told_twice_is_doubled():
    evening = told_once()
    evening.tell(evening.deliveries[0], 120)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_a_reminder_that_two_rows_told_is_doubled():
    evening = told_once()
    evening.tell(evening.decide(evening.row(), 119), 120)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_a_message_that_nothing_asked_for_is_doubled():
    evening = told_once()
    evening.tell(evening.decide(evening.row(), 119), 120)
    evening.deliveries.pop()
    assert found(judge(evening.case())) == {"doubled": 1}


def test_pinging_somebody_who_had_left_before_it_was_decided_is_wrong():
    evening = told_once()
    evening.change(100.5, players=frozenset({ANN}))
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_pinging_somebody_who_left_after_it_was_decided_is_right():
    evening = told_once()
    evening.change(100.95, players=frozenset({ANN}))
    assert found(judge(evening.case())) == {}


def test_not_pinging_a_player_is_wrong():
    evening = Evening()
    evening.tell(evening.decide(evening.row(), 101), 102, ANN)
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_not_pinging_somebody_who_joined_after_the_due_time_is_right():
    evening = told_once()
    evening.change(100.5, players=frozenset({ANN, BEN, EVE}))
    assert found(judge(evening.case())) == {}


def test_reminding_of_a_session_that_was_cancelled_is_wrong():
    evening = told_once()
    evening.change(100.5, status=GameStatus.CANCELLED)
    assert "told_wrong" in found(judge(evening.case()))


def test_reminding_of_the_old_time_of_a_session_that_was_moved_is_wrong():
    evening = told_once()
    evening.change(100.5, starts_at=at(4000))
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_a_message_that_speaks_of_another_session_is_wrong():
    evening = Evening()
    evening.tell(evening.decide(evening.row(), 101), 102, text="Goblins at the Wedding")
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_reminding_of_a_session_that_has_begun_is_wrong():
    evening = Evening()
    evening.now = at(500)
    evening.changes.append(Change(evening.game_id, GameStatus.IN_PROGRESS, at(400), Outcome.APPLIED))
    evening.change(400, status=GameStatus.IN_PROGRESS)
    evening.tell(evening.decide(evening.row(), 465), 466)
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_the_earlier_of_two_overdue_reminders_must_not_be_told():
    evening = Evening()
    evening.offsets = (5, 4)
    evening.tell(evening.decide(evening.row(), 170), 171)
    evening.tell(evening.decide(evening.row(due=160, offset=4), 170), 171)
    assert found(judge(evening.case(healed_at=at(169)))) == {"told_wrong": 1}


def test_of_two_overdue_reminders_the_later_is_enough():
    evening = Evening()
    evening.offsets = (5, 4)
    evening.row(outcome=Outcome.SUPERSEDED)
    evening.tell(evening.decide(evening.row(due=160, offset=4), 170), 171)
    verdict = judge(evening.case(healed_at=at(169)))
    assert (found(verdict), verdict.excused) == ({}, 1)


def test_a_move_soon_after_the_due_time_excuses_that_the_old_time_was_not_told():
    evening = Evening()
    evening.row(outcome=Outcome.SUPERSEDED)
    evening.change(110, starts_at=at(4000))
    verdict = judge(evening.case())
    assert (found(verdict), verdict.excused) == ({}, 1)


def test_a_move_long_after_the_due_time_does_not():
    evening = Evening()
    evening.row(outcome=Outcome.SUPERSEDED)
    evening.change(140, starts_at=at(4000))
    assert found(judge(evening.case())) == {"lost": 1}


def test_lateness_counts_from_the_end_of_the_fault():
    assert judge(told_once().case(healed_at=at(100.75))).lateness == [0.25]


def test_where_requests_arrive_late_a_message_may_be_of_an_earlier_turn():
    evening = Evening()
    evening.change(105, players=frozenset({ANN}))
    evening.tell(evening.decide(evening.row(), 101, 110), 120)
    assert found(judge(evening.case())) == {"told_wrong": 1}
    assert found(judge(evening.case(late_arrivals=True))) == {}


def test_a_due_row_without_an_outcome_is_unsettled():
    evening = told_once()
    evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, outcome=None)
    assert found(judge(evening.case()))["unsettled"] == 1


def test_a_session_whose_status_does_not_change_is_lost():
    evening = told_once()
    evening.now = at(410)
    assert found(judge(evening.case())) == {"lost": 1}


@pytest.mark.parametrize("justified", [True, False])
def test_an_undecided_try_is_shown_and_must_be_justified(justified):
    evening = Evening()
    evening.decide(evening.row(outcome=Outcome.UNDELIVERABLE), 101, state=DeliveryState.UNKNOWN)
    verdict = judge(evening.case(may_be_unknown=justified))
    assert (verdict.unknown, found(verdict)) == (1, {} if justified else {"lost": 1})
    assert bool(verdict.problems) is not justified


def post(evening: Evening, second: float) -> int:
    row = evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, due=second)
    return evening.tell(evening.decide(row, second), second).message_id


def test_a_second_announcement_is_doubled():
    evening = told_once()
    post(evening, 110)
    post(evening, 111)
    assert found(judge(evening.case()))["doubled"] == 1


def test_an_announcement_that_shows_another_roster_is_wrong():
    evening = told_once()
    post(evening, 110)
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_a_cancellation_that_was_not_told_is_lost():
    evening = told_once()
    evening.change(120, status=GameStatus.CANCELLED)
    evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, due=120)
    assert found(judge(evening.case()))["lost"] == 2
