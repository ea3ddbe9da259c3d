"""The definitions of our custom resources, read from the chart and applied to a test's API server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml

from controllers.api_server import ApiServer, NotFoundError
from controllers.resources.models import KINDS, Body, Kind
from shared.errors import TransientError

DIRECTORY = Path(__file__).parents[2] / "charts" / "questbell" / "definitions"
ESTABLISH_TIMEOUT = 30.0
"""Seconds for the API server to serve a new kind."""
_POLL = 0.1


def load() -> list[Body]:
    """Return the definitions of all our kinds."""
    return [yaml.safe_load((DIRECTORY / f"{kind.plural}.yaml").read_text(encoding="utf-8")) for kind in KINDS]


async def apply(api: ApiServer) -> None:
    """Create or update the definitions, and return when their kinds are served.

    Raises:
        TransientError: the API server did not get there in time.
    """
    for kind, definition in zip(KINDS, load(), strict=True):
        try:
            async with asyncio.timeout(ESTABLISH_TIMEOUT):
                await _establish(api, kind, definition)
        except TimeoutError as error:
            name = definition["metadata"]["name"]
            raise TransientError(f"the API server does not serve {name} after {ESTABLISH_TIMEOUT:.0f} s") from error


async def _establish(api: ApiServer, kind: Kind, definition: Body) -> None:
    while True:
        if _is_established(await api.apply_definition(definition)) and await _is_listed(api, kind):
            return
        await asyncio.sleep(_POLL)


def _is_established(definition: Body) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []  # null at first
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


async def _is_listed(api: ApiServer, kind: Kind) -> bool:
    try:
        await api.list_resources(kind, "default")
    except (NotFoundError, TransientError):  # 404 and 429 while its storage is being made
        return False
    return True
