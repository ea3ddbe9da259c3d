"""Runs commands as a person does: settings from the environment, results on the standard streams."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from sandbox.discord.rate_limits import Limits
from sandbox.discord.server import SandboxDiscord
from shared.settings import BrokerSettings
from tests.support.database import Database


@dataclass(frozen=True)
class Output:
    """The exit code and the streams of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Awaitable[Output]]


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """Restore logging: a command routes it to a stream that ends with the test."""
    root, configured = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.fixture
async def run(
    database: Database,
    broker: BrokerSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    _own_logging: None,
) -> Run:
    """Run a command in a thread, because it starts its own event loop."""
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", database.settings.url.get_secret_value())
    monkeypatch.setenv("QUESTBELL_AMQP_URL", broker.url.get_secret_value())
    for name in ("DISCORD_TOKEN", "DISCORD_API_URL", "QUESTBELL_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)

    async def call(command: Callable[..., None], *args: Any, **options: Any) -> Output:
        def in_thread() -> int:
            try:
                command(*args, **options)
            except SystemExit as exit_:
                return int(exit_.code or 0)
            return 0

        capsys.readouterr()
        code = await asyncio.to_thread(in_thread)
        streams = capsys.readouterr()
        return Output(code, streams.out, streams.err)

    return call


@pytest.fixture
async def discord(run: Run, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SandboxDiscord]:
    """A Discord that the commands talk to."""
    async with SandboxDiscord(limits=Limits.off()) as served:
        monkeypatch.setenv("DISCORD_TOKEN", served.token)
        monkeypatch.setenv("DISCORD_API_URL", served.url)
        yield served
