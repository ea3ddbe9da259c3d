from __future__ import annotations

from typing import Any

from tests.cluster.evidence import Reminder, compare_reminders

DUE = [Reminder("night 0000", 100.0), Reminder("night 0001", 101.0)]


def message(title: str, wall: float, **other: Any) -> dict[str, Any]:
    record = {"kind": "create", "returned_earlier": False, "content": f"🔔 **{title}** starts", "wall": wall}
    return record | {"message_id": "1", "channel_id": "2", "recipient_id": None, "pinged_users": ["3"]} | other


def test_reminders_delivered_once_are_right_and_their_latency_is_known() -> None:
    verdict = compare_reminders(DUE, [message("night 0001", 101.2), message("night 0000", 100.5)])
    assert verdict.exactly_once, verdict
    assert [round(seconds, 3) for seconds in verdict.latency] == [0.5, 0.2]
    assert verdict.last_delivery is not None
    assert round(verdict.last_delivery.timestamp(), 3) == 101.2


def test_a_reminder_without_a_message_is_lost() -> None:
    edited = message("night 0001", 101.2, kind="edit")
    verdict = compare_reminders(DUE, [message("night 0000", 100.5), edited])
    assert [name.partition(",")[0] for name in verdict.lost] == ["night 0001"]
    assert not verdict.exactly_once


def test_a_reminder_with_two_messages_is_doubled_unless_the_nonce_returned_the_earlier_one() -> None:
    delivered = [message("night 0000", 100.5), message("night 0001", 101.2)]
    assert compare_reminders(DUE, [*delivered, message("night 0001", 109.0, returned_earlier=True)]).exactly_once
    for repeated in (message("night 0001", 109.0), message("night 0001", 109.0, pinged_users=[])):
        verdict = compare_reminders(DUE, [*delivered, repeated])
        assert ["night 0001" in name for name in verdict.doubled] == [True]
        assert not verdict.exactly_once


def test_a_reminder_delivered_before_its_time_is_wrong() -> None:
    verdict = compare_reminders(DUE, [message("night 0000", 99.9), message("night 0001", 101.2)])
    assert ["it was not due" in name for name in verdict.wrong] == [True]


def test_no_reminders_prove_nothing() -> None:
    assert not compare_reminders([], []).exactly_once
