"""Requests to the API server, sent to a server that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controllers import kubernetes_api
from controllers.kubernetes_api import (
    ConflictError,
    ForbiddenError,
    KubernetesApi,
    NotFoundError,
    RefusedError,
)
from controllers.kubernetes_login import Configuration
from controllers.resources.models import SCHEDULER
from shared.errors import ConfigurationError, TransientError
from tests.support.fakes import body, scheduler


def configuration(url: str, *, token: str = "t") -> Configuration:
    return Configuration(host=url, api_key={"BearerToken": f"Bearer {token}"})


@dataclass
class Cluster:
    """Answers every request with `status` and `answer`, if the token is the right one."""

    url: str = ""
    token: str = "first"
    status: int = 200
    answer: object = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    logins: int = 0
    mounted_token: str = "first"
    hanging: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path, await request.text()))
        self.headers.append(dict(request.headers))
        if self.hanging is not None:
            await self.hanging.wait()
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "message": "Unauthorized"}, status=401)
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)

    def load(self) -> Configuration:
        self.logins += 1
        return configuration(self.url, token=self.mounted_token)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster, app = Cluster(), web.Application()
    app.router.add_route("*", "/{path:.*}", cluster.handle)
    async with TestServer(app) as server:
        cluster.url = str(server.make_url("")).rstrip("/")
        yield cluster


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[KubernetesApi]:
    async with kubernetes_api.connect(load=cluster.load) as api:
        yield api


async def test_resources_are_listed_in_their_namespace(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.answer = {"items": [body(uid="a"), body(uid="b")]}
    assert [resource.uid for resource in await api.list_resources(SCHEDULER, "games")] == ["a", "b"]
    assert cluster.requests[0][:2] == ("GET", "/apis/questbell.dev/v1alpha1/namespaces/games/schedulers")


async def test_a_resource_is_created_from_its_body(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.answer = body(uid="new")
    assert (await api.create(SCHEDULER, "games", body())).uid == "new"
    [(method, path, sent)] = cluster.requests
    assert (method, path) == ("POST", "/apis/questbell.dev/v1alpha1/namespaces/games/schedulers")
    assert json.loads(sent) == body()


async def test_a_status_is_written_for_exactly_one_uid(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.answer = body(version=2)
    assert (await api.replace_status(scheduler(), {"pending": "3"})).version == 2
    [(method, path, sent)] = cluster.requests
    assert (method, path.rpartition("/")[2]) == ("PATCH", "status")
    assert json.loads(sent)[0] == {"op": "test", "path": "/metadata/uid", "value": "u-1"}
    assert cluster.headers[0]["Content-Type"] == "application/json-patch+json"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, RefusedError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
    ],
)
async def test_each_error_status_raises_its_type_with_the_message_of_the_server(
    status: int, error: type[Exception], api: KubernetesApi, cluster: Cluster
) -> None:
    cluster.status, cluster.answer = status, {"kind": "Status", "message": "because"}
    with pytest.raises(error, match=f"GET /version: {status} because"):
        await api.ping()


@pytest.mark.parametrize("status", [200, 502])
async def test_an_answer_that_is_not_json_is_a_transient_error_that_quotes_it(
    status: int, api: KubernetesApi, cluster: Cluster
) -> None:
    cluster.status, cluster.answer = status, "<html>Bad gateway</html>"
    with pytest.raises(TransientError, match="Bad gateway"):
        await api.ping()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failed_request_is_not_repeated(status: int, api: KubernetesApi, cluster: Cluster) -> None:
    cluster.status = status
    with pytest.raises(TransientError):
        await api.ping()
    assert len(cluster.requests) == 1


async def test_the_credentials_are_loaded_again_after_a_401(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.token = cluster.mounted_token = "second"
    await api.ping()
    await api.ping()
    assert cluster.logins == 2, "one at the start, one at the 401"


async def test_requests_that_get_a_401_together_log_in_once(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.token = cluster.mounted_token = "second"
    await asyncio.gather(*(api.ping() for _ in range(5)))
    assert cluster.logins == 2


async def test_a_new_login_does_not_break_requests_in_flight(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.hanging = asyncio.Event()
    slow = asyncio.create_task(api.ping())
    while not cluster.requests:
        await asyncio.sleep(0.01)
    release, cluster.hanging = cluster.hanging, None
    cluster.token = cluster.mounted_token = "second"
    await api.ping()
    cluster.token = "first"
    release.set()
    await slow
    assert len(cluster.requests) == 3, "the slow one was not repeated"


async def test_a_401_after_a_new_login_is_an_error_and_no_loop(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.token = "another"
    with pytest.raises(TransientError, match="401"):
        await api.ping()
    assert len(cluster.requests) == 2


async def test_a_configuration_that_breaks_later_is_a_transient_error(
    api: KubernetesApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Configuration:
        raise ConfigurationError("KUBECONFIG: half written")

    cluster.token = "second"
    monkeypatch.setattr(api, "_load", fail)
    with pytest.raises(TransientError, match="half written"):
        await api.ping()


async def test_a_server_that_is_not_there_is_a_transient_error() -> None:
    async with kubernetes_api.connect(load=lambda: configuration("http://127.0.0.1:1")) as api:
        with pytest.raises(TransientError, match="unreachable"):
            await api.ping()


async def test_a_request_to_a_server_that_hangs_times_out(
    api: KubernetesApi, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_api, "REQUEST_TIMEOUT", 0.05)
    cluster.hanging = asyncio.Event()
    with pytest.raises(TransientError, match="TimeoutError"):
        await api.ping()
    cluster.hanging.set()


async def test_a_body_that_hangs_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_api, "REQUEST_TIMEOUT", 0.05)
    release = asyncio.Event()

    async def stop_half_way(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b"{")
        await release.wait()
        return response

    app = web.Application()
    app.router.add_get("/version", stop_half_way)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        async with kubernetes_api.connect(load=lambda: configuration(url)) as api:
            with pytest.raises(TransientError, match="unreachable"):
                await api.ping()
        release.set()


async def test_an_error_does_not_contain_the_token(api: KubernetesApi, cluster: Cluster) -> None:
    cluster.token = "another"
    with pytest.raises(TransientError) as caught:
        await api.ping()
    assert "first" not in f"{caught.value!r} {api!r} {api._login!r}"
