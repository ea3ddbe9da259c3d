from __future__ import annotations

import pytest

from sandbox.servers import install, install_all
from sandbox.servers.errors import ServerFailedError
from sandbox.servers.source import Wanted


@pytest.fixture
def obtained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The servers that would be installed."""
    names: list[str] = []

    async def obtain(wanted: Wanted, *, report: object) -> None:
        names.append(wanted.name)

    async def obtain_binaries(*, report: object) -> None:
        names.append("control plane")

    async def obtain_kubectl(*, report: object) -> None:
        names.append("kubectl")

    async def obtain_tools(*, report: object) -> None:
        names.append("tools")

    monkeypatch.setattr(install.tools, "obtain", obtain_tools)
    for setting in ("QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "QUESTBELL_SANDBOX_KUBECONFIG"):
        monkeypatch.delenv(setting, raising=False)
    for substitute in (obtain, obtain_binaries, obtain_kubectl):
        monkeypatch.setattr(install, substitute.__name__, substitute)
    return names


async def test_all_servers_are_installed(obtained: list[str]) -> None:
    await install_all(report=print)
    assert sorted(obtained) == ["PostgreSQL", "RabbitMQ", "control plane", "tools"]


async def test_a_given_server_is_not_installed(obtained: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUESTBELL_AMQP_URL", "amqp://broker.example/")
    monkeypatch.setenv("QUESTBELL_SANDBOX_KUBECONFIG", "/some/kubeconfig")
    await install_all(report=print)
    assert sorted(obtained) == ["PostgreSQL", "kubectl", "tools"]


async def test_the_first_failure_is_reported_unchanged(obtained: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*, report: object) -> None:
        raise ServerFailedError("the build failed")

    monkeypatch.setattr(install, "obtain_binaries", fail)
    with pytest.raises(ServerFailedError, match="the build failed"):
        await install_all(report=print)
