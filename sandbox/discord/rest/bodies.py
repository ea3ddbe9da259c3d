"""Request bodies: JSON, or multipart with JSON and files.

Source: https://docs.discord.com/developers/reference#uploading-files
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from sandbox.discord.engine import Engine, StoredFile
from sandbox.discord.rules.errors import api_error

Json = dict[str, Any]


async def read_body(engine: Engine, request: web.Request) -> tuple[Json, list[Json]]:
    """Return the JSON object of a request, and its uploaded files as attachments.

    Raises:
        ApiError: 50109 if it is not JSON, 50035 if it is not an object or has an unsupported type.
    """
    if request.content_type == "application/json":
        return _parse(await request.read()), []
    if request.content_type == "multipart/form-data":
        return await _read_multipart(engine, request)
    raise api_error(50035)


async def read_list(request: web.Request) -> list[Json]:
    """The JSON list of a request (bulk overwrite of commands)."""
    value = _loads(await request.read())
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise api_error(50035)
    return value


async def _read_multipart(engine: Engine, request: web.Request) -> tuple[Json, list[Json]]:
    form = await request.post()
    payload = form.get("payload_json", "{}")
    body = _parse(payload.encode() if isinstance(payload, str) else b"")
    described = {str(item.get("id")): item for item in body.get("attachments") or []}
    uploads = []
    for name, field in form.items():
        if isinstance(field, web.FileField):
            place = name.removeprefix("files[").removesuffix("]")
            uploads.append(_keep(engine, field, described.get(place, {})))
    return body, uploads


def _keep(engine: Engine, field: web.FileField, described: Json) -> Json:
    file_id = engine.world.ids.next()
    name = str(described.get("filename") or field.filename)
    file = StoredFile(name, field.content_type, field.file.read())
    engine.files[file_id] = file
    url = f"{engine.url}/sandbox/attachments/{file_id}/{name}"
    attachment: Json = {"id": str(file_id), "filename": name, "size": len(file.content), "url": url, "proxy_url": url}
    attachment["content_type"] = file.content_type
    if described.get("description"):
        attachment["description"] = described["description"]
    return attachment


def _parse(text: bytes) -> Json:
    value = _loads(text)
    if not isinstance(value, dict):
        raise api_error(50035)
    return value


def _loads(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise api_error(50109) from error
