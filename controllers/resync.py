"""The complete list that corrects what the watch missed, and the question whether the API server is there at all.

A watch that is resumed after a long break tells of what is there, never of what was deleted meanwhile. So the list
comes once a minute, and at once when the API server comes back. The first one also finds out whether there is
anything, and creates the default resources if not.
"""

from __future__ import annotations

import asyncio

from controllers.kubernetes_api import ConflictError, KubernetesApi, NotFoundError
from controllers.resources.defaults import missing_defaults
from controllers.resources.models import KINDS, Resource
from controllers.supervisor import Supervisor
from shared import logs, metrics
from shared.errors import QuestbellError, TransientError

LIST_INTERVAL = 60.0
"""Seconds between two lists."""
PING_INTERVAL = 5.0
"""Seconds between two looks whether the API server answers."""
STALLED_AFTER = 90.0
"""Seconds without a look after which only a restart would help: each request ends within ten."""


class Resync:
    """Lists the resources of one namespace for a supervisor."""

    def __init__(
        self, api: KubernetesApi, supervisor: Supervisor, namespace: str, *, list_interval: float = LIST_INTERVAL
    ) -> None:
        self._api = api
        self._supervisor = supervisor
        self._namespace = namespace
        self._list_interval = list_interval
        self._list_at = 0.0
        self._looked_at = asyncio.get_running_loop().time()
        self._problem: str | None = "the API server was not asked yet"
        self._usable = asyncio.Event()
        self._has_defaults = False
        self._up = metrics.DEPENDENCY_UP.labels("api-server")

    async def run(self) -> None:
        """Look and list until something is wrong.

        Raises:
            TransientError: the API server does not answer, or our kinds are not defined.
            ForbiddenError: our role does not allow it.
        """
        clock = asyncio.get_running_loop().time
        while True:
            self._looked_at = clock()
            try:
                await (self._list() if clock() >= self._list_at else self._api.ping())
            except QuestbellError as error:
                self._problem, self._list_at = str(error), 0.0
                self._usable.clear()
                self._up.set(0)
                raise
            self._problem = None
            self._usable.set()
            self._up.set(1)
            await asyncio.sleep(min(PING_INTERVAL, self._list_interval))

    async def usable(self) -> None:
        """Return when the API server answers and knows our kinds; until then `run` says what is wrong."""
        await self._usable.wait()

    def problem(self) -> str | None:
        """Return why the API server cannot be used, None when it can."""
        return self._problem

    def stalled(self) -> str | None:
        """Return that nothing looked for too long, None when all is well."""
        age = asyncio.get_running_loop().time() - self._looked_at
        return f"nothing was looked at for {age:.0f} s" if age > STALLED_AFTER else None

    async def _list(self) -> None:
        known = self._supervisor.known()
        listed = await self._listed()
        self._supervisor.reconcile(listed, known=known)
        if not self._has_defaults:
            await self._create_missing(listed)
            self._has_defaults = True
        self._list_at = asyncio.get_running_loop().time() + self._list_interval

    async def _listed(self) -> list[Resource]:
        try:
            return [resource for kind in KINDS for resource in await self._api.list_resources(kind, self._namespace)]
        except NotFoundError as error:
            raise TransientError(
                "the definitions of Scheduler and DeadLetterReconciler are not in this cluster: install the chart with "
                "crds.enabled=true, or apply them"
            ) from error

    async def _create_missing(self, existing: list[Resource]) -> None:
        for kind, body in missing_defaults(existing):
            log = logs.get(kind=kind.name, namespace=self._namespace, name=body["metadata"]["name"])
            try:
                await self._api.create(kind, self._namespace, body)
            except ConflictError:
                log.debug("Another replica was faster", action="default_exists")
            else:
                log.info("Created a default resource", action="default_created")
