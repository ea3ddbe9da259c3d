"""All requests to the Kubernetes API server except Kopf's watch, each with a time-out and one try.

`CustomObjectsApi` was rejected: its module alone takes 15 MiB.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient

from controllers.kubernetes_login import Configuration, load_configuration
from controllers.resources.models import Body, Kind, Resource
from shared.errors import ConfigurationError, PermanentError, TransientError

REQUEST_TIMEOUT = 10.0
"""Seconds, including the connection."""
CONNECT_TIMEOUT = 5.0
"""Seconds."""
JSON = "application/json"

LoadConfiguration = Callable[[], Configuration]


class NotFoundError(PermanentError):
    """The API server knows no such object, or no such kind of object."""


class ConflictError(PermanentError):
    """An object of this name exists already."""


class RefusedError(PermanentError):
    """The API server refuses the content: a schema, a rule or a `test` of a JSON patch fails."""


class ForbiddenError(PermanentError):
    """Our role does not allow this request."""


class UnauthorizedError(TransientError):
    """The API server does not accept our credentials."""


_ERRORS: Mapping[int, type[PermanentError | TransientError]] = {
    400: RefusedError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: RefusedError,
}


@asynccontextmanager
async def connect(*, load: LoadConfiguration = load_configuration) -> AsyncIterator[KubernetesApi]:
    """Log in to the API server for a block.

    Raises:
        ConfigurationError: no API server is known, or the configuration cannot be used.
    """
    api = KubernetesApi(await _log_in(load), load)
    try:
        yield api
    finally:
        await api.close()


class KubernetesApi:
    """After a 401 it logs in again and repeats the request once."""

    def __init__(self, login: _Login, load: LoadConfiguration) -> None:
        self._login = login
        self._load = load
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Close the connections."""
        await self._login.retire()

    async def ping(self) -> None:
        """Wait for an answer."""
        await self._request("GET", "/version")

    async def list_resources(self, kind: Kind, namespace: str) -> list[Resource]:
        """Return all resources of a kind.

        Raises:
            NotFoundError: the kind is not defined in this cluster.
        """
        answer = await self._request("GET", kind.path(namespace))
        return [Resource.from_body(kind, item) for item in answer["items"]]

    async def create(self, kind: Kind, namespace: str, body: Body) -> Resource:
        """Create a resource.

        Raises:
            ConflictError: the name is taken.
            RefusedError: the definition does not allow such a spec.
        """
        return Resource.from_body(kind, await self._request("POST", kind.path(namespace), body))

    async def replace_status(self, resource: Resource, status: Body) -> Resource:
        """Replace the status of exactly this resource, and return the new version.

        Raises:
            NotFoundError, RefusedError: it is gone, or another has its name.
        """
        path = f"{resource.kind.path(resource.namespace, resource.name)}/status"
        operations = [
            {"op": "test", "path": "/metadata/uid", "value": resource.uid},
            {"op": "add", "path": "/status", "value": status},
        ]
        answer = await self._request("PATCH", path, operations, "application/json-patch+json")
        return Resource.from_body(resource.kind, answer)

    async def post_event(self, namespace: str, event: Body) -> None:
        """Create an Event (events.k8s.io/v1)."""
        await self._request("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)

    async def _request(self, method: str, path: str, body: object = None, content_type: str = JSON) -> Any:
        login = self._login
        try:
            return await login.send(method, path, body, content_type)
        except UnauthorizedError:
            return await (await self._log_in_again(login)).send(method, path, body, content_type)

    async def _log_in_again(self, refused: _Login) -> _Login:
        async with self._lock:
            if self._login is refused:  # else another request has logged in meanwhile
                try:
                    self._login = await _log_in(self._load)
                except ConfigurationError as error:  # it could be used before, so its files are being replaced
                    raise TransientError(str(error)) from error
                await refused.retire()
            return self._login


class _Login:
    def __init__(self, configuration: Configuration) -> None:
        self._client = ApiClient(configuration)
        self._requests = 0
        self._retired = False

    async def retire(self) -> None:
        self._retired = True
        if self._requests == 0:
            await self._client.close()

    async def send(self, method: str, path: str, body: object, content_type: str) -> Any:
        headers = {"Accept": JSON, "Content-Type": content_type}
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT, ceil_threshold=math.inf)
        self._requests += 1
        try:
            request = await self._client.param_serialize(
                method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(*request, _request_timeout=timeout)
            return _read(response.status, await response.read(), what=f"{method} {path}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise TransientError(f"API server unreachable (KUBECONFIG): {reason}") from error
        finally:
            self._requests -= 1
            if self._retired:
                await self.retire()


async def _log_in(load: LoadConfiguration) -> _Login:
    def log_in() -> _Login:
        configuration = load()
        try:
            return _Login(configuration)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigurationError(f"KUBECONFIG: its certificates or key cannot be used: {error}") from error

    return await asyncio.to_thread(log_in)


def _read(status: int, content: bytes, *, what: str) -> Any:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):  # the page of a proxy or an overloaded server
        status, answer = max(status, 300), {"message": " ".join(content.decode(errors="replace").split())[:200]}
    if status < 300:
        return answer
    raise _ERRORS.get(status, TransientError)(f"API server: {what}: {status} {answer.get('message', '')}".rstrip())
