"""The judge of direct messages: who asked for them is told once, wherever, and nobody is forgotten between the two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.chaos.facts import Delivery, Wishes
from tests.chaos.judge import judge
from tests.unit.chaos.evidence import ANN, BEN, EVE, TABLE, Evening, at, told_apart
from tests.unit.chaos.test_judge import found, post

WANTS = Wishes(wanted=frozenset({BEN}))
CLOSED = Wishes(wanted=frozenset({BEN}), closed=frozenset({BEN}))
WAVERS = Wishes(wanted=frozenset({BEN}), changing=frozenset({BEN}))


def to_ben(evening: Evening, *seconds: float, state: DeliveryState = DeliveryState.SENT) -> Delivery:
    return evening.decide(evening.rows[0], *seconds, to=BEN, state=state)


def in_channel(evening: Evening, second: float, *pings: int) -> None:
    evening.tell(evening.decide(evening.rows[0], second, mentions=pings), second)


def told_directly(second: float = 102) -> Evening:
    evening = told_apart()
    evening.tell(to_ben(evening, second), second)
    return evening


def test_one_message_in_the_channel_and_one_to_each_who_asked_is_fine():
    verdict = judge(told_directly().case())
    assert (found(verdict), verdict.problems) == ({}, [])
    assert (verdict.reminders, verdict.delivered, verdict.direct) == (1, 1, 1)


def test_every_message_counts_for_lateness():
    assert judge(told_directly(103).case()).lateness == [1.0, 3.0]
    assert judge(told_directly(103).case(healed_at=at(102))).lateness == [0.0, 1.0]


def test_who_was_told_directly_twice_is_doubled():
    evening = told_directly()
    evening.tell(to_ben(evening, 109), 110)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_who_was_told_directly_and_in_the_channel_is_doubled():
    evening = told_apart(wishes=WAVERS)
    evening.tell(to_ben(evening, 102), 102)
    in_channel(evening, 103, BEN)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_the_channels_own_message_may_be_told_once_also_when_it_mentions_nobody_twice():
    evening = told_directly()
    in_channel(evening, 110)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_who_has_closed_their_direct_messages_may_be_told_by_a_second_message_in_the_channel():
    evening = told_apart(wishes=CLOSED)
    in_channel(evening, 103, BEN)
    assert found(judge(evening.case())) == {}


def test_that_message_may_name_who_joined_meanwhile():
    evening = told_apart(wishes=CLOSED)
    evening.change(102, players=frozenset({ANN, BEN, EVE}))
    in_channel(evening, 103, BEN, EVE)
    assert found(judge(evening.case())) == {}


def test_a_second_message_in_the_channel_to_anyone_else_is_doubled():
    evening = told_apart(wishes=WAVERS)
    in_channel(evening, 103, BEN)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_a_message_in_the_channel_that_is_repeated_is_doubled_whomever_it_mentions_now():
    evening = Evening()
    evening.wishes = CLOSED
    only = evening.decide(evening.row(), 101, mentions=())
    evening.tell(only, 101, ANN)
    evening.tell(only, 110)
    assert found(judge(evening.case()))["doubled"] == 1
    evening.made[0] = replace(evening.made[0], pings=frozenset({BEN}))
    assert found(judge(evening.case()))["doubled"] == 1


def test_who_asked_for_direct_messages_and_was_told_nowhere_was_forgotten():
    assert found(judge(told_apart().case())) == {"told_wrong": 1}


def test_who_is_told_directly_is_not_owed_it_after_leaving_while_there_was_time():
    evening = told_apart()
    evening.change(110, players=frozenset({ANN}))
    assert found(judge(evening.case())) == {}


def test_who_leaves_when_it_is_long_too_late_is_still_owed_it():
    evening = told_apart()
    evening.change(140, players=frozenset({ANN}))
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_a_move_soon_after_the_due_time_excuses_that_the_direct_messages_were_not_told():
    evening = told_apart()
    evening.change(110, starts_at=at(4000))
    assert found(judge(evening.case())) == {}


def test_a_player_of_the_channel_whom_its_message_left_out_was_forgotten_also_after_leaving():
    evening = told_directly()
    evening.change(50, players=frozenset({ANN, BEN, EVE}))
    evening.change(105, players=frozenset({ANN, BEN}))
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_a_player_of_the_channel_who_left_before_its_message_was_decided_was_not():
    evening = told_directly()
    evening.change(50, players=frozenset({ANN, BEN, EVE}))
    evening.change(100.5, players=frozenset({ANN, BEN}))
    assert found(judge(evening.case())) == {}


def test_a_reminder_whose_channel_was_not_told_is_lost_whoever_was_told_directly():
    evening = Evening()
    evening.wishes = WANTS
    evening.row()
    evening.tell(to_ben(evening, 102), 102)
    assert found(judge(evening.case())) == {"lost": 1}


def test_telling_somebody_directly_who_had_left_before_it_was_decided_is_wrong():
    evening = told_directly()
    evening.change(101.5, players=frozenset({ANN}))
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_telling_somebody_directly_who_left_after_it_was_decided_is_right():
    evening = told_apart()
    evening.tell(to_ben(evening, 102), 103)
    evening.change(102.5, players=frozenset({ANN}))
    assert found(judge(evening.case())) == {}


def test_telling_somebody_directly_who_never_asked_is_wrong():
    evening = told_apart(wishes=Wishes())
    evening.tell(to_ben(evening, 102), 102)
    assert found(judge(evening.case())) == {"told_wrong": 1}


def test_mentioning_somebody_who_asked_for_direct_messages_is_wrong():
    evening = Evening()
    evening.wishes = WANTS
    evening.row()
    in_channel(evening, 101, ANN, BEN)
    assert found(judge(evening.case())) == {"told_wrong": 1}


@pytest.mark.parametrize("wishes", [CLOSED, WAVERS])
def test_mentioning_who_has_closed_them_or_changed_their_mind_is_right(wishes):
    evening = Evening()
    evening.wishes = wishes
    evening.row()
    in_channel(evening, 101, ANN, BEN)
    assert found(judge(evening.case())) == {}


def test_mentioning_who_asked_for_direct_messages_and_joined_after_the_due_time_is_right():
    evening = Evening()
    evening.wishes = Wishes(wanted=frozenset({EVE}))
    evening.row()
    evening.change(100.5, players=frozenset({ANN, BEN, EVE}))
    in_channel(evening, 101, ANN, BEN, EVE)
    assert found(judge(evening.case())) == {}


def test_an_undecided_direct_message_excuses_its_person():
    evening = told_apart()
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    assert found(judge(evening.case(may_be_unknown=True))) == {}


def test_an_undecided_direct_message_excuses_nobody_else():
    evening = told_apart(wishes=Wishes(wanted=frozenset({BEN, EVE})))
    evening.change(50, players=frozenset({ANN, BEN, EVE}))
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    assert found(judge(evening.case(may_be_unknown=True))) == {"told_wrong": 1}


def test_an_undecided_direct_message_excuses_not_the_channel():
    evening = Evening()
    evening.wishes = WANTS
    evening.row()
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    assert found(judge(evening.case(may_be_unknown=True))) == {"lost": 1}


def test_an_undecided_direct_message_excuses_nobody_where_the_fault_does_not_justify_it():
    evening = told_apart()
    to_ben(evening, 102, state=DeliveryState.UNKNOWN)
    verdict = judge(evening.case())
    assert (found(verdict), len(verdict.problems)) == ({"told_wrong": 1}, 2)


def test_an_undecided_message_in_the_channel_excuses_not_who_is_told_directly():
    evening = Evening()
    evening.wishes = WANTS
    evening.decide(evening.row(), 101, mentions=[ANN], state=DeliveryState.UNKNOWN)
    assert found(judge(evening.case(may_be_unknown=True))) == {"told_wrong": 1}
    evening.tell(to_ben(evening, 102), 102)
    assert found(judge(evening.case(may_be_unknown=True))) == {}


def cancelled() -> Evening:
    """The session is cancelled after its reminder, and its post is in order; the cancellation is not told yet."""
    evening = told_directly()
    evening.change(150, status=GameStatus.CANCELLED)
    message_id = post(evening, 110)
    evening.message_id = message_id
    evening.shown[message_id] = f"<t:{int(at(400).timestamp())}:F> Cancelled Players 2 <@{ANN}> <@{BEN}>"
    evening.row(kind=NotificationKind.CANCELLATION, offset=None, due=150)
    return evening


def test_a_cancellation_is_told_in_the_channel_and_to_who_asked():
    evening = cancelled()
    evening.tell(evening.decide(evening.rows[-1], 151, mentions=[ANN]), 151)
    assert found(judge(evening.case())) == {"told_wrong": 1}
    evening.tell(evening.decide(evening.rows[-1], 151, to=BEN), 152)
    assert found(judge(evening.case())) == {}
    evening.tell(evening.decide(evening.rows[-1], 153, to=BEN), 153)
    assert found(judge(evening.case())) == {"doubled": 1}


def test_a_cancellation_that_was_only_told_directly_is_lost():
    evening = cancelled()
    evening.tell(evening.decide(evening.rows[-1], 151, to=BEN), 151)
    assert found(judge(evening.case())) == {"lost": 1}


def others_problems(evening: Evening, *afflicted: int) -> list[str]:
    return judge(evening.case(afflicted=frozenset(afflicted))).problems


def test_who_the_fault_does_not_strike_must_be_told_within_a_second():
    evening = told_apart(120)
    evening.tell(to_ben(evening, 100.9), 100.9)
    assert others_problems(evening, TABLE) == []
    assert ["unfair" in problem for problem in others_problems(evening, BEN)] == [True]


def test_the_end_of_the_fault_excuses_nobody_whom_it_did_not_strike():
    evening = told_directly(102)
    case = evening.case(afflicted=frozenset({TABLE}), healed_at=at(105))
    assert ["unfair" in problem for problem in judge(case).problems] == [True]


def test_fairness_that_nobody_was_there_to_see_is_not_shown():
    assert ["unfair" in problem for problem in others_problems(told_directly(), TABLE, BEN)] == [True]


def test_a_message_that_is_told_instead_of_a_struck_direct_message_is_struck_with_it():
    evening = told_apart(100.9, wishes=CLOSED)
    in_channel(evening, 120, BEN)
    assert others_problems(evening, BEN) == []


def test_what_the_ledger_says_of_a_direct_message_is_no_excuse_when_discord_made_none():
    evening = told_apart()
    to_ben(evening, 102, state=DeliveryState.SENT)
    assert evening.rows[0].outcome is Outcome.DELIVERED
    assert found(judge(evening.case())) == {"told_wrong": 1}
