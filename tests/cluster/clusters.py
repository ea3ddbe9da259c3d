"""The cluster under test. It is left as it was found."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster import choosing
from tests.cluster.choosing import KIND, ClusterRefusedError, ExistingCluster
from tests.cluster.kubectl import Kubectl
from tests.cluster.programs import run

DEFINITIONS = ("schedulers.questbell.dev", "deadletterreconcilers.questbell.dev")
MAKE_TIMEOUT, DELETE_TIMEOUT = 300.0, 120.0
GONE_WITHIN = 90.0
"""Seconds until a namespace with everything in it must be deleted."""
RUN = "questbell.dev/test-run"
"""The label of everything that one run of the tests created."""


@dataclass(frozen=True)
class Cluster:
    """A cluster under test."""

    context: str
    load: tuple[str, ...]
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    @property
    def label(self) -> str:
        """The selector of the namespaces of this run."""
        return f"{RUN}={self.run_id}"

    def kubectl(self, namespace: str = "default") -> Kubectl:
        """Return kubectl for a namespace."""
        return Kubectl.into(self.context, namespace)

    async def add_namespace(self, name: str, *, admits: str = "restricted") -> Kubectl:
        """Create a namespace of this run with a Pod Security level, and return kubectl for it."""
        full_name, everywhere = f"questbell-{name}-{self.run_id}", self.kubectl()
        await everywhere("create", "namespace", full_name)
        levels = [f"pod-security.kubernetes.io/{mode}={admits}" for mode in ("enforce", "warn")]
        await everywhere("label", "namespace", full_name, self.label, *levels)
        return self.kubectl(full_name)

    async def owner_of_definitions(self) -> str | None:
        """Return the namespace of the release that owns the definitions, even if it was deleted; None without them."""
        listed = await self.kubectl().json("get", "crd")
        metadata = [item["metadata"] for item in listed["items"] if item["metadata"]["name"] in DEFINITIONS]
        return next((own.get("annotations", {}).get("meta.helm.sh/release-namespace", "") for own in metadata), None)

    async def may_own_definitions(self) -> bool:
        """Return whether a release of this run may own the definitions: no other existing release owns them."""
        owner = await self.owner_of_definitions()
        if not owner or owner.endswith(f"-{self.run_id}"):
            return True
        return not await self.kubectl(owner)("get", "secret", "--selector", "owner=helm", "--output", "name")

    async def options_for_definitions(self, namespace: str) -> tuple[str, ...]:
        """Return the options about the definitions that `helm install` in a namespace needs (docs/uninstall.md)."""
        if not await self.may_own_definitions():
            return ("--set", "crds.enabled=false")
        return () if await self.owner_of_definitions() in (None, namespace) else ("--take-ownership",)


@asynccontextmanager
async def under_test() -> AsyncIterator[Cluster]:
    """Find or create the cluster, and at the end delete what this run created in it.

    Raises:
        ClusterRefusedError: it must not be used.
    """
    async with _chosen() as cluster:
        found = await cluster.owner_of_definitions()
        try:
            yield cluster
        finally:
            kubectl = cluster.kubectl()
            await kubectl("delete", "namespace", "--selector", cluster.label, within=GONE_WITHIN)
            if found is None:
                await kubectl("delete", "crd", *DEFINITIONS, "--ignore-not-found", within=GONE_WITHIN)


@asynccontextmanager
async def _chosen() -> AsyncIterator[Cluster]:
    choice = choosing.choose(await choosing.current_context(), os.environ)
    if isinstance(choice, ExistingCluster):
        yield Cluster(choice.context, choice.load)
        return
    async with created_with_kind() as cluster:
        yield cluster


@asynccontextmanager
async def created_with_kind() -> AsyncIterator[Cluster]:
    """Make a kind cluster for a block; it is deleted also when making it failed half-way.

    Raises:
        ClusterRefusedError: kind is not installed.
    """
    if shutil.which("kind") is None:
        raise ClusterRefusedError(
            "kubectl has no context, and kind, to make a cluster, is not on PATH: https://kind.sigs.k8s.io"
        )
    name = f"questbell-test-{uuid.uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as environment:
        kubeconfig = Path(directory) / "kubeconfig"
        environment.setenv("KUBECONFIG", str(kubeconfig))
        try:
            await run("kind", "create", "cluster", "--name", name, "--wait", "120s", within=MAKE_TIMEOUT)
            yield Cluster(f"{KIND}{name}", choosing.kind_load(name))
        finally:
            await run("kind", "delete", "cluster", "--name", name, within=DELETE_TIMEOUT)
