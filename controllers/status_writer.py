"""Writes the resources' status, and posts an Event when a condition changes.

An unchanged status is written twice a minute, so that its age shows when no controllers run any more.

Only the leader writes. While the database does not answer, the last leader goes on until it sees another replica's
write, because people look at the status during an outage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from controllers import conditions
from controllers.kubernetes_api import KubernetesApi, NotFoundError, RefusedError
from controllers.leader_election import LeaderElection, LeadershipState
from controllers.loops.base import LoopStatus
from controllers.resources.models import Body, Resource
from controllers.resources.release import HEARTBEAT_INTERVAL, other_release
from controllers.supervisor import LoopRunner, Supervisor
from shared import logs
from shared.errors import QuestbellError, TransientError

CHECK_INTERVAL = 1.0
"""Seconds."""
WRITE_INTERVAL = 2.0
"""Seconds between two writes of one resource, and between reads of changing stats."""
STATS_INTERVAL = 10.0
"""Seconds between reads of unchanged stats."""
STATS_TIMEOUT = 5.0
"""Seconds for one resource."""
CALM_AFTER = 20.0
"""Seconds without a problem after which a resource is no longer degraded."""
UNKNOWN_GRACE = 3.0
"""Seconds without a known leader before the last one writes. Most gaps are shorter."""


def _now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class _Record:
    """The writer's memory of one resource."""

    stats: dict[str, object] = field(default_factory=dict)
    stats_due_at: float = 0.0
    write_due_at: float = 0.0
    heartbeat_at: float = field(default_factory=lambda: _now() + HEARTBEAT_INTERVAL.total_seconds())
    calm_at: float = field(default_factory=lambda: _now() + CALM_AFTER)
    sent: dict[str, Any] | None = None
    written: Resource | None = None


class StatusWriter:
    """Writes the status of resources."""

    def __init__(
        self,
        supervisor: Supervisor,
        api: KubernetesApi,
        election: LeaderElection,
        *,
        instance: str,
        release: str,
        add_delivery: Callable[[Resource, LoopStatus], LoopStatus] = lambda _resource, status: status,
    ) -> None:
        """`instance` names this replica in Events. `add_delivery` adds what the loop itself cannot know."""
        self._supervisor = supervisor
        self._api = api
        self._election = election
        self._instance = instance
        self._release = release
        self._add_delivery = add_delivery
        self._records: dict[str, _Record] = {}
        self._unknown_since: float | None = None
        self._log = logs.get(component="status")

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self.write_changes()
            await asyncio.sleep(CHECK_INTERVAL)

    async def write_changes(self) -> None:
        """Write each changed status if allowed now."""
        runners = {runner.resource.uid: runner for runner in self._supervisor.runners()}
        self._records = {uid: self._records.get(uid) or _Record() for uid in runners}
        async with asyncio.TaskGroup() as group:
            for uid, runner in runners.items():
                if self._may_write(runner.resource, self._records[uid]):
                    group.create_task(self._update(runner, self._records[uid]))

    def _may_write(self, resource: Resource, record: _Record) -> bool:
        if other_release(resource, self._release, now=datetime.now(UTC)) is not None:
            return False
        state = self._election.state
        if state is not LeadershipState.UNKNOWN:
            self._unknown_since = None
            return state is LeadershipState.LEADER
        now = _now()
        self._unknown_since = now if self._unknown_since is None else self._unknown_since
        if now - self._unknown_since < UNKNOWN_GRACE or self._election.last_known is LeadershipState.FOLLOWER:
            return False
        return record.written is None or record.written.status == resource.status

    async def _update(self, runner: LoopRunner, record: _Record) -> None:
        log = self._log.bind(resource=str(runner.resource))
        try:
            await self._write_if_changed(runner, record)
        except NotFoundError as error:
            log.info("Status not written, the resource is gone", action="status_unwritten", error=str(error))
        except RefusedError as error:
            # Another resource has its name, as the next list will show, or our status breaks the schema.
            log.warning("Status refused", action="status_refused", error=str(error))
        except QuestbellError as error:
            log.warning("Status not written", action="status_failed", error=str(error))
        except Exception:  # reason: a bug in one loop's status must not stop the others'
            log.exception("Status not written", action="status_died")

    async def _write_if_changed(self, runner: LoopRunner, record: _Record) -> None:
        now = _now()
        if now >= record.stats_due_at:
            await self._read_stats(runner, record)
        resource = runner.resource
        loop_status = self._add_delivery(resource, runner.status())
        if conditions.find_problem(loop_status) is not None:
            record.calm_at = now + CALM_AFTER
        desired = conditions.compose_status(
            loop_status,
            record.stats,
            before=resource.status,
            generation=resource.generation,
            now=datetime.now(UTC),
            is_calm=now >= record.calm_at,
        ) | {"release": self._release}
        is_known = desired == _without_time(resource.status) or _was_written(desired, record, resource)
        if now < record.write_due_at or (is_known and now < record.heartbeat_at):
            return
        record.write_due_at = now + WRITE_INTERVAL
        record.heartbeat_at = now + HEARTBEAT_INTERVAL.total_seconds()
        record.stats_due_at = min(record.stats_due_at, record.write_due_at)
        record.written = await self._api.replace_status(
            resource, desired | {"lastUpdate": conditions.to_json(datetime.now(UTC))}
        )
        record.sent = desired
        runner.observe(record.written)
        for transition in conditions.find_transitions(resource.status, desired):
            event = conditions.build_event(resource, transition, instance=self._instance, now=datetime.now(UTC))
            await self._api.post_event(resource.namespace, event)

    async def _read_stats(self, runner: LoopRunner, record: _Record) -> None:
        before, record.stats_due_at = record.stats, _now() + STATS_INTERVAL
        try:
            async with asyncio.timeout(STATS_TIMEOUT):
                record.stats = dict(await runner.stats())
        except (TransientError, TimeoutError) as error:
            record.stats = {}  # the status keeps its stats
            self._log.debug("No stats", action="stats_failed", resource=str(runner.resource), error=str(error))
        if record.stats != before:
            record.stats_due_at -= STATS_INTERVAL - WRITE_INTERVAL


def _without_time(status: Body) -> dict[str, Any]:
    return {name: value for name, value in status.items() if name != "lastUpdate"}


def _was_written(desired: dict[str, Any], record: _Record, resource: Resource) -> bool:
    """Return whether this status was written. The API server drops unknown fields."""
    return record.written is not None and desired == record.sent and record.written.status == resource.status
