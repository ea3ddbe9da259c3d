"""The answers to probes."""

from __future__ import annotations

import aiohttp
import pytest

from sandbox.servers.network import free_port
from shared import health
from shared.settings import HealthSettings


def well() -> str | None:
    return None


def wrong() -> str | None:
    return "it hurts"


@pytest.mark.parametrize(
    ("live", "ready", "detail", "expected"),
    [
        (well, well, well, (200, 200)),
        (well, well, wrong, (200, 200)),
        (well, wrong, well, (200, 503)),
        (wrong, well, well, (503, 503)),
    ],
)
async def test_a_detail_fails_no_probe(
    live: health.Check, ready: health.Check, detail: health.Check, expected: tuple[int, int]
) -> None:
    settings = HealthSettings(port=free_port())
    async with (
        health.serving(settings, live={"live": live}, ready={"ready": ready}, details={"detail": detail}),
        aiohttp.ClientSession(f"http://{settings.host}:{settings.port}") as http,
        http.get("/livez") as alive,
        http.get("/readyz") as answer,
    ):
        assert (alive.status, answer.status) == expected
        assert (await answer.json())["details"] == ({"detail": "it hurts"} if detail is wrong else {})
