"""The error of a delivery that was not attempted."""

from __future__ import annotations

from shared.errors import TransientError


class DeliveryDeferredError(TransientError):
    """Nothing was attempted, so nothing failed. `retry_after` says when the next attempt may start."""
