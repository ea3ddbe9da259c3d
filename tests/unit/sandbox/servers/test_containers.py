"""How a missing Docker is noticed."""

from __future__ import annotations

import gc
import socket
from pathlib import Path

import pytest

from sandbox.servers import containers
from sandbox.servers.errors import ServerNotAvailableError


async def test_the_socket_of_a_stopped_daemon_counts_as_no_docker_and_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(path))  # and nobody listens, as after a daemon that was killed
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with pytest.raises(ServerNotAvailableError, match="no Docker daemon answers"):
        await containers.ensure_image("the:1", report=print)
    gc.collect()  # a leaked socket warns when it is collected, and a warning is an error here
