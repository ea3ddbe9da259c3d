"""Where the API server and the credentials come from, for our requests and for Kopf."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.config import incluster_config

from controllers import kubernetes_api, kubernetes_login
from controllers.kopf_handlers import connection_info
from controllers.kubernetes_login import load_configuration
from shared.errors import ConfigurationError

HTTPS = "https://host:6443"
PLUGIN = """
import json, sys
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": STATUS}))
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a kubeconfig and name it in `KUBECONFIG`."""

    def write(
        *,
        file: str = "kubeconfig",
        context: str = "here",
        server: str | None = HTTPS,
        user: dict[str, Any] | None = None,
        **cluster: object,
    ) -> Path:
        path = tmp_path / file
        path.write_text(
            yaml.safe_dump(
                {
                    "current-context": context,
                    "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
                    "clusters": [{"name": context, "cluster": cluster | ({"server": server} if server else {})}],
                    "users": [{"name": context, "user": user if user is not None else {"token": "secret"}}],
                }
            )
        )
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


def plugin(status: dict[str, str], **more: object) -> dict[str, Any]:
    """A user whose credentials a program prints."""
    code = PLUGIN.replace("STATUS", json.dumps(status))
    return exec_user([sys.executable, "-c", code], **more)


def exec_user(command: list[str], **more: object) -> dict[str, Any]:
    api_version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": api_version, "command": command[0], "args": command[1:], **more}}


def authorization() -> str | None:
    return load_configuration().api_key.get("BearerToken")


def test_kubeconfig_names_the_server_and_the_token(write: Write) -> None:
    write()
    configuration = load_configuration()
    assert (configuration.host, configuration.api_key["BearerToken"]) == (HTTPS, "Bearer secret")


def test_the_official_client_does_not_repeat_requests(write: Write) -> None:
    write()
    configuration = load_configuration()
    assert (configuration.retries, configuration.client_go_retries) == (None, False)


def test_a_token_file_is_read_at_each_login_and_its_newline_is_dropped(write: Write, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    write(user={"tokenFile": "token"})
    assert authorization() == "Bearer first"
    (tmp_path / "token").write_text("second\n")
    assert authorization() == "Bearer second"


def test_a_user_name_and_a_password_are_basic_authentication(write: Write) -> None:
    write(user={"username": "me", "password": "secret"})
    assert authorization() == f"Basic {base64.b64encode(b'me:secret').decode()}"


def test_a_login_plugin_runs_at_each_login(write: Write) -> None:
    write(user=plugin({"token": "from-a-plugin"}))
    assert authorization() == "Bearer from-a-plugin"


def test_a_login_plugin_may_return_a_client_certificate(write: Write) -> None:
    write(user=plugin({"clientCertificateData": "certificate", "clientKeyData": "key"}))
    configuration = load_configuration()
    assert Path(configuration.cert_file or "").read_text() == "certificate"
    assert Path(configuration.key_file or "").read_text() == "key"


async def test_a_login_plugin_works_beside_a_running_event_loop(write: Write) -> None:
    write(user=plugin({"token": "from-a-plugin"}))
    assert await asyncio.to_thread(authorization) == "Bearer from-a-plugin"


def test_a_login_plugin_that_fails_is_a_configuration_error(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write(user=exec_user([sys.executable, "-c", "import sys; sys.exit('sign in first')"]))
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: .*the log says why that failed"):
        load_configuration()
    assert "sign in first" in caplog.text


def test_a_login_plugin_that_hangs_times_out_and_is_killed(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubernetes_login, "LOGIN_TIMEOUT", 4.0)  # enough for a shell to start on a busy machine
    write(user=exec_user(["/bin/sh", "-c", f"echo $$ > '{tmp_path / 'pid'}'; exec sleep 60"]))
    began = time.monotonic()
    with pytest.raises(ConfigurationError, match="login plugin took more than 4 s"):
        load_configuration()
    assert time.monotonic() - began < 30
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/cmdline").exists()


def test_a_client_certificate_is_a_login(write: Write) -> None:
    data = {
        "client-certificate-data": base64.b64encode(b"c").decode(),
        "client-key-data": base64.b64encode(b"k").decode(),
    }
    write(user=data)
    configuration = load_configuration()
    assert Path(configuration.cert_file or "").read_bytes() == b"c"
    assert Path(configuration.key_file or "").read_bytes() == b"k"
    assert os.stat(configuration.key_file or "").st_mode & 0o077 == 0


async def test_certificates_that_cannot_be_read_are_a_configuration_error(write: Write) -> None:
    write(**{"certificate-authority-data": base64.b64encode(b"no certificate").decode()})
    with pytest.raises(ConfigurationError, match="KUBECONFIG: its certificates or key cannot be used"):
        async with kubernetes_api.connect():
            pass


def test_files_are_found_beside_the_kubeconfig(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("authority")
    write(**{"certificate-authority": "ca.crt"})
    assert load_configuration().ssl_ca_cert == str(tmp_path / "ca.crt")


async def test_a_proxy_that_the_kubeconfig_names_is_used(write: Write) -> None:
    passed = []

    async def pass_on(request: web.Request) -> web.Response:
        passed.append(request.raw_path)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    async with TestServer(app) as proxy:
        write(server="http://cluster.invalid", **{"proxy-url": str(proxy.make_url("")).rstrip("/")})
        async with kubernetes_api.connect() as api:
            await api.ping()
    assert passed == ["http://cluster.invalid/version"]


async def test_a_proxy_of_the_environment_is_not_used(
    write: Write, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_tcp_port}")

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/version", answer)
    async with TestServer(app) as server:
        write(server=str(server.make_url("")).rstrip("/"))
        async with kubernetes_api.connect() as api:
            await api.ping()


def test_of_several_kubeconfigs_the_first_one_sets_the_context(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write(file=name, context=name, server=f"https://{name}") for name in ("one", "two")]
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))
    assert load_configuration().host == "https://one"


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a pod's service account."""
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text("authority")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(kubernetes_login, "SERVICE_ACCOUNT", tmp_path / "token")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    return tmp_path


def test_a_pod_uses_its_service_account_and_reads_its_token_at_each_login(pod: Path) -> None:
    configuration = load_configuration()
    assert (configuration.host, configuration.ssl_ca_cert) == ("https://10.0.0.1:443", str(pod / "ca.crt"))
    assert configuration.api_key["BearerToken"] == "bearer first"
    (pod / "token").write_text("second\n")
    assert authorization() == "bearer second"


def test_kubeconfig_wins_over_the_service_account(pod: Path, write: Write) -> None:
    write()
    assert load_configuration().host == HTTPS


def test_a_pod_without_the_address_of_the_api_server_is_a_configuration_error(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")
    with pytest.raises(ConfigurationError, match="Service host/port is not set"):
        load_configuration()


@pytest.mark.parametrize("user", [{"token": "secret"}, {"username": "me", "password": "secret"}])
def test_kopf_sends_the_same_credentials(user: dict[str, Any], write: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("authority")
    write(user=user, **{"certificate-authority": "ca.crt", "proxy-url": "http://proxy"})
    configuration = load_configuration()
    info = connection_info(configuration)
    assert info.as_http_headers() == {"Authorization": configuration.api_key["BearerToken"]}
    assert (info.server, info.ca_path, info.proxy_url) == (HTTPS, str(tmp_path / "ca.crt"), "http://proxy")
    assert not info.insecure


def test_kopf_skips_verification_when_the_kubeconfig_says_so(write: Write) -> None:
    write(**{"insecure-skip-tls-verify": True})
    assert connection_info(load_configuration()).insecure


def test_a_context_without_a_server_is_a_configuration_error(write: Write) -> None:
    write(server=None)
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: .*no server"):
        load_configuration()


def test_a_user_without_credentials_is_a_configuration_error(write: Write) -> None:
    write(user={})
    with pytest.raises(ConfigurationError, match=r"KUBECONFIG: .*no token and no client certificate"):
        load_configuration()


def test_a_tls_server_name_is_a_configuration_error(write: Write) -> None:
    write(**{"tls-server-name": "other"})
    with pytest.raises(ConfigurationError, match="tls-server-name is not supported"):
        load_configuration()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        ("", "cannot be used"),
        ("{ not yaml", "cannot be used"),
        ("just a word", "cannot be used"),
        ("contexts: []", "no current context"),
        ("current-context: there", "there"),
        ("current-context: a\ncontexts: [{name: a, context: {cluster: c, user: nobody}}]\nclusters: []", "nobody"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_one_line_with_the_setting_and_the_reason(
    content: str | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(ConfigurationError, match=f"^KUBECONFIG: .*{reason}") as caught:
        load_configuration()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "here", "token": "s3cret"},
        {"name": "here", "user": {"exec": {"command": "x", "env": [{"value": "s3cret"}], "apiVersion": "v1"}}},
        {"name": "here", "user": {"exec": {"command": "x", "env": [{"name": "s3cret"}]}}},
    ],
)
def test_a_mistake_in_a_kubeconfig_does_not_print_its_secrets(
    entry: dict[str, Any], write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    path = write()
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"users": [entry]}))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration()
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__!r} {caplog.text}"


def test_without_any_api_server_the_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="KUBECONFIG: is not set"):
        load_configuration()
