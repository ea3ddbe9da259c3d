"""The nonce by which Discord recognises a message that it was asked to send before.

With `enforce_nonce`, Discord returns the earlier message of the same author and nonce instead of making another,
for "the past few minutes" (https://discord.com/developers/docs/resources/message#create-message).
"""

from __future__ import annotations

import base64
from uuid import UUID


def nonce(delivery_id: UUID) -> str:
    """Return the nonce of a ledger row: the same at every attempt, 22 characters of the 25 that Discord takes."""
    return base64.urlsafe_b64encode(delivery_id.bytes).rstrip(b"=").decode()
