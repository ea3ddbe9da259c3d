"""Lists all resources once a minute, because a resumed watch may miss deletions, and checks that the API server
answers.

After each list, missing default resources are created.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from controllers.kubernetes_api import ConflictError, KubernetesApi, NotFoundError
from controllers.resources.defaults import missing_defaults
from controllers.resources.models import KINDS, Resource
from controllers.resources.release import HEARTBEAT_INTERVAL, find_other_release
from controllers.supervisor import Supervisor
from shared import logs, metrics
from shared.errors import QuestbellError, TransientError

LIST_INTERVAL = 60.0
"""Seconds."""
PING_INTERVAL = 5.0
"""Seconds."""
STALLED_AFTER = 90.0
"""Seconds without a check after which only a restart helps."""


class Resync:
    """Lists one namespace's resources."""

    def __init__(
        self,
        api: KubernetesApi,
        supervisor: Supervisor,
        namespace: str,
        *,
        release: str,
        list_interval: float = LIST_INTERVAL,
    ) -> None:
        self._api = api
        self._supervisor = supervisor
        self._namespace = namespace
        self._release = release
        self._list_interval = list_interval
        self._list_at = 0.0
        self._checked_at = asyncio.get_running_loop().time()
        self._problem: str | None = "the API server has not been checked yet"
        self._usable = asyncio.Event()
        self._up = metrics.DEPENDENCY_UP.labels("api-server")

    async def run(self) -> None:
        """Check and list until something fails.

        Raises:
            TransientError: the API server does not answer or does not know our kinds, or the namespace belongs to
                another release.
            ForbiddenError: our role does not allow it.
        """
        clock = asyncio.get_running_loop().time
        while True:
            self._checked_at = clock()
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

    async def wait_until_usable(self) -> None:
        """Wait until the API server knows our kinds."""
        await self._usable.wait()

    def problem(self) -> str | None:
        """Return why the API server cannot be used, or None."""
        return self._problem

    def missing(self) -> str | None:
        """Return which work no resource does, or None."""
        missing = missing_defaults(runner.resource for runner in self._supervisor.runners())
        if not missing or not self._usable.is_set():
            return None
        what = ", ".join(f"no {default} (`{default.name}` is created within a minute)" for default in missing)
        return f"{what}. If it is not, its name is taken: delete that resource, or create another one"

    def stalled(self) -> str | None:
        """Return that the checks have stopped, or None."""
        age = asyncio.get_running_loop().time() - self._checked_at
        return f"the API server has not been checked for {age:.0f} s" if age > STALLED_AFTER else None

    async def _list(self) -> None:
        known = self._supervisor.known()
        listed = await self._list_all()
        if (other := find_other_release(listed, self._release, now=datetime.now(UTC))) is not None:
            raise TransientError(
                f"the release {other} operates this namespace: install {self._release} into another one "
                "(QUESTBELL_RELEASE)",
                retry_after=HEARTBEAT_INTERVAL.total_seconds(),
            )
        self._supervisor.reconcile(listed, known=known)
        await self._create_missing(listed)
        self._list_at = asyncio.get_running_loop().time() + self._list_interval

    async def _list_all(self) -> list[Resource]:
        try:
            return [resource for kind in KINDS for resource in await self._api.list_resources(kind, self._namespace)]
        except NotFoundError as error:
            raise TransientError(
                "the definitions of Scheduler and DeadLetterReconciler are not in this cluster: install the chart with "
                "crds.enabled=true, or apply them"
            ) from error

    async def _create_missing(self, existing: list[Resource]) -> None:
        for default in missing_defaults(existing):
            log = logs.get(kind=default.kind.name, namespace=self._namespace, name=default.name)
            try:
                await self._api.create(default.kind, self._namespace, default.body)
            except ConflictError:
                if any(resource.kind is default.kind and resource.name == default.name for resource in existing):
                    log.warning(f"No {default}, and its default name is taken", action="default_blocked")
                else:
                    log.debug("Another replica was faster", action="default_exists")
            else:
                log.info("Created a default resource", action="default_created")
