"""Parking: what cannot be read is written down with its headers and the reason, before it is acknowledged."""

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
    """Keep a message until a person decides; one that is met twice, as after a crash before the ACK, is kept once."""
    digest = hashlib.sha256(message.body + (message.message_id or "").encode()).hexdigest()
    await session.execute(
        insert(ParkedMessage)
        .values(
            id=new_id(),
            queue=queue,
            routing_key=_routing_key(message),
            message_id=message.message_id and _text(message.message_id),
            headers=_plain(dict(message.headers)),
            body=message.body,
            digest=digest,
            reason=_text(reason)[:500],
        )
        .on_conflict_do_nothing(
            index_elements=[ParkedMessage.queue, ParkedMessage.digest], index_where=text("resolved_at IS NULL")
        )
    )


def _routing_key(message: AbstractIncomingMessage) -> str:
    """Return the key it was first published with: the broker's own record of its death tells."""
    deaths = message.headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[-1], dict):
        keys = deaths[-1].get("routing-keys")
        if isinstance(keys, list) and keys:
            return _text(str(keys[0]))
    return _text(message.routing_key or "")


def _plain(value: Any) -> Any:
    """Return AMQP header values as PostgreSQL's JSON has them, which knows no NaN."""
    match value:
        case dict():
            return {_text(str(key)): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
    return _text(str(value))


def _text(value: str) -> str:
    """Return a text as PostgreSQL takes it, which has no NUL in it."""
    return value.replace("\0", "\ufffd")
