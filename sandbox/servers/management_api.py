"""The few calls to RabbitMQ's management API that tests need."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from sandbox.servers.network import HOST

_TIMEOUT = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True)
class QueueFigures:
    """The messages of a queue."""

    ready: int
    unacked: int
    total: int


@dataclass(frozen=True)
class QueueMembers:
    """The nodes of a quorum queue."""

    leader: str
    online: Sequence[str]


class ManagementApi:
    """One broker's management API, on 127.0.0.1."""

    def __init__(self, port: int, *, user: str, password: str) -> None:
        self._base = f"http://{HOST}:{port}/api"
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}

    async def answers(self) -> bool:
        """Return whether it accepts the password and lists queues; RabbitMQ 4.0 lists none at the first request."""
        try:
            await self.queues("/")
        except (aiohttp.ClientError, TimeoutError):
            return False
        return True

    async def put_vhost(self, name: str) -> None:
        """Create a virtual host in which the user has all permissions."""
        await self._call("PUT", f"vhosts/{_segment(name)}")

    async def delete_vhost(self, name: str) -> None:
        """Delete a virtual host."""
        await self._call("DELETE", f"vhosts/{_segment(name)}")

    async def put_user(self, name: str, password: str, *, vhost: str, permissions: Mapping[str, str]) -> None:
        """Create a user without tags, with permissions in one virtual host."""
        await self._call("PUT", f"users/{_segment(name)}", {"password": password, "tags": ""})
        await self._call("PUT", f"permissions/{_segment(vhost)}/{_segment(name)}", permissions)

    async def delete_user(self, name: str) -> None:
        """Delete a user."""
        await self._call("DELETE", f"users/{_segment(name)}")

    async def put_policy(self, name: str, *, vhost: str, pattern: str, max_length: int) -> None:
        """Limit the queues of a virtual host whose names match."""
        policy = {"pattern": pattern, "apply-to": "queues", "definition": {"max-length": max_length}}
        await self._call("PUT", f"policies/{_segment(vhost)}/{_segment(name)}", policy)

    async def queues(self, vhost: str) -> dict[str, QueueFigures]:
        """The queues of a virtual host, by name.

        The parameters take the figures from the queues themselves instead of the statistics database, which is
        seconds behind.
        """
        query = "disable_stats=true&enable_queue_totals=true"
        queues = await self._call("GET", f"queues/{_segment(vhost)}?{query}")
        return {
            queue["name"]: QueueFigures(
                ready=queue["messages_ready"],
                unacked=queue["messages_unacknowledged"],
                total=queue["messages"],
            )
            for queue in queues
        }

    async def members(self, vhost: str) -> dict[str, QueueMembers]:
        """The members of the quorum queues of a virtual host, by the queue's name."""
        queues = await self._call("GET", f"queues/{_segment(vhost)}?disable_stats=true")
        return {queue["name"]: QueueMembers(queue["leader"], queue["online"]) for queue in queues}

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT, raise_for_status=True) as session,
            session.request(method, f"{self._base}/{path}", json=body) as response,
        ):
            return await response.json(content_type=None)


def _segment(name: str) -> str:
    return quote(name, safe="")
