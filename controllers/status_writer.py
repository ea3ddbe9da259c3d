"""Writes what the loops report to the status of their resources, and tells `kubectl get events` of the flips.

It looks every second and writes what changed, at most once in two seconds for a resource; a status that says what it
said is not written, so an idle system costs the API server nothing. Only one replica writes. While the database, which
says which, cannot be asked, the last writer goes on until it sees the writing of another: an outage is when people
look at the status.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from controllers import conditions
from controllers.kubernetes_api import KubernetesApi, NotFoundError, RefusedError
from controllers.leader_election import LeaderElection, LeadershipState
from controllers.resources.models import Resource
from controllers.supervisor import LoopRunner, Supervisor
from shared import logs
from shared.errors import QuestbellError, TransientError

LOOK_INTERVAL = 1.0
"""Seconds between two looks at the reports."""
WRITE_INTERVAL = 2.0
"""Seconds between two writes of one resource, and between two looks at its figures while they change."""
FIGURES_INTERVAL = 10.0
"""Seconds between two looks at the figures while they do not change."""
FIGURES_TIMEOUT = 5.0
"""Seconds for the figures of one resource."""
UNKNOWN_GRACE = 3.0
"""Seconds without a state before a replica writes that does not follow another: most such times are shorter."""


@dataclass
class _Page:
    """What the writer remembers of one resource."""

    figures: dict[str, object] = field(default_factory=dict)
    figures_at: float = 0.0
    writable_at: float = 0.0
    sent: dict[str, Any] | None = None
    answered: Resource | None = None


class StatusWriter:
    """Looks at what a supervisor runs, and writes."""

    def __init__(self, supervisor: Supervisor, api: KubernetesApi, leading: LeaderElection, *, instance: str) -> None:
        """`instance` names this replica in Events."""
        self._supervisor = supervisor
        self._api = api
        self._leading = leading
        self._instance = instance
        self._pages: dict[str, _Page] = {}
        self._unknown_since: float | None = None
        self._log = logs.get(component="status")

    async def run(self) -> None:
        """Look and write until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self) -> None:
        """Write what changed and may be written now."""
        runners = {runner.resource.uid: runner for runner in self._supervisor.runners()}
        self._pages = {uid: self._pages.get(uid) or _Page() for uid in runners}
        async with asyncio.TaskGroup() as group:
            for uid, runner in runners.items():
                if self._may_write(runner.resource, self._pages[uid]):
                    group.create_task(self._update(runner, self._pages[uid]))

    def _may_write(self, resource: Resource, page: _Page) -> bool:
        state = self._leading.state
        if state is not LeadershipState.UNKNOWN:
            self._unknown_since = None
            return state is LeadershipState.LEADER
        now = asyncio.get_running_loop().time()
        self._unknown_since = now if self._unknown_since is None else self._unknown_since
        if now - self._unknown_since < UNKNOWN_GRACE or self._leading.last_known is LeadershipState.FOLLOWER:
            return False
        return page.answered is None or page.answered.status == resource.status

    async def _update(self, runner: LoopRunner, page: _Page) -> None:
        log = self._log.bind(resource=str(runner.resource))
        try:
            await self._write_if_changed(runner, page)
        except NotFoundError as error:
            log.info("Status not written, the resource is gone", action="status_unwritten", error=str(error))
        except RefusedError as error:
            # Another resource has its name, which the list tells soon; or our status breaks its schema.
            log.warning("Status refused", action="status_refused", error=str(error))
        except QuestbellError as error:
            log.warning("Status not written", action="status_failed", error=str(error))
        except Exception:  # reason: a mistake in one loop's report must not silence the others
            log.exception("Status not written", action="status_died")

    async def _write_if_changed(self, runner: LoopRunner, page: _Page) -> None:
        now = asyncio.get_running_loop().time()
        if now >= page.figures_at:
            await self._refresh(runner, page)
        resource = runner.resource
        wanted = conditions.compose(
            runner.status(), page.figures, before=resource.status, generation=resource.generation, now=datetime.now(UTC)
        )
        if now < page.writable_at or wanted == resource.status or _was_answered(wanted, page, resource):
            return
        page.writable_at = now + WRITE_INTERVAL
        page.figures_at = min(page.figures_at, page.writable_at)
        page.answered = await self._api.replace_status(resource, wanted)
        page.sent = wanted
        runner.observe(page.answered)
        for transition in conditions.transitions(resource.status, wanted):
            body = conditions.build_event(resource, transition, instance=self._instance, now=datetime.now(UTC))
            await self._api.post_event(resource.namespace, body)

    async def _refresh(self, runner: LoopRunner, page: _Page) -> None:
        before, page.figures_at = page.figures, asyncio.get_running_loop().time() + FIGURES_INTERVAL
        try:
            async with asyncio.timeout(FIGURES_TIMEOUT):
                page.figures = dict(await runner.stats())
        except (TransientError, TimeoutError) as error:
            page.figures = {}  # the status keeps what it says
            self._log.debug("No figures", action="stats_failed", resource=str(runner.resource), error=str(error))
        if page.figures != before:
            page.figures_at -= FIGURES_INTERVAL - WRITE_INTERVAL


def _was_answered(wanted: dict[str, Any], page: _Page, resource: Resource) -> bool:
    """Whether the resource is as the API server answered to this very status; it drops fields that it does not know."""
    return page.answered is not None and wanted == page.sent and page.answered.status == resource.status
