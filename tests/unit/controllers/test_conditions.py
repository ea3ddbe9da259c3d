"""The status of a resource, and the changes that become Events."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.conditions import MESSAGE_LIMIT, compose_status, find_transitions
from controllers.loops.base import LoopStatus
from tests.support.fakes import WELL, seconds

SUSPENDED = LoopStatus(ready=False, reason="Suspended", message="As the spec says")
FAILED = LoopStatus(ready=False, reason="LoopFailed", message="It died", degraded="It died")
SLOW = LoopStatus(ready=True, reason="Working", message="All is well", degraded="The queue is full")


def status(loop_status: LoopStatus, *, before: dict[str, Any] | None = None, at: str = "20:00:00") -> dict[str, Any]:
    return compose_status(loop_status, {}, before=before or {}, generation=1, now=seconds(at))


def condition(of: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(item for item in of["conditions"] if item["type"] == kind)


def test_a_working_loop_is_ready_and_not_degraded() -> None:
    result = status(WELL)
    assert condition(result, "Ready") == {
        "type": "Ready",
        "status": "True",
        "reason": "Working",
        "message": "All is well",
        "lastTransitionTime": "2026-03-01T20:00:00Z",
        "observedGeneration": 1,
    }
    assert condition(result, "Degraded")["status"] == "False"


def test_a_suspended_resource_is_not_ready_and_not_degraded() -> None:
    result = status(SUSPENDED)
    assert (condition(result, "Ready")["status"], condition(result, "Ready")["reason"]) == ("False", "Suspended")
    assert condition(result, "Degraded")["status"] == "False"


def test_a_loop_that_waits_is_degraded_but_one_that_starts_is_not() -> None:
    waiting = condition(status(LoopStatus(False, "Waiting", "The broker is down")), "Degraded")
    assert (waiting["status"], waiting["reason"], waiting["message"]) == ("True", "Waiting", "The broker is down")
    assert condition(status(LoopStatus(False, "Starting", "Soon")), "Degraded")["status"] == "False"


def test_a_failed_loop_is_degraded_for_the_same_reason_as_it_is_not_ready() -> None:
    assert condition(status(FAILED), "Degraded")["reason"] == "LoopFailed"


def test_a_working_loop_may_be_degraded() -> None:
    result = status(SLOW)
    assert condition(result, "Ready")["status"] == "True"
    assert condition(result, "Degraded")["message"] == "The queue is full"


def test_the_transition_time_stays_while_the_status_stays() -> None:
    first = status(WELL, at="20:00:00")
    other_message = LoopStatus(ready=True, reason="Working", message="Busy")
    second = status(other_message, before=first, at="20:05:00")
    assert condition(second, "Ready")["lastTransitionTime"] == "2026-03-01T20:00:00Z"
    assert condition(second, "Ready")["message"] == "Busy"


def test_the_transition_time_moves_when_the_status_changes() -> None:
    result = status(FAILED, before=status(WELL, at="20:00:00"), at="20:05:00")
    assert condition(result, "Ready")["lastTransitionTime"] == "2026-03-01T20:05:00Z"
    assert condition(result, "Degraded")["lastTransitionTime"] == "2026-03-01T20:05:00Z"


def test_the_same_loop_status_gives_the_same_status_at_any_time() -> None:
    first = status(WELL, at="20:00:00")
    assert status(WELL, before=first, at="23:00:00") == first


def test_the_status_and_each_condition_have_the_generation() -> None:
    result = compose_status(WELL, {}, before=status(WELL), generation=4, now=seconds("20:05:00"))
    assert result["observedGeneration"] == 4
    assert {item["observedGeneration"] for item in result["conditions"]} == {4}


def test_times_are_written_in_utc_with_whole_seconds() -> None:
    result = compose_status(
        WELL, {"nextDue": seconds("20:00:01.987654")}, before={}, generation=1, now=seconds("20:00:00")
    )
    assert result["nextDue"] == "2026-03-01T20:00:01Z"


def test_new_stats_replace_the_old_and_none_removes_a_field() -> None:
    before = {"pending": "3", "nextDue": "2026-03-01T20:00:00Z"}
    result = compose_status(
        WELL, {"pending": "0", "nextDue": None}, before=before, generation=1, now=seconds("20:00:00")
    )
    assert result["pending"] == "0"
    assert "nextDue" not in result


def test_the_old_stats_stay_while_there_are_no_new_ones() -> None:
    result = compose_status(WELL, {}, before={"pending": "3"}, generation=1, now=seconds("20:00:00"))
    assert result["pending"] == "3"


@pytest.mark.parametrize(
    ("own", "expected"),
    [("19:00:00", "2026-03-01T20:00:00Z"), ("21:00:00", "2026-03-01T21:00:00Z"), (None, "2026-03-01T20:00:00Z")],
)
def test_the_last_dispatch_is_the_latest_of_all_replicas(own: str | None, expected: str) -> None:
    loop_status = LoopStatus(True, "Working", "", last_dispatch=seconds(own) if own else None)
    before = {"lastDispatch": "2026-03-01T20:00:00Z"}
    result = compose_status(loop_status, {"lastDispatch": None}, before=before, generation=1, now=seconds("22:00:00"))
    assert result["lastDispatch"] == expected


def test_a_long_error_is_cut() -> None:
    result = status(LoopStatus(False, "Waiting", "x" * 5000))
    assert len(condition(result, "Ready")["message"]) == MESSAGE_LIMIT


def transitions_between(before: LoopStatus | None, after: LoopStatus) -> list[tuple[str, str, bool]]:
    old = {} if before is None else status(before)
    return [
        (transition.condition, transition.reason, transition.warning)
        for transition in find_transitions(old, status(after, before=old))
    ]


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
def test_only_changes_of_a_condition_become_events(
    before: LoopStatus | None, after: LoopStatus, expected: list[tuple[str, str, bool]]
) -> None:
    assert transitions_between(before, after) == expected
