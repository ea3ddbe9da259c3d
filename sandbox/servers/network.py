"""Ports for private servers, all on 127.0.0.1."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"

_PORTS = range(15_000, 32_000)
"""Below the ports that Linux gives to outgoing connections (32768 and up).

A server that is stopped and started again keeps its port. From the ephemeral range another connection could take it
meanwhile, even a client of that server, which then happily talks to itself.
"""


def free_ports(count: int) -> list[int]:
    """Return different ports on which nothing listens."""
    free: list[int] = []
    with ExitStack() as held:
        for port in random.sample(_PORTS, len(_PORTS)):
            if len(free) == count:
                break
            candidate = held.enter_context(socket.socket())
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            free.append(port)
    return free


def free_port(*, preferred: int | None = None) -> int:
    """Return a port on which nothing listens, the preferred one if possible."""
    return preferred if preferred is not None and _is_free(preferred) else free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
        except OSError:
            return False
    return True


async def listens(port: int) -> bool:
    """Return whether something accepts connections on a port."""
    try:
        async with asyncio.timeout(1):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
