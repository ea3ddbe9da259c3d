"""Which replica writes a status, and when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers import status_writer
from controllers.leader_election import LeadershipState
from controllers.loops.base import LoopStatus
from controllers.resources.models import Body, Resource
from controllers.status_writer import StatusWriter
from controllers.supervisor import Supervisor
from shared.errors import TransientError
from shared.schedule.retry import Backoff
from tests.support.fakes import WELL, FakeLoop, FakeLoops, scheduler
from tests.support.waiting import eventually

NOT_READY = LoopStatus(ready=False, reason="Waiting", message="The broker is down")


@dataclass
class FakeApi:
    """Takes statuses as the API server does: with a new version, without the fields that it does not know."""

    version: int = 100
    written: list[dict[str, Any]] = field(default_factory=list)
    events: list[Body] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()
    error: Exception | None = None

    async def replace_status(self, resource: Resource, status: Body) -> Resource:
        if self.error is not None:
            raise self.error
        self.version += 1
        self.written.append(dict(status))
        kept = {name: value for name, value in status.items() if name not in self.unknown}
        return replace(resource, version=self.version, status=kept)

    async def post_event(self, namespace: str, event: Body) -> None:
        self.events.append(event)


@dataclass
class Leading:
    state: LeadershipState = LeadershipState.LEADER
    last_known: LeadershipState = LeadershipState.LEADER


@dataclass
class Harness:
    """A writer, the loops it reads and the API it writes to."""

    writer: StatusWriter
    supervisor: Supervisor
    api: FakeApi
    leading: Leading
    loops: FakeLoops

    @property
    def loop(self) -> FakeLoop:
        return self.loops.made[-1]

    def ready_statuses(self) -> list[str]:
        """The `Ready` status of each write."""
        return [str(status["conditions"][0]["status"]) for status in self.api.written]

    async def write(self, times: int = 1) -> None:
        for _ in range(times):
            await self.writer.write_changes()


@pytest.fixture
async def harness(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    for name in ("WRITE_INTERVAL", "STATS_INTERVAL", "UNKNOWN_GRACE", "CALM_AFTER"):
        monkeypatch.setattr(status_writer, name, 0.0)
    loops, api, leading = FakeLoops(), FakeApi(), Leading()
    async with Supervisor(loops, backoff=Backoff(first=1, longest=1), shutdown_timeout=1) as supervisor:
        supervisor.observe(scheduler())
        await eventually(lambda: loops.running)
        writer = StatusWriter(supervisor, api, leading, instance="pod-1", release="questbell")
        yield Harness(writer, supervisor, api, leading, loops)


async def test_a_new_resource_gets_its_status(harness: Harness) -> None:
    harness.loop.reported_stats = {"pending": "3"}
    await harness.write()
    [status] = harness.api.written
    assert (status["pending"], status["observedGeneration"], harness.ready_statuses()) == ("3", 1, ["True"])


async def test_an_unchanged_status_is_not_written(harness: Harness) -> None:
    await harness.write(times=5)
    assert len(harness.api.written) == 1


async def test_a_field_that_the_api_server_drops_is_written_once(harness: Harness) -> None:
    harness.api.unknown, harness.loop.reported_stats = frozenset({"novelty"}), {"novelty": "7"}
    await harness.write(times=5)
    assert len(harness.api.written) == 1


async def test_a_new_writer_does_not_repeat_an_unchanged_status(harness: Harness) -> None:
    await harness.write()
    successor = StatusWriter(harness.supervisor, harness.api, harness.leading, instance="pod-2", release="questbell")
    await successor.write_changes()
    assert len(harness.api.written) == 1


async def test_changes_are_written_at_most_once_in_the_interval(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_writer, "WRITE_INTERVAL", 0.4)
    for number in range(10):
        harness.loop.reported = replace(NOT_READY, message=f"Try {number}")
        await harness.write()
    assert len(harness.api.written) == 1

    async def another_is_written() -> bool:
        await harness.write()
        return len(harness.api.written) > 1

    await eventually(another_is_written)
    assert harness.api.written[-1]["conditions"][0]["message"] == "Try 9"


async def test_stats_that_do_not_change_are_read_rarely(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await harness.write(times=2)
    monkeypatch.setattr(status_writer, "STATS_INTERVAL", 60.0)
    await harness.write()
    harness.loop.reported_stats = {"pending": "9"}
    await harness.write(times=5)
    assert len(harness.api.written) == 1


async def test_a_follower_does_not_write(harness: Harness) -> None:
    harness.leading.state = LeadershipState.FOLLOWER
    await harness.write(times=3)
    assert harness.api.written == []


async def test_the_last_leader_goes_on_writing_while_the_leader_is_unknown(harness: Harness) -> None:
    await harness.write()
    harness.leading.state, harness.loop.reported = LeadershipState.UNKNOWN, NOT_READY
    await harness.write()
    assert harness.ready_statuses() == ["True", "False"]


async def test_a_writer_waits_before_it_writes_without_a_known_leader(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_writer, "UNKNOWN_GRACE", 60.0)
    harness.leading.state = LeadershipState.UNKNOWN
    await harness.write(times=3)
    assert harness.api.written == []


async def test_a_writer_stops_when_another_replica_wrote(harness: Harness) -> None:
    await harness.write()
    harness.leading.state = LeadershipState.UNKNOWN
    harness.supervisor.observe(scheduler(version=900, status={"pending": "from another"}))
    await harness.write(times=3)
    assert len(harness.api.written) == 1


async def test_a_follower_does_not_write_while_the_leader_is_unknown(harness: Harness) -> None:
    harness.leading.state, harness.leading.last_known = LeadershipState.UNKNOWN, LeadershipState.FOLLOWER
    await harness.write(times=3)
    assert harness.api.written == []


async def test_a_leader_overwrites_the_status_of_another_replica(harness: Harness) -> None:
    await harness.write()
    harness.supervisor.observe(scheduler(version=900, status={"pending": "7"}))
    await harness.write()
    assert harness.ready_statuses() == ["True", "True"]


async def test_the_old_stats_stay_when_the_database_does_not_answer(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.loop.reported_stats = {"pending": "3"}
    await harness.write()

    async def fail() -> dict[str, object]:
        raise TransientError("the database is down")

    monkeypatch.setattr(harness.loop, "stats", fail)
    harness.loop.reported = NOT_READY
    await harness.write()
    assert harness.api.written[-1]["pending"] == "3"
    assert harness.ready_statuses() == ["True", "False"]


async def test_a_failed_write_is_tried_again(harness: Harness) -> None:
    harness.api.error = TransientError("503")
    await harness.write()
    harness.api.error = None
    await harness.write()
    assert harness.ready_statuses() == ["True"]


async def test_a_bug_in_one_loop_does_not_stop_the_status_of_the_others(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = harness.loop
    harness.supervisor.observe(scheduler(uid="u-2", name="other"))
    await eventually(lambda: len(harness.loops.running) == 2)

    def fail() -> LoopStatus:
        raise ZeroDivisionError

    monkeypatch.setattr(broken, "status", fail)
    await harness.write()
    assert harness.ready_statuses() == ["True"]


async def test_a_changed_condition_becomes_an_event(harness: Harness) -> None:
    await harness.write()
    harness.loop.reported = NOT_READY
    await harness.write(times=3)
    posted = [(event["type"], event["action"], event["reason"], event["note"]) for event in harness.api.events]
    assert posted == [
        ("Normal", "ReadyChanged", "Working", "All is well"),
        ("Warning", "ReadyChanged", "Waiting", "The broker is down"),
        ("Warning", "DegradedChanged", "Waiting", "The broker is down"),
    ]
    assert {event["regarding"]["uid"] for event in harness.api.events} == {"u-1"}


async def test_one_problem_that_comes_and_goes_is_one_pair_of_events(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_writer, "CALM_AFTER", 0.2)
    for _ in range(5):
        harness.loop.reported = replace(WELL, degraded="The queue is full")
        await harness.write()
        harness.loop.reported = WELL
        await harness.write(times=3)

    async def is_over() -> bool:
        await harness.write()
        return harness.api.written[-1]["conditions"][1]["status"] == "False"

    await eventually(is_over)
    assert [event["reason"] for event in harness.api.events] == ["Working", "NeedsAttention", "AsExpected"]


async def test_a_suspended_resource_is_not_degraded_at_once(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "CALM_AFTER", 60.0)
    harness.loop.reported = NOT_READY
    await harness.write()
    harness.loop.reported = LoopStatus(ready=False, reason="Suspended", message="As the spec says")
    await harness.write()
    assert [status["conditions"][1]["status"] for status in harness.api.written] == ["True", "False"]


@pytest.mark.parametrize(("age", "written"), [(0, 0), (89, 0), (91, 1)])
async def test_the_status_of_another_release_is_overwritten_only_once_that_is_gone(
    age: int, written: int, harness: Harness
) -> None:
    at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat()
    harness.supervisor.observe(scheduler(version=900, status={"release": "another", "lastUpdate": at}))
    await harness.write()
    assert len(harness.api.written) == written
