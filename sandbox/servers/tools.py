"""Helm and promtool for the tests of the chart and its alerts, and a browser for those of the sandbox's page.

The one on PATH comes first, then ours in the cache. Where neither is, Helm is built from its pinned Go module, promtool
is unpacked from the distribution's package, and the browser is installed. Installing promtool's package was rejected:
it starts a server.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from sandbox.servers import apt, go_build
from sandbox.servers.cache import arriving_in, cache_directory, locked
from sandbox.servers.errors import ServerFailedError
from sandbox.servers.lifecycle import Report

HELM = "helm"
PROMTOOL = "promtool"

_HELM_VERSION = "v4.3.1"
_HELM_PACKAGE = "helm.sh/helm/v4/cmd/helm"
_PROMTOOL_PACKAGE = "prometheus"
_BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
_FOLDERS = {HELM: f"helm/{_HELM_VERSION}", PROMTOOL: "promtool"}


def find(tool: str) -> Path | None:
    """Return the tool's path, or None where it is not installed."""
    found = shutil.which(tool, path=os.pathsep.join([os.environ.get("PATH", os.defpath), str(_folder(tool))]))
    return Path(found) if found else None


def find_browser() -> Path | None:
    """Return the path of a Chromium, or None where there is none."""
    return next((Path(found) for name in _BROWSERS if (found := shutil.which(name))), None)


async def obtain_browser(*, report: Report) -> None:
    """Install a browser if there is none. A machine that cannot only skips the tests of the page."""
    if find_browser() or not await apt.may_install():
        return
    report(f"installing a browser (apt-get install {_BROWSERS[0]})")
    try:
        await apt.install(_BROWSERS[0])
    except ServerFailedError as error:
        report(f"tests of the page are skipped: {error}")


async def obtain(*, report: Report) -> None:
    """Build or fetch the tools that are missing. A machine that can have neither only skips their tests."""
    for tool, make in ((HELM, _build_helm), (PROMTOOL, _unpack_promtool)):
        try:
            await _obtain(tool, make, report)
        except ServerFailedError as error:
            report(f"tests that need {tool} are skipped: {error}")


async def _obtain(tool: str, make: Callable[[Path, Report], Awaitable[None]], report: Report) -> None:
    if find(tool):
        return
    folder = _folder(tool)
    async with locked(folder.parent, on_wait=lambda: report(f"waiting for another run that fetches {tool}")):
        if not find(tool):
            async with arriving_in(folder) as work:
                await make(work, report)


def _folder(tool: str) -> Path:
    return cache_directory() / "tools" / _FOLDERS[tool]


async def _build_helm(directory: Path, report: Report) -> None:
    report(f"building Helm {_HELM_VERSION}")
    stamp = f"-X helm.sh/helm/v4/internal/version.version={_HELM_VERSION}"
    await go_build.install(f"{_HELM_PACKAGE}@{_HELM_VERSION}", directory, stamp=stamp, report=report)


async def _unpack_promtool(directory: Path, report: Report) -> None:
    report(f"fetching promtool (the package {_PROMTOOL_PACKAGE})")
    package = await apt.unpack(_PROMTOOL_PACKAGE, directory / "package")
    (package / "usr/bin/promtool").rename(directory / PROMTOOL)
    shutil.rmtree(package)
