"""The problems of a dependency that `/readyz` reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared import probes
from shared.errors import ConfigurationError, TransientError
from shared.probes import Dependency
from tests.support.waiting import eventually


class Server:
    """Answers, or fails as the test wants."""

    error: Exception | None = None

    async def ask(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(probes, "PROBE_INTERVAL", 0.005)
    return Server()


@pytest.fixture
async def dependency(server: Server) -> AsyncIterator[Dependency]:
    dependency = Dependency("database", server.ask)
    task = asyncio.create_task(dependency.run())
    yield dependency
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_dependency_is_a_problem_until_the_first_probe(server: Server) -> None:
    assert Dependency("database", server.ask).problem() == "not probed yet"


async def test_a_problem_is_reported_until_it_is_over(dependency: Dependency, server: Server) -> None:
    await eventually(lambda: dependency.problem() is None)
    server.error = TransientError("connection refused")
    await eventually(lambda: dependency.problem() == "connection refused")
    server.error = None
    await eventually(lambda: dependency.problem() is None)


async def test_a_dependency_that_hangs_is_a_problem(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_TIMEOUT", 0.01)
    dependency = Dependency("database", asyncio.Event().wait)
    task = asyncio.create_task(dependency.run())
    await eventually(lambda: "no answer" in str(dependency.problem()))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_configuration_error_ends_the_probes(server: Server) -> None:
    server.error = ConfigurationError("QUESTBELL_AMQP_URL: refused")
    with pytest.raises(ConfigurationError):
        await Dependency("broker", server.ask).run()
