"""Stores an unreadable message, its headers and the reason before the message is acknowledged."""

from __future__ import annotations

import hashlib
import math
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import ParkedMessage, new_id


async def park(session: AsyncSession, message: AbstractIncomingMessage, *, queue: str, reason: str) -> None:
    """Store a message for an administrator. A redelivery, as after a crash before the ACK, is stored once."""
    digest = hashlib.sha256(message.body + (message.message_id or "").encode()).hexdigest()
    await session.execute(
        insert(ParkedMessage)
        .values(
            id=new_id(),
            queue=queue,
            routing_key=_routing_key(message),
            message_id=message.message_id and _text(message.message_id),
            headers=_to_json(dict(message.headers)),
            body=message.body,
            digest=digest,
            reason=_text(reason)[:500],
        )
        .on_conflict_do_nothing(
            index_elements=[ParkedMessage.queue, ParkedMessage.digest], index_where=text("resolved_at IS NULL")
        )
    )


def _routing_key(message: AbstractIncomingMessage) -> str:
    """Return the original routing key, from the broker's record of the death."""
    deaths = message.headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[-1], dict):
        keys = deaths[-1].get("routing-keys")
        if isinstance(keys, list) and keys:
            return _text(str(keys[0]))
    return _text(message.routing_key or "")


def _to_json(value: Any) -> Any:
    """Return JSON values that PostgreSQL accepts, which excludes NaN."""
    match value:
        case dict():
            return {_text(str(key)): _to_json(item) for key, item in value.items()}
        case list():
            return [_to_json(item) for item in value]
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
    return _text(str(value))


def _text(value: str) -> str:
    """Remove NUL characters, which PostgreSQL rejects."""
    return value.replace("\0", "\ufffd")
