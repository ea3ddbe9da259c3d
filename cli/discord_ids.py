"""Discord's ids and nonces: the moment that an id carries, and the nonce that a ledger row's message has."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
"""Source: https://discord.com/developers/docs/reference#snowflakes"""
_TIME_SHIFT = 22
_NONCE_LENGTH = 22
_MILLISECOND = timedelta(milliseconds=1)


def made_at(snowflake: int) -> datetime:
    """Return when Discord made what has this id, by Discord's clock, to the millisecond."""
    return _EPOCH + (snowflake >> _TIME_SHIFT) * _MILLISECOND


def first_id_at(moment: datetime) -> int:
    """Return the smallest id that something made at this moment can have."""
    return max(0, (moment - _EPOCH) // _MILLISECOND) << _TIME_SHIFT


def nonce(delivery_id: UUID) -> str:
    """Return the nonce of a ledger row's message."""
    return base64.urlsafe_b64encode(delivery_id.bytes).rstrip(b"=").decode()


def uuid_of(text: str) -> UUID | None:
    """Return the id that a text is, written as usual or as a nonce; None when it is neither."""
    try:
        if len(text) == _NONCE_LENGTH:
            return UUID(bytes=base64.b64decode(text + "==", altchars=b"-_", validate=True))
        return UUID(text)
    except (ValueError, binascii.Error):
        return None
