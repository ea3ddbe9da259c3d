"""The errors of a delivery that is tried again for another reason than a failed request."""

from __future__ import annotations

from shared.errors import TransientError


class DeliveryDeferredError(TransientError):
    """Nothing was attempted, so nothing failed. `retry_after` says when the next attempt may start."""


class DeliveryRefusedError(TransientError):
    """Discord refuses it until a person changes something. It is tried again slowly."""
