"""A workload's HTTP endpoints for probes and Prometheus.

`/livez` fails only if a restart would help. `/readyz` also fails while a dependency is unavailable. Its `details` say
what else is wrong although the workload is ready.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.errors import ConfigurationError
from shared.listening import listen
from shared.settings import HealthSettings

Check = Callable[[], str | None]
"""Returns what is wrong, or None."""


@asynccontextmanager
async def serving(
    settings: HealthSettings,
    *,
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    details: Mapping[str, Check] = MappingProxyType({}),
) -> AsyncIterator[None]:
    """Serve the endpoints during a block.

    Raises:
        ConfigurationError: the port is taken.
    """
    app = web.Application()
    app.router.add_get("/livez", _check_handler(live))
    app.router.add_get("/readyz", _check_handler({**live, **ready}, details))
    app.router.add_get("/metrics", _metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _listen(runner, settings)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, settings: HealthSettings) -> None:
    try:
        await listen(runner, settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise ConfigurationError(f"QUESTBELL_HEALTH_PORT: cannot listen on {where}: {error.strerror}") from error


def _check_handler(
    checks: Mapping[str, Check], details: Mapping[str, Check] = MappingProxyType({})
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def respond(_request: web.Request) -> web.StreamResponse:
        problems = _find_problems(checks)
        return web.json_response(
            {"problems": problems, "details": _find_problems(details)}, status=503 if problems else 200
        )

    return respond


def _find_problems(checks: Mapping[str, Check]) -> dict[str, str]:
    return {name: problem for name, check in checks.items() if (problem := check()) is not None}


async def _metrics(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
