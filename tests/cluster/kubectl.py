"""kubectl in one namespace of the cluster under test, and what the tests ask of pods."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.cluster.programs import ProgramError, run
from tests.support.kubectl import Kubectl as ControlPlaneKubectl
from tests.support.waiting import WAIT_TIMEOUT

INSIDE = Path(__file__).parent / "inside"
"""Scripts that run in a pod, with the Python and the code of its image."""
FORWARDED_WITHIN = 15.0
_LOCAL_ADDRESS = re.compile(rb"127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Pod:
    """The parts of a pod that the tests need."""

    name: str
    uid: str
    ready: bool
    ending: bool
    restarts: int
    body: Any

    @classmethod
    def of(cls, body: Any) -> Self:
        """Read one from its JSON."""
        status = body["status"]
        conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
        return cls(
            name=body["metadata"]["name"],
            uid=body["metadata"]["uid"],
            ready=conditions.get("Ready") == "True",
            ending="deletionTimestamp" in body["metadata"],
            restarts=sum(container["restartCount"] for container in status.get("containerStatuses", ())),
            body=body,
        )


@dataclass(frozen=True)
class Kubectl(ControlPlaneKubectl):
    """kubectl in one namespace."""

    namespace: str = "default"

    @classmethod
    def into(cls, context: str, namespace: str) -> Self:
        """Return kubectl for a namespace of a context, independent of the current context."""
        return cls(("kubectl", "--context", context, "--namespace", namespace), namespace)

    async def __call__(self, *words: str, stdin: str = "", within: float = WAIT_TIMEOUT) -> str:
        """Run it and return what it printed.

        Raises:
            ProgramError: it failed.
        """
        return await run(*self.command, *words, stdin=stdin, within=within)

    async def pods(self, *components: str) -> list[Pod]:
        """Return the pods of some components, of all when none is named."""
        selector = ("--selector", f"app.kubernetes.io/component in ({','.join(components)})") if components else ()
        listed = await self.json("get", "pods", *selector)
        return [Pod.of(body) for body in listed["items"] if body["status"].get("phase") != "Succeeded"]

    async def inside(self, target: str, script: str, *words: str, within: float = WAIT_TIMEOUT) -> str:
        """Run one of the scripts in a pod and return what it printed."""
        source = (INSIDE / script).read_text()
        return await self("exec", "--stdin", target, "--", "python", "-", *words, stdin=source, within=within)

    async def sql(self, statement: str) -> str:
        """Query the bundled PostgreSQL; return its rows, with | between columns."""
        return await self.psql("--username", "questbell", "--command", statement)

    async def psql(self, *words: str, stdin: str = "") -> str:
        """Run psql in the pod of the bundled PostgreSQL, and return what it printed."""
        plain = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1")
        command = ("exec", "--stdin", "questbell-postgresql-0", "--", "psql", *plain, "--dbname", "questbell", *words)
        return (await self(*command, stdin=stdin)).strip()

    @asynccontextmanager
    async def forwarded(self, target: str, port: int) -> AsyncIterator[str]:
        """Forward a port of a pod to the URL that is yielded, until the pod or the block ends."""
        child = await asyncio.create_subprocess_exec(
            *(*self.command, "port-forward", target, f":{port}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert child.stdout is not None
            async with asyncio.timeout(FORWARDED_WITHIN):
                found = _LOCAL_ADDRESS.search(await child.stdout.readline())
            if found is None:
                raise ProgramError(f"{target} cannot be reached at port {port}")
            yield f"http://{found.group().decode()}"
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()
