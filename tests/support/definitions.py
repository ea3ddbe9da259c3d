"""The definitions of our custom resources, read from the chart and applied to a test's API server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import ApiClient, ApiException, ApiextensionsV1Api, CustomObjectsApi

from controllers.resources.models import GROUP, KINDS, VERSION, Kind
from tests.support.waiting import eventually

DIRECTORY = Path(__file__).parents[2] / "charts" / "questbell" / "definitions"
ESTABLISH_TIMEOUT = 30.0
"""Seconds for the API server to serve a new kind."""


def load() -> list[dict[str, Any]]:
    """Return the definitions of all our kinds."""
    return [yaml.safe_load((DIRECTORY / f"{kind.plural}.yaml").read_text(encoding="utf-8")) for kind in KINDS]


async def apply(client: ApiClient) -> None:
    """Create or update the definitions, and return when the API server serves their kinds."""
    for kind, definition in zip(KINDS, load(), strict=True):
        await _apply_one(client, kind, definition)


async def _apply_one(client: ApiClient, kind: Kind, definition: dict[str, Any]) -> None:
    await ApiextensionsV1Api(client).patch_custom_resource_definition(
        definition["metadata"]["name"],
        definition,
        field_manager="questbell",
        force=True,
        _content_type="application/apply-patch+yaml",
    )
    is_served: Callable[[], Awaitable[bool] | bool] = lambda: _is_served(client, kind)  # noqa: E731 - typed for mypy
    await eventually(is_served, within=ESTABLISH_TIMEOUT)


async def _is_served(client: ApiClient, kind: Kind) -> bool:
    name = f"{kind.plural}.{GROUP}"
    definition = await ApiextensionsV1Api(client).read_custom_resource_definition_status(name)
    conditions = (definition.status and definition.status.conditions) or []
    if not any(condition.type == "Established" and condition.status == "True" for condition in conditions):
        return False
    try:
        await CustomObjectsApi(client).list_namespaced_custom_object(GROUP, VERSION, "default", kind.plural)
    except ApiException as error:
        if error.status in (404, 429):  # while its storage is being made
            return False
        raise
    return True
