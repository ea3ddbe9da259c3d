"""The cluster that the tests run on, for as long as they run, left as it was found."""

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
from tests.cluster.choosing import KIND, Given, RefusedError
from tests.cluster.kubectl import Kubectl
from tests.cluster.programs import run

DEFINITIONS = ("schedulers.questbell.dev", "deadletterreconcilers.questbell.dev")
MAKE_TIMEOUT, DELETE_TIMEOUT = 300.0, 120.0
GONE_WITHIN = 90.0
"""Seconds until a namespace with all that was installed in it must be gone."""
RUN = "questbell.dev/test-run"
"""The label of everything that one run of the tests has made."""


@dataclass(frozen=True)
class Cluster:
    """A cluster under test."""

    context: str
    load: tuple[str, ...]
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:6])

    @property
    def label(self) -> str:
        """What selects the namespaces of this run."""
        return f"{RUN}={self.run_id}"

    def kubectl(self, namespace: str = "default") -> Kubectl:
        """Return kubectl for a namespace."""
        return Kubectl.into(self.context, namespace)

    async def add_namespace(self, name: str, *, admits: str = "restricted") -> Kubectl:
        """Make a namespace of this run that admits pods of one Pod Security level, and return kubectl for it."""
        full_name, everywhere = f"questbell-{name}-{self.run_id}", self.kubectl()
        await everywhere("create", "namespace", full_name)
        levels = [f"pod-security.kubernetes.io/{mode}={admits}" for mode in ("enforce", "warn")]
        await everywhere("label", "namespace", full_name, self.label, *levels)
        return self.kubectl(full_name)

    async def owner_of_definitions(self) -> str | None:
        """Return the namespace of the release that has the definitions, even if it is gone; None without them."""
        listed = await self.kubectl().json("get", "crd")
        ours = [each["metadata"] for each in listed["items"] if each["metadata"]["name"] in DEFINITIONS]
        return next((each.get("annotations", {}).get("meta.helm.sh/release-namespace", "") for each in ours), None)

    async def may_own_definitions(self) -> bool:
        """Return whether a release of this run may have the definitions: no other that is still there has them."""
        owner = await self.owner_of_definitions()
        if not owner or owner.endswith(f"-{self.run_id}"):
            return True
        return not await self.kubectl(owner)("get", "secret", "--selector", "owner=helm", "--output", "name")

    async def options_for_definitions(self, namespace: str) -> tuple[str, ...]:
        """Return what `helm install` in a namespace needs to be told of the definitions (docs/uninstall.md)."""
        if not await self.may_own_definitions():
            return ("--set", "crds.enabled=false")
        return () if await self.owner_of_definitions() in (None, namespace) else ("--take-ownership",)


@asynccontextmanager
async def under_test() -> AsyncIterator[Cluster]:
    """Find or make the cluster, and in the end delete what this run has made in it.

    Raises:
        RefusedError: it must not be used.
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
    if isinstance(choice, Given):
        yield Cluster(choice.context, choice.load)
        return
    async with made_with_kind() as cluster:
        yield cluster


@asynccontextmanager
async def made_with_kind() -> AsyncIterator[Cluster]:
    """Make a kind cluster for a block; it is deleted also when making it failed half-way.

    Raises:
        RefusedError: kind is not installed.
    """
    if shutil.which("kind") is None:
        raise RefusedError(
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
