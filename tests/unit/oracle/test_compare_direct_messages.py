"""The oracle of direct messages: each player is notified once, in the channel or directly, and nobody is missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.oracle.compare import compare
from sandbox.oracle.facts import DeliveryRow, DmPreferences
from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.unit.oracle.evidence import ANN, BEN, EVE, TABLE, Evening, announce, at, delivered_in_channel_only, found

WANTS = DmPreferences(wanted=frozenset({BEN}))
CLOSED = DmPreferences(wanted=frozenset({BEN}), closed=frozenset({BEN}))
UNDECIDED = DmPreferences(wanted=frozenset({BEN}), changing=frozenset({BEN}))


def to_ben(evening: Evening, *seconds: float, state: DeliveryState = DeliveryState.SENT) -> DeliveryRow:
    return evening.attempt(evening.rows[0], *seconds, to=BEN, state=state)


def in_channel(evening: Evening, second: float, *mentions: int) -> None:
    evening.accept(evening.attempt(evening.rows[0], second, mentions=mentions), second)


def delivered_directly(second: float = 102) -> Evening:
    evening = delivered_in_channel_only()
    evening.accept(to_ben(evening, second), second)
    return evening


def test_one_channel_message_and_one_direct_message_to_each_who_asked_is_fine():
    verdict = compare(delivered_directly().evidence())
    assert (found(verdict), verdict.problems) == ({}, [])
    assert (verdict.reminders, verdict.delivered, verdict.direct_messages) == (1, 1, 1)


def test_every_message_counts_for_latency():
    assert compare(delivered_directly(103).evidence()).latency == [1.0, 3.0]
    assert compare(delivered_directly(103).evidence(fault_ended_at=at(102))).latency == [0.0, 1.0]


def test_two_direct_messages_to_a_player_are_doubled():
    evening = delivered_directly()
    evening.accept(to_ben(evening, 109), 110)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_direct_message_and_a_mention_of_the_same_player_are_doubled():
    evening = delivered_in_channel_only(preferences=UNDECIDED)
    evening.accept(to_ben(evening, 102), 102)
    in_channel(evening, 103, BEN)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_channel_message_counts_as_duplicate_even_without_repeated_mentions():
    evening = delivered_directly()
    in_channel(evening, 110)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_player_with_closed_dms_may_be_notified_by_a_second_channel_message():
    evening = delivered_in_channel_only(preferences=CLOSED)
    in_channel(evening, 103, BEN)
    assert found(compare(evening.evidence())) == {}


def test_the_fallback_message_may_mention_players_who_joined_meanwhile():
    evening = delivered_in_channel_only(preferences=CLOSED)
    evening.change(102, players=frozenset({ANN, BEN, EVE}))
    in_channel(evening, 103, BEN, EVE)
    assert found(compare(evening.evidence())) == {}


def test_the_fallback_message_may_mention_only_who_joined_if_the_player_has_left():
    evening = delivered_in_channel_only(preferences=CLOSED)
    evening.change(102, players=frozenset({ANN, EVE}))
    in_channel(evening, 103, EVE)
    assert found(compare(evening.evidence())) == {}


def test_a_second_channel_message_to_anyone_else_is_doubled():
    evening = delivered_in_channel_only(preferences=UNDECIDED)
    in_channel(evening, 103, BEN)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_repeated_channel_message_is_doubled_whatever_it_mentions():
    evening = Evening()
    evening.preferences = CLOSED
    only = evening.attempt(evening.row(), 101, mentions=())
    evening.accept(only, 101, ANN)
    evening.accept(only, 110)
    assert found(compare(evening.evidence()))["doubled"] == 1
    evening.messages[0] = replace(evening.messages[0], mentioned=frozenset({BEN}))
    assert found(compare(evening.evidence()))["doubled"] == 1


def test_a_player_who_asked_for_dms_and_was_notified_nowhere_was_missed():
    assert found(compare(delivered_in_channel_only().evidence())) == {"wrong": 1}


def test_a_player_who_leaves_before_the_deadline_need_not_get_a_direct_message():
    evening = delivered_in_channel_only()
    evening.change(110, players=frozenset({ANN}))
    assert found(compare(evening.evidence())) == {}


def test_a_player_who_leaves_after_the_deadline_was_missed():
    evening = delivered_in_channel_only()
    evening.change(140, players=frozenset({ANN}))
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_move_soon_after_the_due_time_excuses_missing_direct_messages():
    evening = delivered_in_channel_only()
    evening.change(110, starts_at=at(4000))
    assert found(compare(evening.evidence())) == {}


def test_a_player_left_out_of_the_channel_message_was_missed_even_if_they_left_later():
    evening = delivered_directly()
    evening.change(50, players=frozenset({ANN, BEN, EVE}))
    evening.change(105, players=frozenset({ANN, BEN}))
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_player_who_left_before_the_channel_message_was_not_missed():
    evening = delivered_directly()
    evening.change(50, players=frozenset({ANN, BEN, EVE}))
    evening.change(100.5, players=frozenset({ANN, BEN}))
    assert found(compare(evening.evidence())) == {}


def test_a_reminder_without_a_channel_message_is_lost_even_if_direct_messages_were_sent():
    evening = Evening()
    evening.preferences = WANTS
    evening.row()
    evening.accept(to_ben(evening, 102), 102)
    assert found(compare(evening.evidence())) == {"lost": 1}


def test_a_direct_message_to_a_player_who_left_before_the_attempt_is_wrong():
    evening = delivered_directly()
    evening.change(101.5, players=frozenset({ANN}))
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_direct_message_to_a_player_who_left_after_the_attempt_is_right():
    evening = delivered_in_channel_only()
    evening.accept(to_ben(evening, 102), 103)
    evening.change(102.5, players=frozenset({ANN}))
    assert found(compare(evening.evidence())) == {}


def test_a_direct_message_to_a_player_who_never_asked_is_wrong():
    evening = delivered_in_channel_only(preferences=DmPreferences())
    evening.accept(to_ben(evening, 102), 102)
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_mentioning_a_player_who_asked_for_direct_messages_is_wrong():
    evening = Evening()
    evening.preferences = WANTS
    evening.row()
    in_channel(evening, 101, ANN, BEN)
    assert found(compare(evening.evidence())) == {"wrong": 1}


@pytest.mark.parametrize("preferences", [CLOSED, UNDECIDED])
def test_mentioning_a_player_with_closed_dms_or_a_changed_preference_is_right(preferences):
    evening = Evening()
    evening.preferences = preferences
    evening.row()
    in_channel(evening, 101, ANN, BEN)
    assert found(compare(evening.evidence())) == {}


def test_mentioning_a_player_who_wants_dms_but_joined_after_the_due_time_is_right():
    evening = Evening()
    evening.preferences = DmPreferences(wanted=frozenset({EVE}))
    evening.row()
    evening.change(100.5, players=frozenset({ANN, BEN, EVE}))
    in_channel(evening, 101, ANN, BEN, EVE)
    assert found(compare(evening.evidence())) == {}


def test_an_unknown_direct_message_excuses_its_recipient():
    evening = delivered_in_channel_only()
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    assert found(compare(evening.evidence(unknown_allowed=True))) == {}


def test_an_unknown_direct_message_excuses_nobody_else():
    evening = delivered_in_channel_only(preferences=DmPreferences(wanted=frozenset({BEN, EVE})))
    evening.change(50, players=frozenset({ANN, BEN, EVE}))
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    assert found(compare(evening.evidence(unknown_allowed=True))) == {"wrong": 1}


def test_an_unknown_direct_message_does_not_excuse_the_channel():
    evening = Evening()
    evening.preferences = WANTS
    evening.row()
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    assert found(compare(evening.evidence(unknown_allowed=True))) == {"lost": 1}


def test_an_unknown_direct_message_excuses_nobody_if_the_fault_does_not_justify_it():
    evening = delivered_in_channel_only()
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    verdict = compare(evening.evidence())
    assert (found(verdict), len(verdict.problems)) == ({"wrong": 1}, 2)


def test_an_unknown_channel_message_does_not_excuse_direct_messages():
    evening = Evening()
    evening.preferences = WANTS
    evening.attempt(evening.row(), 101, mentions=[ANN], state=DeliveryState.UNKNOWN)
    assert found(compare(evening.evidence(unknown_allowed=True))) == {"wrong": 1}
    evening.accept(to_ben(evening, 102), 102)
    assert found(compare(evening.evidence(unknown_allowed=True))) == {}


def cancelled() -> Evening:
    """Return a game cancelled after its reminder, with an announcement but without a message about that yet."""
    evening = delivered_directly()
    evening.change(150, status=GameStatus.CANCELLED)
    message_id = announce(evening, 110)
    evening.message_id = message_id
    evening.final_text[message_id] = f"<t:{int(at(400).timestamp())}:F> Cancelled Players 2 <@{ANN}> <@{BEN}>"
    evening.row(kind=NotificationKind.CANCELLATION, offset=None, due=150)
    return evening


def test_a_cancellation_is_sent_to_the_channel_and_to_players_who_want_dms():
    evening = cancelled()
    evening.accept(evening.attempt(evening.rows[-1], 151, mentions=[ANN]), 151)
    assert found(compare(evening.evidence())) == {"wrong": 1}
    evening.accept(evening.attempt(evening.rows[-1], 151, to=BEN), 152)
    assert found(compare(evening.evidence())) == {}
    evening.accept(evening.attempt(evening.rows[-1], 153, to=BEN), 153)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_a_cancellation_that_was_only_sent_directly_is_lost():
    evening = cancelled()
    evening.accept(evening.attempt(evening.rows[-1], 151, to=BEN), 151)
    assert found(compare(evening.evidence())) == {"lost": 1}


def fairness_problems(evening: Evening, *affected: int) -> list[str]:
    return compare(evening.evidence(affected=frozenset(affected))).problems


def test_players_whom_the_fault_does_not_hit_must_not_wait_for_it():
    evening = delivered_in_channel_only(120)
    evening.accept(to_ben(evening, 100.9), 100.9)
    assert fairness_problems(evening, TABLE) == []
    assert ["unfair" in problem for problem in fairness_problems(evening, BEN)] == [True]


def test_a_fault_that_hits_no_reminder_must_delay_none():
    evening = delivered_in_channel_only(100.9)
    evening.accept(to_ben(evening, 100.9), 100.9)
    assert fairness_problems(evening) == []
    late = delivered_directly(106)
    assert ["unfair" in problem for problem in fairness_problems(late)] == [True]


def test_the_end_of_the_fault_excuses_nobody_whom_it_did_not_hit():
    evening = delivered_directly(106)
    evidence = evening.evidence(affected=frozenset({TABLE}), fault_ended_at=at(107))
    assert ["unfair" in problem for problem in compare(evidence).problems] == [True]


def test_fairness_without_an_unaffected_message_is_not_proven():
    assert ["unfair" in problem for problem in fairness_problems(delivered_directly(), TABLE, BEN)] == [True]


def test_a_fallback_for_an_affected_direct_message_is_affected_too():
    evening = delivered_in_channel_only(100.9, preferences=CLOSED)
    in_channel(evening, 120, BEN)
    assert fairness_problems(evening, BEN) == []


def test_a_direct_message_is_missed_if_discord_created_none_although_the_ledger_says_sent():
    evening = delivered_in_channel_only()
    to_ben(evening, 102, state=DeliveryState.SENT)
    assert evening.rows[0].outcome is Outcome.DELIVERED
    assert found(compare(evening.evidence())) == {"wrong": 1}


def test_a_player_who_turned_reminders_off_is_not_missed_and_must_not_be_reminded():
    evening = delivered_in_channel_only(preferences=DmPreferences(reminders_off=frozenset({BEN})))
    assert found(compare(evening.evidence())) == {}
    in_channel(evening, 103, BEN)
    assert "wrong" in found(compare(evening.evidence()))
