"""Discord ids, which carry a time, and our messages' nonces.

With `enforce_nonce`, Discord returns the earlier message of the same author and nonce instead of creating another, for
"the past few minutes" (https://discord.com/developers/docs/resources/message#create-message).
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from uuid import UUID

DISCORD_EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
"""Source: https://discord.com/developers/docs/reference#snowflakes"""
_TIME_SHIFT = 22
_NONCE_LENGTH = 22
_MILLISECOND = timedelta(milliseconds=1)


def created_at(snowflake: int) -> datetime:
    """Return an object's creation time by Discord's clock, to the millisecond."""
    return DISCORD_EPOCH + (snowflake >> _TIME_SHIFT) * _MILLISECOND


def first_id_at(moment: datetime) -> int:
    """Return the smallest id of this moment."""
    return max(0, (moment - DISCORD_EPOCH) // _MILLISECOND) << _TIME_SHIFT


def nonce_for(delivery_id: UUID) -> str:
    """Return a delivery's nonce: 22 of the 25 characters that Discord allows."""
    return base64.urlsafe_b64encode(delivery_id.bytes).rstrip(b"=").decode()


def delivery_id_of(nonce: str) -> UUID | None:
    """Return the delivery of one of our nonces, else None."""
    if len(nonce) != _NONCE_LENGTH:
        return None
    try:
        return UUID(bytes=base64.b64decode(f"{nonce}==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        return None
