"""Who writes a status, when, and when not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
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
from tests.support.fakes import FakeLoop, FakeLoops, scheduler
from tests.support.waiting import eventually

NOT_READY = LoopStatus(ready=False, reason="Waiting", message="The broker is away")


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
class Desk:
    """A writer with what it reads and where it writes."""

    writer: StatusWriter
    supervisor: Supervisor
    api: FakeApi
    leading: Leading
    loops: FakeLoops

    @property
    def loop(self) -> FakeLoop:
        return self.loops.made[-1]

    def ready(self) -> list[str]:
        """The statuses of `Ready` as they were written."""
        return [str(said["conditions"][0]["status"]) for said in self.api.written]

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            await self.writer.look()


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    for name in ("WRITE_INTERVAL", "FIGURES_INTERVAL", "UNKNOWN_GRACE"):
        monkeypatch.setattr(status_writer, name, 0.0)
    loops, api, leading = FakeLoops(), FakeApi(), Leading()
    async with Supervisor(loops, backoff=Backoff(first=1, longest=1), shutdown_timeout=1) as supervisor:
        supervisor.observe(scheduler())
        await eventually(lambda: loops.running)
        yield Desk(StatusWriter(supervisor, api, leading, instance="pod-1"), supervisor, api, leading, loops)


async def test_a_new_resource_gets_its_status(desk: Desk) -> None:
    desk.loop.counted = {"pending": "3"}
    await desk.look()
    [said] = desk.api.written
    assert (said["pending"], said["observedGeneration"], desk.ready()) == ("3", 1, ["True"])


async def test_a_status_that_says_what_it_said_is_not_written(desk: Desk) -> None:
    await desk.look(times=5)
    assert len(desk.api.written) == 1


async def test_a_field_that_the_api_server_drops_is_not_written_again_and_again(desk: Desk) -> None:
    desk.api.unknown, desk.loop.counted = frozenset({"novelty"}), {"novelty": "7"}
    await desk.look(times=5)
    assert len(desk.api.written) == 1


async def test_a_new_writer_does_not_write_what_is_there_already(desk: Desk) -> None:
    await desk.look()
    successor = StatusWriter(desk.supervisor, desk.api, desk.leading, instance="pod-2")
    await successor.look()
    assert len(desk.api.written) == 1


async def test_changes_are_written_at_most_once_in_the_interval(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "WRITE_INTERVAL", 0.4)
    for number in range(10):
        desk.loop.said = replace(NOT_READY, message=f"Try {number}")
        await desk.look()
    assert len(desk.api.written) == 1

    async def another_is_written() -> bool:
        await desk.look()
        return len(desk.api.written) > 1

    await eventually(another_is_written)
    assert desk.api.written[-1]["conditions"][0]["message"] == "Try 9"


async def test_figures_that_do_not_change_are_asked_for_rarely(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.look(times=2)
    monkeypatch.setattr(status_writer, "FIGURES_INTERVAL", 60.0)
    await desk.look()
    desk.loop.counted = {"pending": "9"}
    await desk.look(times=5)
    assert len(desk.api.written) == 1


async def test_a_follower_does_not_write(desk: Desk) -> None:
    desk.leading.state = LeadershipState.FOLLOWER
    await desk.look(times=3)
    assert desk.api.written == []


async def test_the_last_writer_goes_on_while_nobody_can_be_asked_who_leads(desk: Desk) -> None:
    await desk.look()
    desk.leading.state, desk.loop.said = LeadershipState.UNKNOWN, NOT_READY
    await desk.look()
    assert desk.ready() == ["True", "False"]


async def test_it_waits_a_little_before_it_writes_without_knowing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_writer, "UNKNOWN_GRACE", 60.0)
    desk.leading.state = LeadershipState.UNKNOWN
    await desk.look(times=3)
    assert desk.api.written == []


async def test_it_yields_to_the_writing_of_another(desk: Desk) -> None:
    await desk.look()
    desk.leading.state = LeadershipState.UNKNOWN
    desk.supervisor.observe(scheduler(version=900, status={"pending": "from another"}))
    await desk.look(times=3)
    assert len(desk.api.written) == 1


async def test_one_that_follows_another_does_not_write_while_nobody_can_be_asked(desk: Desk) -> None:
    desk.leading.state, desk.leading.last_known = LeadershipState.UNKNOWN, LeadershipState.FOLLOWER
    await desk.look(times=3)
    assert desk.api.written == []


async def test_a_leader_corrects_what_another_wrote(desk: Desk) -> None:
    await desk.look()
    desk.supervisor.observe(scheduler(version=900, status={"pending": "7"}))
    await desk.look()
    assert desk.ready() == ["True", "True"]


async def test_figures_that_cannot_be_had_leave_the_old_ones(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.loop.counted = {"pending": "3"}
    await desk.look()

    async def fail() -> dict[str, object]:
        raise TransientError("the database is away")

    monkeypatch.setattr(desk.loop, "stats", fail)
    desk.loop.said = NOT_READY
    await desk.look()
    assert desk.api.written[-1]["pending"] == "3"
    assert desk.ready() == ["True", "False"]


async def test_a_write_that_fails_is_tried_again(desk: Desk) -> None:
    desk.api.error = TransientError("503")
    await desk.look()
    desk.api.error = None
    await desk.look()
    assert desk.ready() == ["True"]


async def test_a_mistake_in_one_loop_does_not_silence_the_others(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = desk.loop
    desk.supervisor.observe(scheduler(uid="u-2", name="other"))
    await eventually(lambda: len(desk.loops.running) == 2)

    def fail() -> LoopStatus:
        raise ZeroDivisionError

    monkeypatch.setattr(broken, "status", fail)
    await desk.look()
    assert desk.ready() == ["True"]


async def test_a_flip_is_told_as_an_event(desk: Desk) -> None:
    await desk.look()
    desk.loop.said = NOT_READY
    await desk.look(times=3)
    first, second = desk.api.events
    assert (first["type"], first["reason"]) == ("Normal", "Working")
    assert (second["type"], second["reason"], second["note"]) == ("Warning", "Waiting", "The broker is away")
    assert second["regarding"]["uid"] == "u-1"
