"""Servers that a setting names are used, but never started, stopped or wiped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.servers import ServerIsForeignError, control_plane, postgres, rabbitmq
from shared.errors import ConfigurationError

KUBECONFIG = """
current-context: ours
contexts: [{name: ours, context: {cluster: it, user: me}}]
clusters: [{name: it, cluster: {server: "https://cluster.example:6443"}}]
"""


@pytest.fixture
def content() -> str:
    return KUBECONFIG


@pytest.fixture
def kubeconfig(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig that the sandbox's setting names."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    file = tmp_path / "given"
    file.write_text(content)
    monkeypatch.setenv("QUESTBELL_SANDBOX_KUBECONFIG", str(file))
    return file


async def test_a_given_database_is_used_with_asyncpg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgres://me:secret@db.example/games")
    async with postgres(tmp_path, report=print) as server:
        assert server.url == "postgresql+asyncpg://me:secret@db.example/games"


@pytest.mark.parametrize("action", ["stop", "start", "restart", "terminate_backends"])
async def test_a_given_database_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", "postgresql://me:secret@db.example/games")
    async with postgres(tmp_path, report=print) as server:
        with pytest.raises(ServerIsForeignError, match="QUESTBELL_DATABASE_URL") as refused:
            await getattr(server, action)()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("action", ["stop", "start", "restart", "wipe", "list_queues"])
async def test_a_given_broker_is_not_wiped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "amqp://me:secret@broker.example/")
    async with rabbitmq(tmp_path, report=print) as server:
        assert server.url == "amqp://me:secret@broker.example/"
        with pytest.raises(ServerIsForeignError, match="QUESTBELL_AMQP_URL"):
            await getattr(server, action)()


async def test_a_given_broker_gets_no_virtual_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "amqp://me:secret@broker.example/")
    async with rabbitmq(tmp_path, report=print) as server:
        with pytest.raises(ServerIsForeignError, match="add a virtual host"):
            await server.add_vhost("mine")


async def test_a_given_cluster_is_used_with_its_current_context(kubeconfig: Path, tmp_path: Path) -> None:
    async with control_plane(tmp_path, report=print) as server:
        assert (server.url, server.kubeconfig) == ("https://cluster.example:6443", kubeconfig)
        with pytest.raises(ServerIsForeignError, match="QUESTBELL_SANDBOX_KUBECONFIG"):
            await server.stop()


@pytest.mark.parametrize("content", ["contexts: []", "- a list", "{", ""])
@pytest.mark.usefixtures("kubeconfig")
async def test_a_given_kubeconfig_without_a_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no kubeconfig with a current context"):
        async with control_plane(tmp_path, report=print):
            pass


async def test_the_plain_kubeconfig_setting_is_ignored(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QUESTBELL_SANDBOX_KUBECONFIG")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "empty"))
    with pytest.raises(ConfigurationError, match="KUBEBUILDER_ASSETS"):
        async with control_plane(tmp_path, report=print):
            pass
