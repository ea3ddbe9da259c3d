"""The few calls that we make to the Kubernetes API server ourselves.

Kopf watches, and has no public way to make a call of one's own. The official client brings most of an operator's
memory for six requests. Every request here has a time-out and one try; who calls decides when to try again, from the
type of the error.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import kopf

from controllers.api_login import login
from controllers.resources.models import Body, Kind, Resource
from shared.errors import ConfigurationError, PermanentError, TransientError

REQUEST_TIMEOUT = 10.0
"""Seconds for one request."""
CONNECT_TIMEOUT = 5.0
"""Seconds of them to connect."""
FIELD_MANAGER = "questbell"

LogIn = Callable[[], kopf.ConnectionInfo]
Operations = Sequence[Mapping[str, object]]
"""A JSON patch (RFC 6902)."""


class NotFoundError(PermanentError):
    """The API server knows no such object, or no such kind of object."""


class ConflictError(PermanentError):
    """An object of this name exists already."""


class RefusedError(PermanentError):
    """The API server refuses the content: a schema, a rule, or a `test` of a JSON patch does not hold."""


class ForbiddenError(PermanentError):
    """The role of our user does not allow this request."""


_ERRORS: Mapping[int, type[PermanentError]] = {
    400: RefusedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: RefusedError,
}


@dataclass(frozen=True)
class _Access:
    server: str
    ssl: ssl.SSLContext
    headers: Mapping[str, str] = field(repr=False)
    proxy: str | None = None

    @classmethod
    def of(cls, info: kopf.ConnectionInfo) -> Self:
        try:
            return cls(info.server.rstrip("/"), info.as_ssl_context(), info.as_http_headers(), info.proxy_url)
        except (OSError, ValueError) as error:  # ssl.SSLError and binascii.Error are among them
            raise ConfigurationError(f"KUBECONFIG: its certificates or key cannot be used: {error}") from error


@asynccontextmanager
async def api_server(*, log_in: LogIn = login) -> AsyncIterator[ApiServer]:
    """Open a client of the API server for a block.

    Raises:
        ConfigurationError: no API server is known, or the login cannot be used.
    """
    access = await _logged_in(log_in)
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield ApiServer(session, access, log_in=log_in)


class ApiServer:
    """A client of one API server; it logs in again when it is told 401."""

    def __init__(self, session: aiohttp.ClientSession, access: _Access, *, log_in: LogIn) -> None:
        self._session = session
        self._access = access
        self._log_in = log_in

    async def ping(self) -> None:
        """Return when the API server answers."""
        await self._call("GET", "/version")

    async def list_resources(self, kind: Kind, namespace: str) -> list[Resource]:
        """Return all resources of a kind in a namespace.

        Raises:
            NotFoundError: the kind is not defined in this cluster.
        """
        answer = await self._call("GET", kind.path(namespace))
        return [Resource.of(kind, item) for item in answer["items"]]

    async def create(self, kind: Kind, namespace: str, body: Body) -> Resource:
        """Create a resource.

        Raises:
            ConflictError: the name is taken.
            RefusedError: the definition does not allow such a spec.
        """
        return Resource.of(kind, await self._call("POST", kind.path(namespace), body))

    async def replace_status(self, resource: Resource, status: Body) -> Resource:
        """Replace the status of exactly this resource, not of another that got its name; return it as it is now.

        Raises:
            NotFoundError, RefusedError: it is gone, or another has its name.
        """
        operations: Operations = [
            {"op": "test", "path": "/metadata/uid", "value": resource.uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = f"{resource.kind.path(resource.namespace, resource.name)}/status"
        return Resource.of(
            resource.kind, await self._call("PATCH", path, operations, content="application/json-patch+json")
        )

    async def post_event(self, namespace: str, event: Body) -> None:
        """Create an Event (events.k8s.io/v1), which `kubectl get events` shows."""
        await self._call("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)

    async def apply_definition(self, definition: Body) -> Body:
        """Create or update a CustomResourceDefinition; return it as it is now."""
        path = (
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"
            f"?fieldManager={FIELD_MANAGER}&force=true"
        )
        return await self._call("PATCH", path, definition, content="application/apply-patch+yaml")

    async def _call(
        self, method: str, path: str, body: Body | Operations | None = None, *, content: str = "application/json"
    ) -> Body:
        data = None if body is None else json.dumps(body)
        access = self._access
        status, answer = await self._ask(access, method, path, data=data, content=content)
        if status == 401:
            if self._access is access:  # else another request has logged in meanwhile
                self._access = await _logged_in(self._log_in)
            status, answer = await self._ask(self._access, method, path, data=data, content=content)
        if status < 300:
            return answer
        what = f"API server: {method} {path.partition('?')[0]}: {status} {answer.get('message', '')}".rstrip()
        raise _ERRORS.get(status, TransientError)(what)

    async def _ask(
        self, access: _Access, method: str, path: str, *, data: str | None, content: str
    ) -> tuple[int, dict[str, Any]]:
        headers = {**access.headers, "Content-Type": content, "Accept": "application/json"}
        try:
            async with self._session.request(
                method, access.server + path, data=data, headers=headers, ssl=access.ssl, proxy=access.proxy
            ) as response:
                return response.status, _object(await response.text())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise TransientError(f"API server unreachable (KUBECONFIG): {reason}") from error


async def _logged_in(log_in: LogIn) -> _Access:
    info = await asyncio.to_thread(log_in)
    return await asyncio.to_thread(_Access.of, info)


def _object(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None  # a proxy's or an overloaded server's page, not of the API
    return answer if isinstance(answer, dict) else {"message": " ".join(text.split())[:200]}
