"""A real API server for the session, and a new namespace for each test.

Only the API server runs: deleted namespaces stay and owner references are not followed, so
tests assert on what our own code does.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubernetes.aio.client import ApiClient

from controllers.kubernetes_login import load_configuration
from sandbox.servers.control_plane import ControlPlane, control_plane
from tests.support import definitions
from tests.support.kubectl import Kubectl
from tests.support.servers import report


@pytest.fixture(scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    """The API server, with our definitions, as the cluster that `KUBECONFIG` names."""
    with pytest.MonkeyPatch.context() as environment:
        async with control_plane(tmp_path_factory.mktemp("control-plane"), report=report) as started:
            environment.setenv("KUBECONFIG", str(started.kubeconfig))
            async with await log_in() as client:
                await definitions.apply(client)
            yield started


async def log_in() -> ApiClient:
    """The official client of the API server that `KUBECONFIG` names."""
    return ApiClient(await asyncio.to_thread(load_configuration))


@pytest.fixture
async def client(cluster: ControlPlane) -> AsyncIterator[ApiClient]:
    async with await log_in() as client:
        yield client


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
