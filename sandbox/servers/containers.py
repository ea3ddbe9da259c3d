"""PostgreSQL and RabbitMQ as Docker containers, by testcontainers.

testcontainers is a development dependency, so it is imported only here and only if needed. Its reaper (Ryuk) is off,
since the context managers remove the containers and its image may be out of reach. Therefore a container survives if
this process is killed by SIGKILL. Docker's client blocks, so every call runs in a thread.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.servers.command import unbroken
from sandbox.servers.errors import ServerFailedError, ServerNotAvailableError
from sandbox.servers.lifecycle import Report
from sandbox.servers.network import HOST
from sandbox.servers.process import Ready, until_ready

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_ANSWER_SECONDS = 3
_PULL_SECONDS = 600
_STOP_SECONDS = 15
_LOG_LINES = 15


async def ensure_image(image: str, *, report: Report) -> None:
    """Make sure that a Docker daemon of this machine answers and has the image; pull it if needed.

    Raises:
        ServerNotAvailableError: there is no such daemon, or the image cannot be pulled.
    """
    if find_spec("testcontainers") is None:
        raise ServerNotAvailableError("the Python package testcontainers is not installed")
    if await asyncio.to_thread(_has_image, image):
        return
    report(f"pulling {image}")
    given_up = threading.Event()
    try:
        await asyncio.to_thread(_pull, image, given_up)
    finally:
        given_up.set()


def _has_image(image: str) -> bool:
    with _docker("no Docker daemon answers", answer_within=_ANSWER_SECONDS) as client:
        if urlsplit(client.api.base_url).hostname not in {"localhost", HOST}:
            raise ServerNotAvailableError("the Docker daemon is on another machine")
        return any(image in known.tags for known in client.images.list(name=image))


def _pull(image: str, given_up: threading.Event) -> None:
    """Pull in pieces, so that the thread can check whether to stop."""
    with _docker(f"Docker cannot pull {image}", answer_within=_PULL_SECONDS) as client:
        for _piece in client.api.pull(image, stream=True):
            if given_up.is_set():
                return
        client.images.get(image)


@contextmanager
def _docker(problem: str, *, answer_within: float) -> Iterator[Any]:
    """Yield Docker's client, and turn its errors into ServerNotAvailableError with `problem`."""
    import docker  # type: ignore[import-untyped]  # reason: it has no types

    _require_listener()
    try:
        client = docker.from_env(timeout=answer_within)
        try:
            yield client
        finally:
            client.close()
    except _docker_errors() as error:
        raise ServerNotAvailableError(problem) from error


def _require_listener() -> None:
    """Connect to the daemon's socket first: Docker's client leaks a socket if the daemon is stopped."""
    from docker.utils import parse_host  # type: ignore[import-untyped]  # reason: it has no types

    scheme, _, path = parse_host(os.environ.get("DOCKER_HOST")).partition("://")
    if scheme != "http+unix":
        return
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(_ANSWER_SECONDS)
        try:
            knock.connect(path)
        except OSError as error:
            raise ServerNotAvailableError("no Docker daemon answers") from error


def _docker_errors() -> tuple[type[Exception], ...]:
    import docker.errors  # type: ignore[import-untyped]  # reason: it has no types
    import requests

    return (docker.errors.DockerException, requests.RequestException)


class Container:
    """One container, whose ports on this machine stay the same after restarts."""

    def __init__(
        self,
        name: str,
        image: str,
        *,
        ready: Ready,
        ports: Mapping[int, int],
        environment: Mapping[str, str],
        command: Sequence[str] = (),
        ready_within: float = 90.0,
    ) -> None:
        """`ports` maps the container's ports to those of 127.0.0.1; `ready_within` is in seconds."""
        self.name = name
        self._image = image
        self._ready = ready
        self._ready_within = ready_within
        self._ports = {str(inside): (HOST, outside) for inside, outside in ports.items()}
        self._environment = dict(environment)
        self._command = list(command)
        self._container: DockerContainer | None = None

    async def start(self) -> None:
        """Create or start the container and wait until it is ready.

        Raises:
            ServerFailedError: Docker could not start it, or it was not ready in time.
        """
        await self._in_thread(self._run)
        await until_ready(self.name, self._ready, within=self._ready_within, running=lambda: True, last_words=self._log)

    async def stop(self) -> None:
        """Stop the container; its data stays."""
        if self._container is not None:
            wrapped = self._container.get_wrapped_container()
            await self._in_thread(lambda: wrapped.stop(timeout=_STOP_SECONDS))

    async def kill(self) -> None:
        """Kill the container's processes; its data stays."""
        if self._container is not None:
            await self._in_thread(self._container.get_wrapped_container().kill)

    async def wipe(self) -> None:
        """Replace the container and its volume with new ones."""
        await self.remove()
        await self.start()

    async def remove(self) -> None:
        """Remove the container with its volumes."""
        container, self._container = self._container, None
        if container is not None:
            await self._in_thread(container.stop)

    async def _in_thread(self, work: Callable[[], object]) -> None:
        try:
            await unbroken(asyncio.to_thread(work))
        except _docker_errors() as error:
            raise ServerFailedError(f"Docker failed with {self.name}: {error}") from error

    def _run(self) -> None:
        if self._container is not None:
            self._container.get_wrapped_container().start()
            return
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        testcontainers_config.ryuk_disabled = True
        self._container = DockerContainer(self._image, env=self._environment, hostname="questbell")
        published: dict[str, Any] = self._ports
        self._container.ports.update(published)
        if self._command:
            self._container.with_command(self._command)
        self._container.start()

    def _log(self) -> str:
        if self._container is None:
            return ""
        output: bytes = self._container.get_wrapped_container().logs(tail=_LOG_LINES)
        return output.decode(errors="replace")
