"""Listening for HTTP, on IPv4, on IPv6 or on both."""

from __future__ import annotations

import socket

from aiohttp import web

ALL = "::"


async def listen(runner: web.AppRunner, host: str, port: int) -> None:
    """Serve an application at an address; `::` stands for all addresses of both families.

    Raises:
        OSError: the address is taken, or is not of this machine.
    """
    site = web.SockSite(runner, _of_both_families(port)) if host == ALL else web.TCPSite(runner, host, port)
    await site.start()


def local_name(host: str) -> str:
    """Return a name for a URL with which this machine reaches a server that listens at `host`."""
    return "localhost" if host == ALL else host


def _of_both_families(port: int) -> socket.socket:
    """Return a socket that listens on all addresses. With this host, asyncio would listen on IPv6 alone."""
    if socket.has_dualstack_ipv6():
        return socket.create_server((ALL, port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
