"""The oracle must find seats with two players, users on a waitlist who are skipped, and offers that end wrongly."""

from __future__ import annotations

import pytest

from sandbox.oracle.compare import compare
from sandbox.oracle.verdict import Verdict
from shared.models import GameStatus, NotificationKind, Slot
from tests.unit.oracle.evidence import ANN, BEN, CAT, EVE, Evening, at, found, hosted_by_eve, notify, shown

DAN = 5
PROMOTION, OFFER_END, DROP_OUT = NotificationKind.PROMOTION, NotificationKind.OFFER_END, NotificationKind.DROP_OUT
TANK, HEALER = Slot("Tank", 1), Slot("Healer", 1)


def judge(evening: Evening) -> Verdict:
    return compare(shown(evening).evidence())


def full() -> Evening:
    """An evening on which Ann and Ben have the only seats, and Cat and Dan wait in this order."""
    evening = hosted_by_eve()
    evening.change(110, capacity=2, waiting=(CAT, DAN))
    return evening


def with_slots() -> Evening:
    """An evening on which Ann is the tank and Ben the healer, and Cat waits to heal and Dan to be the tank."""
    evening = hosted_by_eve()
    chosen = {ANN: "Tank", BEN: "Healer", CAT: "Healer", DAN: "Tank"}
    evening.change(110, slots=(TANK, HEALER), waiting=(CAT, DAN), chosen=chosen)
    return evening


def leave(evening: Evening, player: int, second: float, **fields: object) -> None:
    """Let a player leave, of which the host is notified."""
    state = evening.states[-1]
    left = {"players": state.players - {player}, "answered": state.answered | {player}}
    evening.change(second, **(left | fields))
    notify(evening, DROP_OUT, second + 0.1, EVE, text=f"<@{player}>")


def offered(*, lapses: float | None = 130, notified: float | None = 121) -> Evening:
    """An evening on which Ben leaves, and Cat is offered the seat until 130, when it goes to Dan."""
    evening = full()
    players = frozenset({ANN, CAT})
    leave(evening, BEN, 120, players=players, waiting=(DAN,), offers={CAT: at(130)})
    if notified is not None:
        notify(evening, PROMOTION, notified, CAT)
    if lapses is not None:
        evening.change(lapses, players=frozenset({ANN, DAN}), waiting=(), offers={DAN: at(300)})
        notify(evening, PROMOTION, lapses + 1, DAN)
    return evening


def test_an_offer_that_lapses_passes_to_the_next_and_both_are_notified():
    evening = offered()
    notify(evening, OFFER_END, 131, CAT)
    verdict = judge(evening)
    assert found(verdict) == {}
    assert (verdict.promotions, verdict.lapsed_offers) == (2, 1)


def test_the_end_of_an_offer_that_nobody_is_notified_of_is_lost():
    assert found(judge(offered())) == {"lost": 1}


def test_the_end_of_an_offer_that_is_notified_twice_is_doubled():
    evening = offered()
    for second in (131, 132):
        notify(evening, OFFER_END, second, CAT)
    assert found(judge(evening)) == {"doubled": 1}


def test_the_end_of_an_offer_that_somebody_else_is_notified_of_is_wrong():
    evening = offered()
    notify(evening, OFFER_END, 131, CAT, DAN)
    assert found(judge(evening)) == {"wrong": 1}


def test_a_notice_of_the_end_before_the_end_is_wrong():
    evening = offered()
    notify(evening, OFFER_END, 129, CAT)
    assert found(judge(evening)) == {"wrong": 1}


def test_the_end_of_an_offer_of_a_game_that_was_cancelled_may_be_missing():
    evening = offered()
    evening.change(132, status=GameStatus.CANCELLED)
    notify(evening, NotificationKind.CANCELLATION, 133, ANN, DAN, EVE)
    assert found(judge(evening)) == {}


def test_an_offer_that_ends_before_its_time_is_wrong():
    evening = offered(lapses=125)
    notify(evening, OFFER_END, 126, CAT)
    assert found(judge(evening)) == {"wrong": 1}


def test_an_offer_that_ends_after_the_game_has_begun_is_wrong():
    evening = offered(lapses=None)
    evening.change(129, status=GameStatus.IN_PROGRESS)
    evening.change(131, players=frozenset({ANN}), offers={})
    notify(evening, OFFER_END, 132, CAT)
    assert judge(evening).wrong == [f"the offer to {CAT} in The Sunken Keep ended when the game was in_progress"]


def test_an_offer_that_never_ends_is_lost_and_one_that_was_taken_is_not():
    evening = offered(lapses=None)
    assert found(judge(evening)) == {"lost": 1}
    evening = offered(lapses=None)
    evening.change(129, offers={})
    assert found(judge(evening)) == {}


def test_a_player_who_took_the_seat_and_is_gone_without_an_answer_is_a_drop_out():
    evening = offered(lapses=None)
    evening.change(125, offers={})
    evening.change(126, players=frozenset({ANN, DAN}), waiting=())
    notify(evening, PROMOTION, 127, DAN)
    [lost] = judge(evening).lost
    assert lost.startswith(f"the drop-out of {CAT} from The Sunken Keep")


def test_an_offered_seat_that_a_player_gives_up_is_a_drop_out_and_no_lapse():
    evening = offered(lapses=None)
    leave(evening, CAT, 125, players=frozenset({ANN, DAN}), waiting=(), offers={})
    notify(evening, PROMOTION, 127, DAN)
    verdict = judge(evening)
    assert (found(verdict), verdict.lapsed_offers) == ({}, 0)


@pytest.mark.parametrize(("notified", "expected"), [(None, {"lost": 1}), (132, {"wrong": 2})])
def test_an_offer_that_ends_before_its_player_knows_of_it_is_found(
    notified: float | None, expected: dict[str, int]
) -> None:
    evening = offered(notified=notified)
    notify(evening, OFFER_END, 131, CAT)
    assert found(judge(evening)) == expected  # a late notice is also to somebody who has no seat any more


def test_a_promotion_that_was_decided_before_the_player_got_the_seat_is_wrong():
    assert found(judge(offered(lapses=None, notified=119))) == {"wrong": 1, "lost": 1}  # and the offer never ends


def test_more_players_than_seats_are_wrong_at_any_moment():
    evening = full()
    evening.change(115, players=frozenset({ANN, BEN, CAT}), waiting=(DAN,))
    notify(evening, PROMOTION, 116, CAT)
    leave(evening, BEN, 116)
    assert judge(evening).wrong == ["The Sunken Keep has 3 players in 2 seats at 18:01:55.000000"]


def test_more_players_than_seats_of_a_slot_are_wrong():
    evening = with_slots()
    evening.change(115, chosen=evening.states[-1].chosen | {BEN: "Tank"}, waiting=())
    assert judge(evening).wrong == ["The Sunken Keep has 2 players in 1 seats of Tank at 18:01:55.000000"]


def test_a_seat_that_stays_free_while_somebody_waits_is_wrong():
    evening = full()
    leave(evening, BEN, 120)
    assert judge(evening).wrong == [f"{CAT} waits for a free seat of The Sunken Keep at 18:02:00.000000"]


def test_a_seat_of_a_slot_that_stays_free_while_somebody_waits_for_it_is_wrong():
    evening = with_slots()
    leave(evening, BEN, 120, waiting=(DAN,))
    assert found(judge(evening)) == {}
    evening = with_slots()
    leave(evening, BEN, 120)
    assert judge(evening).wrong == [f"{CAT} waits for a free seat of The Sunken Keep at 18:02:00.000000"]


def test_a_game_that_is_full_has_no_free_seat_in_any_slot():
    evening = with_slots()
    evening.change(115, slots=(TANK, HEALER, Slot("Damage", 1)), capacity=2, chosen={CAT: "Damage", DAN: "Damage"})
    assert found(judge(evening)) == {}


def test_a_user_who_came_first_and_is_skipped_is_found():
    evening = full()
    leave(evening, BEN, 120, players=frozenset({ANN, DAN}), waiting=(CAT,))
    notify(evening, PROMOTION, 121, DAN)
    assert judge(evening).wrong == [f"{DAN} got a seat of The Sunken Keep before {CAT}, who came first"]


def test_a_user_who_waits_for_another_slot_is_not_skipped():
    evening = with_slots()
    chosen = {DAN: "Tank", BEN: "Healer", CAT: "Healer"}
    leave(evening, ANN, 120, players=frozenset({BEN, DAN}), waiting=(CAT,), chosen=chosen)
    notify(evening, PROMOTION, 121, DAN)
    assert found(judge(evening)) == {}


def test_a_user_who_waits_for_one_slot_and_chooses_another_is_not_promoted():
    for is_notified, expected in ((False, {}), (True, {"wrong": 1})):
        evening = with_slots()
        damage = {"slots": (TANK, HEALER, Slot("Damage", 1)), "chosen": evening.states[-1].chosen | {CAT: "Damage"}}
        evening.change(120, players=frozenset({ANN, BEN, CAT}), waiting=(DAN,), **damage)
        if is_notified:
            notify(evening, PROMOTION, 121, CAT)
        assert found(judge(evening)) == expected


def test_an_announcement_that_shows_a_slot_or_the_waitlist_otherwise_is_out_of_date():
    for text, shown_otherwise in (("Tank 1", "Tank 0"), ("Waitlist 2", "Waitlist 1")):
        evening = shown(with_slots())
        assert found(compare(evening.evidence())) == {}
        message_id = evening.message_id or 0
        evening.final_text[message_id] = evening.final_text[message_id].replace(text, shown_otherwise)
        assert compare(evening.evidence()).wrong == ["the announcement of The Sunken Keep is out of date"]
