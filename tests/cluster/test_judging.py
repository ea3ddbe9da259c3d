from __future__ import annotations

from typing import Any

from tests.cluster.judging import Reminder, judge

DUE = [Reminder("night 0000", 100.0), Reminder("night 0001", 101.0)]


def message(title: str, wall: float, **other: Any) -> dict[str, Any]:
    return {"kind": "create", "returned_earlier": False, "content": f"🔔 **{title}** starts", "wall": wall, **other}


def test_each_told_once_is_well_and_its_lateness_known() -> None:
    verdict = judge(DUE, [message("night 0001", 101.2), message("night 0000", 100.5)])
    assert verdict.told_once()
    assert (round(verdict.latest, 3), round(verdict.median, 3)) == (0.5, 0.5)


def test_what_was_not_told_is_lost() -> None:
    edited = message("night 0001", 101.2, kind="edit")
    verdict = judge(DUE, [message("night 0000", 100.5), edited])
    assert verdict.lost == ["night 0001"]
    assert not verdict.told_once()


def test_what_was_told_twice_is_doubled_unless_a_nonce_gave_the_earlier_message_back() -> None:
    told = [message("night 0000", 100.5), message("night 0001", 101.2)]
    assert judge(DUE, [*told, message("night 0001", 109.0, returned_earlier=True)]).told_once()
    verdict = judge(DUE, [*told, message("night 0001", 109.0)])
    assert verdict.doubled == ["night 0001"]
    assert not verdict.told_once()


def test_what_was_told_before_its_time_is_early() -> None:
    assert not judge(DUE, [message("night 0000", 99.5), message("night 0001", 101.2)]).told_once()


def test_nothing_at_all_is_not_well() -> None:
    assert not judge([], []).told_once()
