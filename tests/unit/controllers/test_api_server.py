"""The client of the API server against one that answers as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import kopf
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from controllers import api_server
from controllers.api_login import login
from controllers.api_server import (
    ApiServer,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
)
from controllers.resources.models import SCHEDULER
from shared.errors import ConfigurationError, TransientError
from tests.support.fakes import body, scheduler


@dataclass
class Cluster:
    """Answers every request with `status` and `answer`, if the token is the right one."""

    url: str = ""
    token: str = "first"
    status: int = 200
    answer: object = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    logins: int = 0
    mounted_token: str = "first"

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path, await request.text()))
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"kind": "Status", "message": "Unauthorized"}, status=401)
        if isinstance(self.answer, str):
            return web.Response(text=self.answer, status=self.status)
        return web.json_response(self.answer, status=self.status)

    def log_in(self) -> kopf.ConnectionInfo:
        self.logins += 1
        return kopf.ConnectionInfo(server=self.url, token=self.mounted_token)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    cluster, app = Cluster(), web.Application()
    app.router.add_route("*", "/{path:.*}", cluster.handle)
    async with TestServer(app) as server:
        cluster.url = str(server.make_url(""))
        yield cluster


@pytest.fixture
async def api(cluster: Cluster) -> AsyncIterator[ApiServer]:
    async with api_server.api_server(log_in=cluster.log_in) as api:
        yield api


async def test_resources_are_listed_in_their_namespace(api: ApiServer, cluster: Cluster) -> None:
    cluster.answer = {"items": [body(uid="a"), body(uid="b")]}
    assert [resource.uid for resource in await api.list_resources(SCHEDULER, "games")] == ["a", "b"]
    assert cluster.asked[0][:2] == ("GET", "/apis/questbell.dev/v1alpha1/namespaces/games/schedulers")


async def test_a_status_is_written_for_exactly_one_uid(api: ApiServer, cluster: Cluster) -> None:
    cluster.answer = body(version=2)
    assert (await api.replace_status(scheduler(), {"pending": "3"})).version == 2
    [(method, path, sent)] = cluster.asked
    assert (method, path.rpartition("/")[2]) == ("PATCH", "status")
    assert json.loads(sent)[0] == {"op": "test", "path": "/metadata/uid", "value": "u-1"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (422, RefusedError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
    ],
)
async def test_each_refusal_has_its_type_and_says_what_the_server_said(
    status: int, error: type[Exception], api: ApiServer, cluster: Cluster
) -> None:
    cluster.status, cluster.answer = status, {"kind": "Status", "message": "because"}
    with pytest.raises(error, match=f"GET /version: {status} because"):
        await api.ping()


async def test_an_answer_that_is_not_of_the_api_is_told_as_it_is(api: ApiServer, cluster: Cluster) -> None:
    cluster.status, cluster.answer = 502, "<html>Bad gateway</html>"
    with pytest.raises(TransientError, match="Bad gateway"):
        await api.ping()


async def test_a_token_that_was_replaced_on_disk_is_read_again(api: ApiServer, cluster: Cluster) -> None:
    cluster.token = cluster.mounted_token = "second"
    await api.ping()
    await api.ping()
    assert cluster.logins == 2, "one at the start, one at the 401"


async def test_a_login_that_stays_refused_is_an_error_and_no_loop(api: ApiServer, cluster: Cluster) -> None:
    cluster.token = "another"
    with pytest.raises(TransientError, match="401"):
        await api.ping()
    assert len(cluster.asked) == 2


async def test_a_server_that_is_not_there_is_a_transient_error() -> None:
    async with api_server.api_server(log_in=lambda: kopf.ConnectionInfo(server="http://127.0.0.1:1", token="t")) as api:
        with pytest.raises(TransientError, match="unreachable"):
            await api.ping()


async def test_a_server_that_hangs_is_given_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_server, "REQUEST_TIMEOUT", 0.05)
    release = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/version", hang)
    async with TestServer(app) as server:
        url = str(server.make_url(""))
        async with api_server.api_server(log_in=lambda: kopf.ConnectionInfo(server=url, token="t")) as api:
            with pytest.raises(TransientError, match="TimeoutError"):
                await api.ping()
        release.set()


def kubeconfig(folder: Path, *, server: str | None = "https://host:6443", user: dict[str, str] | None = None) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "one", "user": "me"}}],
                "clusters": [{"name": "one", "cluster": {"server": server} if server else {}}],
                "users": [{"name": "me", "user": user if user is not None else {"token": "secret"}}],
            }
        )
    )
    return path


def test_a_kubeconfig_that_is_named_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path)))
    assert login().server == "https://host:6443"


def test_a_login_plugin_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, user={})))
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: .*login plugins are not supported"):
        login()


def test_a_context_without_a_server_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server=None)))
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: .*no server"):
        login()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("{ not yaml", "cannot be used"),
        ("just a word", "cannot be used"),
        ("contexts: []", "Current context is not set"),
        ("current-context: there", "'there'"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_names_the_setting_and_the_reason(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(ConfigurationError, match=f"(?s)KUBECONFIG: .*{said}"):
        login()


def test_without_any_api_server_the_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="KUBECONFIG: is not set"):
        login()
