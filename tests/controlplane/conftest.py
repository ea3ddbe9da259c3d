"""A real API server for the session, and a namespace of its own for each test.

Nothing runs here but the API server: no namespace is ever finished deleting and no owner reference is followed, so
tests assert on what our own code does.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controllers.api_server import ApiServer, api_server
from sandbox.servers.control_plane import ControlPlane, control_plane
from tests.conftest import report
from tests.support import definitions
from tests.waiting import PATIENCE


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace."""

    command: Sequence[str]

    async def __call__(self, *words: str, stdin: str = "") -> str:
        """Run it and return what it printed.

        Raises:
            KubectlError: it failed.
        """
        child = await asyncio.create_subprocess_exec(
            *self.command,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            printed, said = await child.communicate(stdin.encode())
        if child.returncode:
            raise KubectlError(said.decode())
        return printed.decode()

    async def apply(self, kind: str, name: str, **spec: object) -> str:
        """Apply a resource of ours."""
        metadata = {"name": name}
        manifest = {"apiVersion": "questbell.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
        return await self("apply", "-f", "-", stdin=json.dumps(manifest))

    async def patch(self, what: str, **spec: object) -> str:
        """Change some of a resource's spec; `what` is like "scheduler/notifications"."""
        return await self("patch", what, "--type=merge", "-p", json.dumps({"spec": spec}))

    async def json(self, *words: str) -> Any:
        """Run it and return what it printed as JSON."""
        return json.loads(await self(*words, "-o", "json"))

    async def columns(self, *words: str) -> list[list[str]]:
        """Run `get` and return its table, the header first; columns are two spaces apart at least."""
        lines = (await self("get", *words)).splitlines()
        starts = _starts(lines[0])
        return [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in lines]


def _starts(header: str) -> list[int]:
    padded = "  " + header
    return [i for i in range(len(header)) if header[i] != " " and padded[i : i + 2] == "  "]


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """The API server, with our definitions, as the cluster that `KUBECONFIG` names."""
    with pytest.MonkeyPatch.context() as environment:
        async with control_plane(tmp_path_factory.mktemp("control-plane"), report=report) as started:
            environment.setenv("KUBECONFIG", str(started.kubeconfig))
            async with api_server() as api:
                await definitions.apply(api)
            yield started


@pytest.fixture
async def api(cluster: ControlPlane) -> AsyncIterator[ApiServer]:
    async with api_server() as api:
        yield api


@pytest.fixture
async def namespace(cluster: ControlPlane) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    await Kubectl(_command(cluster.kubectl, cluster.kubeconfig))("create", "namespace", name)
    return name


@pytest.fixture
def kubectl(cluster: ControlPlane, namespace: str) -> Kubectl:
    return Kubectl([*_command(cluster.kubectl, cluster.kubeconfig), "--namespace", namespace])


def _command(kubectl: Path, kubeconfig: Path) -> list[str]:
    return [str(kubectl), "--kubeconfig", str(kubeconfig)]
