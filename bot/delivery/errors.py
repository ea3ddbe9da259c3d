"""Reasons to try a delivery again that are no faults of the bot or its servers."""

from __future__ import annotations

from shared.errors import TransientError


class DeliveryDeferredError(TransientError):
    """The delivery goes on after `retry_after` seconds. The row's attempt does not count as failed."""


class DeliveryRefusedError(TransientError):
    """Discord refuses the message until a person changes something. The attempt counts as failed."""
