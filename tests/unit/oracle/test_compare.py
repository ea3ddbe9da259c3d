"""The oracle must find each violation in made-up evidence, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.oracle.compare import compare, compare_deliveries
from sandbox.oracle.facts import TransitionRow
from sandbox.oracle.final_state import check_all_delivered
from sandbox.oracle.verdict import Verdict
from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.unit.oracle.evidence import ANN, BEN, EVE, Evening, announce, at, delivered_once, found


def test_a_reminder_delivered_once_in_time_is_fine():
    verdict = compare(delivered_once().evidence())
    assert (found(verdict), verdict.problems) == ({}, [])
    assert (verdict.reminders, verdict.delivered, verdict.latency) == (1, 1, [1.0])


def test_a_reminder_that_was_never_sent_is_lost():
    evening = Evening()
    evening.row()
    assert found(compare(evening.evidence())) == {"lost": 1}


def test_a_reminder_is_lost_if_discord_created_nothing_although_its_row_says_delivered():
    evening = Evening()
    evening.attempt(evening.row(outcome=Outcome.DELIVERED), 101)
    assert found(compare(evening.evidence())) == {"lost": 1}


def test_a_reminder_missing_from_the_schedule_is_lost():
    assert found(compare(Evening().evidence())) == {"lost": 1}


def test_a_reminder_sent_twice_is_doubled():
    evening = delivered_once()
    evening.accept(evening.deliveries[0], 120)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_reminder_sent_for_two_rows_is_doubled():
    evening = delivered_once()
    evening.accept(evening.attempt(evening.row(), 119), 120)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_message_that_no_row_asked_for_is_doubled():
    evening = delivered_once()
    evening.accept(evening.attempt(evening.row(), 119), 120)
    evening.deliveries.pop()
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_mentioning_a_player_who_left_before_the_attempt_is_wrong():
    evening = delivered_once()
    evening.change(100.5, players=frozenset({ANN}))
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_mentioning_a_player_who_left_after_the_attempt_is_right():
    evening = delivered_once()
    evening.change(100.95, players=frozenset({ANN}))
    assert found(compare(evening.evidence())) == {}


def test_leaving_out_a_player_is_wrong():
    evening = Evening()
    evening.accept(evening.attempt(evening.row(), 101), 102, ANN)
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_leaving_out_a_player_who_joined_after_the_due_time_is_right():
    evening = delivered_once()
    evening.change(100.5, players=frozenset({ANN, BEN, EVE}))
    assert found(compare(evening.evidence())) == {}


def test_a_reminder_of_a_cancelled_game_is_wrong():
    evening = delivered_once()
    evening.change(100.5, status=GameStatus.CANCELLED)
    assert "wrong" in found(compare(evening.evidence()))


def test_a_reminder_of_the_old_time_of_a_moved_game_is_wrong():
    evening = delivered_once()
    evening.change(100.5, starts_at=at(4000))
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_message_that_names_another_game_is_wrong():
    evening = Evening()
    evening.accept(evening.attempt(evening.row(), 101), 102, text="Goblins at the Wedding")
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_reminder_of_a_game_that_has_started_is_wrong():
    evening = Evening()
    evening.now = at(500)
    evening.transitions.append(TransitionRow(evening.game_id, GameStatus.IN_PROGRESS, at(400), Outcome.APPLIED))
    evening.change(400, status=GameStatus.IN_PROGRESS)
    evening.accept(evening.attempt(evening.row(), 465), 466)
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_sending_the_earlier_of_two_overdue_reminders_is_wrong():
    evening = Evening()
    evening.offsets = (5, 4)
    evening.accept(evening.attempt(evening.row(), 170), 171)
    evening.accept(evening.attempt(evening.row(due=160, offset=4), 170), 171)
    assert found(compare(evening.evidence(fault_ended_at=at(169)))) == {"wrong": 1}


def test_the_later_of_two_overdue_reminders_is_enough():
    evening = Evening()
    evening.offsets = (5, 4)
    evening.row(outcome=Outcome.SUPERSEDED)
    evening.accept(evening.attempt(evening.row(due=160, offset=4), 170), 171)
    verdict = compare(evening.evidence(fault_ended_at=at(169)))
    assert (found(verdict), verdict.excused) == ({}, 1)


def test_a_move_soon_after_the_due_time_excuses_the_reminder():
    evening = Evening()
    evening.row(outcome=Outcome.SUPERSEDED)
    evening.change(110, starts_at=at(4000))
    verdict = compare(evening.evidence())
    assert (found(verdict), verdict.excused) == ({}, 1)


def test_a_move_long_after_the_due_time_does_not_excuse_the_reminder():
    evening = Evening()
    evening.row(outcome=Outcome.SUPERSEDED)
    evening.change(140, starts_at=at(4000))
    assert found(compare(evening.evidence())) == {"lost": 1}


def test_latency_counts_from_the_end_of_the_fault():
    assert compare(delivered_once().evidence(fault_ended_at=at(100.75))).latency == [0.25]


def test_a_message_may_belong_to_an_earlier_attempt_if_requests_arrive_late():
    evening = Evening()
    evening.change(105, players=frozenset({ANN}))
    evening.accept(evening.attempt(evening.row(), 101, 110), 120)
    assert found(compare(evening.evidence())) == {"wrong": 1}
    assert found(compare(evening.evidence(late_arrivals=True))) == {}


def test_a_due_row_without_an_outcome_is_unsettled():
    evening = delivered_once()
    evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, outcome=None)
    assert found(compare(evening.evidence()))["unsettled"] == 1


def test_a_missing_status_change_is_lost():
    evening = delivered_once()
    evening.now = at(410)
    assert found(compare(evening.evidence())) == {"lost": 1}


@pytest.mark.parametrize("justified", [True, False])
def test_an_unknown_result_is_counted_and_must_be_justified(justified):
    evening = Evening()
    evening.attempt(evening.row(outcome=Outcome.UNDELIVERABLE), 101, state=DeliveryState.UNKNOWN)
    verdict = compare(evening.evidence(unknown_allowed=justified))
    assert (verdict.unknown, found(verdict)) == (1, {} if justified else {"lost": 1})
    assert bool(verdict.problems) is not justified


def test_a_second_announcement_is_doubled():
    evening = delivered_once()
    announce(evening, 110)
    announce(evening, 111)
    assert found(compare(evening.evidence()))["doubled"] == 1


def test_an_announcement_with_another_roster_is_wrong():
    evening = delivered_once()
    announce(evening, 110)
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_cancellation_that_was_not_sent_is_lost():
    evening = delivered_once()
    evening.change(120, status=GameStatus.CANCELLED)
    evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, due=120)
    assert found(compare(evening.evidence()))["lost"] == 2


def test_without_a_recorded_history_a_message_is_compared_with_the_moment_discord_accepted_it():
    evening = Evening()
    evening.accept(evening.attempt(evening.row()), 101)
    assert found(compare(evening.evidence(recorded=False))) == {}
    assert found(compare(evening.evidence())) == {"wrong": 1}
    evening.messages[0] = replace(evening.messages[0], at=at(99))
    assert found(compare(evening.evidence(recorded=False))) == {"wrong": 1}


def test_a_ledger_that_names_another_message_than_discord_is_wrong():
    evening = delivered_once()
    for message_id in (99, None):
        evening.deliveries[0] = replace(evening.deliveries[0], message_id=message_id)
        assert found(compare(evening.evidence())) == {"wrong": 1}


def test_the_deliveries_alone_can_be_compared_while_the_games_go_on():
    evening = delivered_once()
    evening.row(kind=NotificationKind.ANNOUNCEMENT, offset=None, outcome=None)
    verdict = compare_deliveries(evening.evidence())
    assert (found(verdict), verdict.exactly_once) == ({}, True)


def test_a_run_without_any_reminder_proves_nothing():
    evening = Evening()
    evening.offsets = ()
    assert not compare_deliveries(evening.evidence()).exactly_once


def all_delivered_problems(evening: Evening) -> list[str]:
    verdict = Verdict()
    check_all_delivered(evening.evidence(), verdict)
    return verdict.problems


def test_every_reminder_must_be_recorded_as_delivered_when_nothing_excuses_another_outcome():
    assert all_delivered_problems(delivered_once()) == []
    evening = delivered_once()
    evening.rows[0] = replace(evening.rows[0], outcome=Outcome.PARTLY_DELIVERED)
    assert "outcome partly_delivered" in all_delivered_problems(evening)[0]


def test_every_row_of_the_ledger_must_be_sent():
    evening = delivered_once()
    evening.deliveries[0] = replace(evening.deliveries[0], state=DeliveryState.UNKNOWN)
    assert ["unknown in the ledger" in problem for problem in all_delivered_problems(evening)] == [True]


def test_every_reminder_must_have_exactly_one_row_in_the_ledger():
    evening = delivered_once()
    evening.accept(evening.attempt(evening.rows[0], 102), 102)
    assert ["2 rows in the ledger" in problem for problem in all_delivered_problems(evening)] == [True]
    evening.deliveries.clear()
    assert ["0 rows in the ledger" in problem for problem in all_delivered_problems(evening)] == [True]
