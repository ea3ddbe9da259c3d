"""The supervisor: which loops run, in whatever order events arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from controllers.resources.models import SchedulerSpec, Source
from controllers.supervisor import LoopRunner, Supervisor
from shared.errors import TransientError
from shared.schedule.retry import Backoff
from tests.support.fakes import FakeLoop, FakeLoops, scheduler
from tests.support.waiting import eventually


@pytest.fixture
def loops() -> FakeLoops:
    return FakeLoops()


@pytest.fixture
async def supervisor(loops: FakeLoops) -> AsyncIterator[Supervisor]:
    async with Supervisor(loops, backoff=Backoff(first=0.02, longest=0.1), shutdown_timeout=0.05) as supervisor:
        yield supervisor


async def started(loops: FakeLoops, count: int = 1) -> FakeLoop:
    await eventually(lambda: len(loops.made) == count and loops.made[-1].running)
    return loops.made[-1]


async def test_each_resource_gets_its_own_loop(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(uid="a", name="one"))
    supervisor.observe(scheduler(uid="b", name="two"))
    await eventually(lambda: loops.runs("one") and loops.runs("two"))
    assert supervisor.known() == {"a", "b"}


async def test_the_same_resource_again_changes_nothing(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(version=1))
    loop = await started(loops)
    supervisor.observe(scheduler(version=1))
    supervisor.observe(scheduler(version=2, status={"pending": "3"}))
    assert (len(loops.made), loop.applied) == (1, [])


async def test_a_new_spec_is_applied_without_a_restart(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(version=1))
    loop = await started(loops)
    supervisor.observe(scheduler(version=2, generation=2, batchSize=7))
    assert loop.applied == [SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=7)]
    assert (loop.running, len(loops.made)) == (True, 1)


async def test_an_outdated_version_does_not_restore_the_old_spec(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(version=5, generation=2, batchSize=7))
    loop = await started(loops)
    supervisor.observe(scheduler(version=4, generation=1, batchSize=1))
    assert loop.applied == []


async def test_a_deleted_resource_stops_after_the_work_in_flight(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler())
    loop = await started(loops)
    loop.in_flight = asyncio.Event()
    supervisor.forget("u-1")
    await asyncio.sleep(0)
    assert loop.running
    loop.in_flight.set()
    await eventually(lambda: not loop.running)
    assert supervisor.known() == frozenset()


async def test_a_resource_that_is_being_deleted_stops(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(version=1))
    loop = await started(loops)
    supervisor.observe(scheduler(version=2, deleting=True))
    await eventually(lambda: not loop.running)


async def test_a_list_from_before_a_deletion_does_not_start_it_again(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler())
    await started(loops)
    known = supervisor.known()
    supervisor.forget("u-1")
    supervisor.reconcile([scheduler()], known=known)
    assert supervisor.known() == frozenset()


async def test_the_list_starts_missing_loops(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.reconcile([scheduler()], known=supervisor.known())
    await started(loops)


async def test_the_list_stops_loops_whose_deletion_was_missed(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler())
    loop = await started(loops)
    supervisor.reconcile([], known=supervisor.known())
    await eventually(lambda: not loop.running)


async def test_the_list_applies_a_change_of_spec_that_was_missed(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(version=1))
    loop = await started(loops)
    supervisor.reconcile([scheduler(version=2, generation=2, batchSize=7)], known=supervisor.known())
    assert [spec.batch_size for spec in loop.applied if isinstance(spec, SchedulerSpec)] == [7]


async def test_the_list_does_not_stop_newer_resources(supervisor: Supervisor, loops: FakeLoops) -> None:
    known = supervisor.known()
    supervisor.observe(scheduler())
    loop = await started(loops)
    supervisor.reconcile([], known=known)
    await asyncio.sleep(0)
    assert loop.running


async def test_a_new_resource_of_the_same_name_replaces_the_old(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(uid="old", version=1))
    old = await started(loops)
    supervisor.observe(scheduler(uid="new", version=9))
    await started(loops, 2)
    await eventually(lambda: not old.running)
    supervisor.observe(scheduler(uid="old", version=10))
    assert supervisor.known() == {"new"}


async def test_an_old_resource_of_the_same_name_does_not_replace_the_new(
    supervisor: Supervisor, loops: FakeLoops
) -> None:
    supervisor.observe(scheduler(uid="new", version=9))
    await started(loops)
    supervisor.observe(scheduler(uid="old", version=1))
    assert supervisor.known() == {"new"}


@pytest.mark.parametrize("how", ["dies", "fails", "ends"])
async def test_a_loop_that_ended_is_restarted(how: str, supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler())
    loop = await started(loops)
    if how == "ends":
        loop.end()
    else:
        loop.die(TransientError("the broker is down") if how == "fails" else ZeroDivisionError())
    await started(loops, 2)


async def test_a_dead_loop_makes_its_resource_not_ready_and_says_why(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler())
    (await started(loops)).die(TransientError("the broker is down"))
    [runner] = supervisor.runners()
    await eventually(lambda: runner.status().reason == "LoopFailed")
    report = runner.status()
    assert not report.ready
    assert "the broker is down" in report.message
    assert report.degraded == report.message
    assert supervisor.problem() == "not running: Scheduler games/notifications"


async def test_details_of_an_unexpected_error_are_only_in_the_log(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler())
    (await started(loops)).die(RuntimeError("postgresql://user:secret@host"))
    [runner] = supervisor.runners()
    await eventually(lambda: runner.status().reason == "LoopFailed")
    assert "RuntimeError" in runner.status().message
    assert "secret" not in runner.status().message


async def test_a_restarted_loop_is_ready_after_its_last_delay(loops: FakeLoops) -> None:
    async with Supervisor(loops, backoff=Backoff(first=0.4, longest=0.4), shutdown_timeout=1) as supervisor:
        supervisor.observe(scheduler())
        (await started(loops)).die(TransientError())
        [runner] = supervisor.runners()
        await started(loops, 2)
        assert not runner.status().ready
        await eventually(lambda: runner.status().ready)
        assert supervisor.problem() is None


async def test_a_failing_factory_is_retried(supervisor: Supervisor, loops: FakeLoops) -> None:
    loops.broken = TransientError("not yet")
    supervisor.observe(scheduler())
    [runner] = supervisor.runners()
    await eventually(lambda: "not yet" in runner.status().message)
    loops.broken = None
    await started(loops)


async def test_a_new_spec_ends_the_wait_for_the_next_start(loops: FakeLoops) -> None:
    async with Supervisor(loops, backoff=Backoff(first=60, longest=60), shutdown_timeout=1) as supervisor:
        supervisor.observe(scheduler(version=1))
        (await started(loops)).die(TransientError())
        [runner] = supervisor.runners()
        await eventually(lambda: not runner.status().ready)
        supervisor.observe(scheduler(version=2, generation=2, batchSize=7))
        loop = await started(loops, 2)
        assert loop.spec == SchedulerSpec(source=Source.NOTIFICATIONS, batch_size=7)


async def test_the_death_of_one_loop_does_not_affect_the_others(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(uid="a", name="one"))
    supervisor.observe(scheduler(uid="b", name="two"))
    await eventually(lambda: loops.runs("one") and loops.runs("two"))
    two = loops.of("two")
    loops.of("one").die(ZeroDivisionError())
    await eventually(lambda: len(loops.made) == 3)
    assert two.running


async def test_an_unreadable_spec_leaves_the_loop_unchanged(supervisor: Supervisor, loops: FakeLoops) -> None:
    supervisor.observe(scheduler(version=1))
    loop = await started(loops)
    supervisor.observe(scheduler(version=2, generation=2, source="Birthdays"))
    [runner] = supervisor.runners()
    assert (loop.running, loop.applied) == (True, [])
    assert runner.resource.generation == 1, "the status must not claim the new generation"


async def test_at_the_end_the_loops_finish_their_work_in_flight(loops: FakeLoops) -> None:
    async with Supervisor(loops, backoff=Backoff(first=1, longest=1), shutdown_timeout=5) as supervisor:
        supervisor.observe(scheduler())
        loop = await started(loops)
        loop.in_flight = asyncio.Event()
        asyncio.get_running_loop().call_later(0.02, loop.in_flight.set)
    assert loop.in_flight.is_set()
    assert not loop.running


async def test_a_loop_that_does_not_end_in_time_is_cancelled_again(loops: FakeLoops) -> None:
    async with Supervisor(loops, backoff=Backoff(first=1, longest=1), shutdown_timeout=0.02) as supervisor:
        supervisor.observe(scheduler())
        loop = await started(loops)
        loop.in_flight = asyncio.Event()
    assert not loop.in_flight.is_set()
    assert not loop.running


async def test_a_loop_that_swallows_its_cancellation_still_ends(loops: FakeLoops) -> None:
    async with Supervisor(loops, backoff=Backoff(first=0.01, longest=0.01), shutdown_timeout=5) as supervisor:
        supervisor.observe(scheduler())
        loop = await started(loops)
        loop.loses_cancellation = True
    assert len(loops.made) == 1


async def test_a_loop_that_is_no_longer_restarted_is_reported(
    loops: FakeLoops, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_self: LoopRunner) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(LoopRunner, "run", fail)
    async with Supervisor(loops, backoff=Backoff(first=1, longest=1), shutdown_timeout=1) as supervisor:
        assert supervisor.lost() is None
        supervisor.observe(scheduler())
        await eventually(supervisor.lost)
        assert supervisor.lost() == "not restarted any more: Scheduler games/notifications"


async def test_nothing_is_started_after_the_end(loops: FakeLoops) -> None:
    async with Supervisor(loops, backoff=Backoff(first=1, longest=1), shutdown_timeout=1) as supervisor:
        pass
    supervisor.observe(scheduler())
    assert supervisor.known() == frozenset()
