"""Finds etcd, kube-apiserver and kubectl.

In this order: the folder in `KUBEBUILDER_ASSETS` (as for Kubernetes' own test tools), the cache, the official archive,
a build from source. kubectl may be the machine's, as it works with servers of other versions.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers import envtest, go_build
from sandbox.servers.cache import arriving_in, cache_directory, locked
from sandbox.servers.lifecycle import Report
from shared.errors import ConfigurationError

_SETTING = "KUBEBUILDER_ASSETS"
_SERVERS = ("etcd", "kube-apiserver")
_CLIENT = "kubectl"


@dataclass(frozen=True)
class ControlPlaneBinaries:
    """The programs of a control plane."""

    etcd: Path
    kube_apiserver: Path
    kubectl: Path


async def obtain_binaries(*, report: Report) -> ControlPlaneBinaries:
    """Find the programs, or fetch or build them.

    Raises:
        ConfigurationError: `KUBEBUILDER_ASSETS` names a folder without them.
        ServerNotAvailableError: they are missing and cannot be built.
        ServerFailedError: the build failed.
    """
    kubectl = shutil.which(_CLIENT)
    wanted = _SERVERS if kubectl else (*_SERVERS, _CLIENT)
    folder = _given(wanted) or await _cached(wanted, report)
    return ControlPlaneBinaries(
        etcd=folder / "etcd",
        kube_apiserver=folder / "kube-apiserver",
        kubectl=Path(kubectl) if kubectl else folder / _CLIENT,
    )


async def obtain_kubectl(*, report: Report) -> Path:
    """Find kubectl, or fetch or build it."""
    found = shutil.which(_CLIENT)
    return Path(found) if found else (_given([_CLIENT]) or await _cached([_CLIENT], report)) / _CLIENT


def _given(wanted: Collection[str]) -> Path | None:
    value = os.environ.get(_SETTING)
    if not value:
        return None
    folder = Path(value)
    missing = _missing(wanted, folder)
    if missing:
        raise ConfigurationError(f"{_SETTING} is {value!r}, where {', '.join(missing)} is missing")
    return folder


async def _cached(wanted: Collection[str], report: Report) -> Path:
    cache = cache_directory() / "control-plane"
    downloaded, built = cache / envtest.VERSION, cache / go_build.VERSION
    async with locked(cache, on_wait=lambda: report("waiting for another run that fetches the control plane")):
        for folder in (downloaded, built):
            if not _missing(wanted, folder):
                return folder
        if not any(built.glob("*")):
            async with arriving_in(downloaded) as work:
                if await envtest.download((*_SERVERS, _CLIENT), work, report=report):
                    report("downloaded the control plane")
            if not _missing(wanted, downloaded):
                return downloaded
        async with arriving_in(built) as work:
            await go_build.build(_missing(wanted, built), work, report=report)
        return built


def _missing(wanted: Collection[str], folder: Path) -> list[str]:
    return [name for name in wanted if not os.access(folder / name, os.X_OK)]
