"""Fixtures: Helm, two common renderings of the chart, and an API server to install it on.

No controllers or nodes run there. The API server validates and stores the objects, which is enough for Helm's `lookup`.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from sandbox.servers.control_plane import ControlPlane, control_plane
from tests.support.helm import EXTERNAL, SANDBOX, Helm, Rendered, find
from tests.support.kubectl import Kubectl
from tests.support.servers import report


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return find(tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def sandbox(helm: Helm) -> Rendered:
    """The chart with the sandbox Discord and the bundled servers."""
    return helm.template({**SANDBOX, "networkPolicy": {"enabled": True}})


@pytest.fixture(scope="session")
def external(helm: Helm) -> Rendered:
    """The chart with external servers and an existing token."""
    return helm.template({**EXTERNAL, "networkPolicy": {"enabled": True}})


@pytest.fixture(scope="session")
async def api_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ControlPlane]:
    async with control_plane(tmp_path_factory.mktemp("control-plane"), report=report) as started:
        yield started


@pytest.fixture
async def kubectl(api_server: ControlPlane) -> Kubectl:
    """kubectl in a namespace for one test that enforces the `restricted` Pod Security Standard."""
    command = [str(api_server.kubectl), "--kubeconfig", str(api_server.kubeconfig)]
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    everywhere, level = Kubectl(command), "restricted"
    await everywhere("create", "namespace", namespace)
    labels = [f"pod-security.kubernetes.io/{mode}={level}" for mode in ("enforce", "warn")]
    await everywhere("label", "namespace", namespace, *labels)
    return Kubectl([*command, "--namespace", namespace])
