from __future__ import annotations

import socket

import pytest

from sandbox.servers import network
from sandbox.servers.network import HOST, free_port, free_ports, listens


def test_ports_differ_and_are_below_those_of_outgoing_connections() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < 32_768


async def test_a_port_in_use_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as server:
        used = server.getsockname()[1]
        free = free_port()
        monkeypatch.setattr(network, "_PORTS", [used, free])
        assert free_ports(2) == [free]
        assert await listens(used)
        assert not await listens(free)
