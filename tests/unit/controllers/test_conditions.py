"""What the status says of a report, and which flips are news."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.conditions import MESSAGE_LIMIT, compose, transitions
from controllers.loops.base import LoopStatus
from tests.support.fakes import WELL, seconds

SUSPENDED = LoopStatus(ready=False, reason="Suspended", message="As the spec says")
FAILED = LoopStatus(ready=False, reason="LoopFailed", message="It died", degraded="It died")
SLOW = LoopStatus(ready=True, reason="Working", message="All is well", degraded="The queue is full")


def status(report: LoopStatus, *, before: dict[str, Any] | None = None, at: str = "20:00:00") -> dict[str, Any]:
    return compose(report, {}, before=before or {}, generation=1, now=seconds(at))


def condition(of: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(item for item in of["conditions"] if item["type"] == kind)


def test_a_loop_that_works_is_ready_and_not_degraded() -> None:
    said = status(WELL)
    assert condition(said, "Ready") == {
        "type": "Ready",
        "status": "True",
        "reason": "Working",
        "message": "All is well",
        "lastTransitionTime": "2026-03-01T20:00:00Z",
        "observedGeneration": 1,
    }
    assert condition(said, "Degraded")["status"] == "False"


def test_a_suspended_resource_is_not_ready_and_not_degraded() -> None:
    said = status(SUSPENDED)
    assert (condition(said, "Ready")["status"], condition(said, "Ready")["reason"]) == ("False", "Suspended")
    assert condition(said, "Degraded")["status"] == "False"


def test_a_dead_loop_is_degraded_for_the_reason_that_it_is_not_ready() -> None:
    assert condition(status(FAILED), "Degraded")["reason"] == "LoopFailed"


def test_a_working_loop_may_be_degraded() -> None:
    said = status(SLOW)
    assert condition(said, "Ready")["status"] == "True"
    assert condition(said, "Degraded")["message"] == "The queue is full"


def test_the_transition_time_stays_while_the_status_does() -> None:
    first = status(WELL, at="20:00:00")
    other_message = LoopStatus(ready=True, reason="Working", message="Busy")
    second = status(other_message, before=first, at="20:05:00")
    assert condition(second, "Ready")["lastTransitionTime"] == "2026-03-01T20:00:00Z"
    assert condition(second, "Ready")["message"] == "Busy"


def test_the_transition_time_moves_when_the_status_flips() -> None:
    said = status(FAILED, before=status(WELL, at="20:00:00"), at="20:05:00")
    assert condition(said, "Ready")["lastTransitionTime"] == "2026-03-01T20:05:00Z"
    assert condition(said, "Degraded")["lastTransitionTime"] == "2026-03-01T20:05:00Z"


def test_the_same_report_makes_the_same_status_at_any_time() -> None:
    first = status(WELL, at="20:00:00")
    assert status(WELL, before=first, at="23:00:00") == first


def test_the_generation_is_said_of_the_whole_and_of_each_condition() -> None:
    said = compose(WELL, {}, before=status(WELL), generation=4, now=seconds("20:05:00"))
    assert said["observedGeneration"] == 4
    assert {item["observedGeneration"] for item in said["conditions"]} == {4}


def test_times_are_written_to_the_second_in_utc() -> None:
    said = compose(WELL, {"nextDue": seconds("20:00:01.987654")}, before={}, generation=1, now=seconds("20:00:00"))
    assert said["nextDue"] == "2026-03-01T20:00:01Z"


def test_new_figures_replace_the_old_and_none_leaves_a_field_out() -> None:
    before = {"pending": "3", "nextDue": "2026-03-01T20:00:00Z"}
    said = compose(WELL, {"pending": "0", "nextDue": None}, before=before, generation=1, now=seconds("20:00:00"))
    assert said["pending"] == "0"
    assert "nextDue" not in said


def test_the_old_figures_stay_while_there_are_no_new_ones() -> None:
    said = compose(WELL, {}, before={"pending": "3"}, generation=1, now=seconds("20:00:00"))
    assert said["pending"] == "3"


@pytest.mark.parametrize(
    ("own", "expected"),
    [("19:00:00", "2026-03-01T20:00:00Z"), ("21:00:00", "2026-03-01T21:00:00Z"), (None, "2026-03-01T20:00:00Z")],
)
def test_the_last_dispatch_is_that_of_whichever_replica_dispatched_last(own: str | None, expected: str) -> None:
    report = LoopStatus(True, "Working", "", last_dispatch=seconds(own) if own else None)
    before = {"lastDispatch": "2026-03-01T20:00:00Z"}
    said = compose(report, {"lastDispatch": None}, before=before, generation=1, now=seconds("22:00:00"))
    assert said["lastDispatch"] == expected


def test_a_page_of_an_error_is_cut() -> None:
    said = status(LoopStatus(False, "Waiting", "x" * 5000))
    assert len(condition(said, "Ready")["message"]) == MESSAGE_LIMIT


def news(before: LoopStatus | None, after: LoopStatus) -> list[tuple[str, str, bool]]:
    old = {} if before is None else status(before)
    return [(flip.condition, flip.reason, flip.warning) for flip in transitions(old, status(after, before=old))]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, WELL, [("Ready", "Working", False)]),
        (None, SUSPENDED, []),
        (WELL, WELL, []),
        (WELL, SUSPENDED, [("Ready", "Suspended", False)]),
        (SUSPENDED, WELL, [("Ready", "Working", False)]),
        (WELL, FAILED, [("Ready", "LoopFailed", True), ("Degraded", "LoopFailed", True)]),
        (FAILED, WELL, [("Ready", "Working", False), ("Degraded", "AsExpected", False)]),
        (WELL, SLOW, [("Degraded", "NeedsAttention", True)]),
        (FAILED, SUSPENDED, [("Degraded", "AsExpected", False)]),
    ],
)
def test_only_flips_are_news(
    before: LoopStatus | None, after: LoopStatus, expected: list[tuple[str, str, bool]]
) -> None:
    assert news(before, after) == expected
