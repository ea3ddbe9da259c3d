"""The oracle must find hosts who are not reminded, and new times and drop-outs that are lost or delivered too often."""

from __future__ import annotations

from sandbox.oracle.compare import compare
from shared.models import NotificationKind
from tests.unit.oracle.evidence import (
    ANN,
    BEN,
    CAT,
    EVE,
    Evening,
    at,
    delivered_once,
    found,
    hosted_by_eve,
    notify,
    shown,
)


def test_a_host_who_is_reminded_with_the_players_is_fine():
    assert found(compare(shown(hosted_by_eve()).evidence())) == {}


def test_a_host_who_is_not_reminded_is_missed():
    evening = delivered_once()
    evening.host_id = EVE
    assert found(compare(evening.evidence())) == {"wrong": 1}


def moved() -> Evening:
    evening = hosted_by_eve()
    evening.change(150, starts_at=at(4000))
    return evening


def test_a_new_time_that_everyone_learns_of_once_is_fine():
    evening = moved()
    notify(evening, NotificationKind.CHANGE, 151, ANN, BEN, EVE)
    assert found(compare(shown(evening).evidence())) == {}


def test_a_new_time_that_nobody_learns_of_is_lost():
    assert found(compare(shown(moved()).evidence())) == {"lost": 1}


def test_a_new_time_that_the_host_does_not_learn_of_is_wrong():
    evening = moved()
    notify(evening, NotificationKind.CHANGE, 151, ANN, BEN)
    assert found(compare(shown(evening).evidence())) == {"wrong": 1}


def test_a_new_time_that_is_told_twice_is_doubled():
    evening = moved()
    for second in (151, 152):
        notify(evening, NotificationKind.CHANGE, second, ANN, BEN, EVE)
    assert found(compare(shown(evening).evidence())) == {"doubled": 1}


def test_only_the_last_of_two_new_times_must_be_told():
    evening = moved()
    evening.change(150.5, starts_at=at(5000))
    notify(evening, NotificationKind.CHANGE, 151, ANN, BEN, EVE)
    assert found(compare(shown(evening).evidence())) == {}


def test_a_drop_out_that_the_host_does_not_learn_of_is_lost():
    evening = hosted_by_eve()
    evening.change(120, players=frozenset({ANN}))
    assert found(compare(shown(evening).evidence())) == {"lost": 1}
    notify(evening, NotificationKind.DROP_OUT, 121, EVE, text=f"<@{BEN}>")
    assert found(compare(evening.evidence())) == {}


def test_a_drop_out_that_somebody_else_learns_of_is_lost():
    evening = hosted_by_eve()
    evening.change(120, players=frozenset({ANN}))
    notify(evening, NotificationKind.DROP_OUT, 121, ANN, text=f"<@{BEN}>")
    assert found(compare(shown(evening).evidence())) == {"lost": 1}


def promoted() -> Evening:
    """An evening on which Cat waits for a seat, and gets Ben's."""
    evening = hosted_by_eve()
    evening.change(110, waiting=(CAT,), capacity=2)
    evening.change(120, players=frozenset({ANN, CAT}), waiting=())
    notify(evening, NotificationKind.DROP_OUT, 121, EVE, text=f"<@{BEN}>")
    return evening


def test_a_promotion_is_notified_once():
    evening = promoted()
    assert found(compare(shown(evening).evidence())) == {"lost": 1}
    notify(evening, NotificationKind.PROMOTION, 122, CAT)
    assert found(compare(evening.evidence())) == {}
    notify(evening, NotificationKind.PROMOTION, 123, CAT)
    assert found(compare(evening.evidence())) == {"doubled": 1}


def test_the_promotion_of_a_player_who_left_again_may_be_missing():
    evening = promoted()
    evening.change(121, players=frozenset({ANN}))
    notify(evening, NotificationKind.DROP_OUT, 122, EVE, text=f"<@{CAT}>")
    assert found(compare(shown(evening).evidence())) == {}


def test_the_promotion_of_a_player_who_still_waits_is_wrong():
    evening = hosted_by_eve()
    evening.change(110, waiting=(CAT,), capacity=2)
    notify(evening, NotificationKind.PROMOTION, 122, CAT)
    assert found(compare(shown(evening).evidence())) == {"wrong": 1}
