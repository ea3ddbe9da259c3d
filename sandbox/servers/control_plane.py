"""A private Kubernetes API server.

As in Kubernetes' envtest, no controllers and no nodes run: nothing collects orphans, deleted namespaces never
disappear, and pods are never scheduled.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from sandbox.servers.account import private_home
from sandbox.servers.command import run
from sandbox.servers.control_plane_binaries import obtain_binaries, obtain_kubectl
from sandbox.servers.control_plane_node import ControlPlaneNode
from sandbox.servers.lifecycle import Foreign, Lifecycle, Report
from shared.errors import ConfigurationError

CONTEXT = "questbell-sandbox"
SETTING = "QUESTBELL_SANDBOX_KUBECONFIG"


class ControlPlane:
    """A running API server. `kubeconfig` is an administrator's; `kubectl` is the path of a matching program."""

    def __init__(self, server: Lifecycle, *, url: str, kubeconfig: Path, kubectl: Path, directory: Path) -> None:
        """`directory` is for further kubeconfigs."""
        self.url = url
        self.kubeconfig = kubeconfig
        self.kubectl = kubectl
        self._server = server
        self._directory = directory

    async def stop(self) -> None:
        """Stop the API server; etcd keeps its objects."""
        await self._server.stop()

    async def start(self) -> None:
        """Start it again at the same address."""
        await self._server.start()

    async def kubeconfig_of(self, service_account: str, *, namespace: str) -> Path:
        """Write a kubeconfig of a service account with a token for an hour; create the account if needed.

        The server reads its token file only at its start, so this is how to add a user while it runs.
        """
        identity = {"name": service_account, "namespace": namespace}
        manifest = self._directory / f"{namespace}-{service_account}.json"
        manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": identity}))
        await self._run_kubectl("apply", "-f", manifest)
        token = await self._run_kubectl("create", "token", service_account, "-n", namespace, "--duration=1h")
        config = yaml.safe_load(self.kubeconfig.read_text())
        for user in config["users"]:
            user["user"] = {"token": token.strip()}
        return _write_private(manifest.with_suffix(".kubeconfig"), config)

    async def _run_kubectl(self, *words: str | Path) -> str:
        return await run(self.kubectl, f"--kubeconfig={self.kubeconfig}", *words, within=30)


@asynccontextmanager
async def control_plane(directory: Path, *, report: Report) -> AsyncIterator[ControlPlane]:
    """Run an API server for a block; its logs and kubeconfigs are in `directory`.

    It runs under the account of this process, even root: its programs may be in a cache that no other can enter.

    Raises:
        ServerNotAvailableError: its programs are missing and cannot be built.
        ServerFailedError: the build failed, or it did not start.
    """
    given = os.environ.get(SETTING)
    if given:
        yield await _foreign(Path(given), directory, report=report)
        return
    binaries = await obtain_binaries(report=report)
    report("starting the Kubernetes API server")
    async with private_home(directory, "control-plane", account=None) as home:
        node = ControlPlaneNode(binaries, home, logs=directory)
        try:
            await node.start()
            kubeconfig = _write_private(directory / "kubeconfig", _config(node))
            yield ControlPlane(
                node.api_server, url=node.url, kubeconfig=kubeconfig, kubectl=binaries.kubectl, directory=directory
            )
        finally:
            await node.stop()


async def _foreign(kubeconfig: Path, directory: Path, *, report: Report) -> ControlPlane:
    return ControlPlane(
        Foreign("Kubernetes API server", setting=SETTING),
        url=_server_of(kubeconfig),
        kubeconfig=kubeconfig,
        kubectl=await obtain_kubectl(report=report),
        directory=directory,
    )


def _server_of(kubeconfig: Path) -> str:
    try:
        config = yaml.safe_load(kubeconfig.read_text())
        contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
        clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
        return str(clusters[contexts[config["current-context"]]["cluster"]]["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        problem = f"{SETTING} is {str(kubeconfig)!r}, which is no kubeconfig with a current context"
        raise ConfigurationError(problem) from error


def _config(node: ControlPlaneNode) -> dict[str, Any]:
    cluster = {"server": node.url, "certificate-authority-data": node.certificate_authority()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": node.token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
        "current-context": CONTEXT,
    }


def _write_private(file: Path, config: dict[str, Any]) -> Path:
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(config))
    return file
