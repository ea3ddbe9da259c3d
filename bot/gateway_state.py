"""Whether the gateway is connected, for metrics and the answer to readiness probes."""

from __future__ import annotations

from shared import metrics

_CONNECTED = metrics.CONNECTED.labels("gateway")


class GatewayState:
    """The connection's state, and what Discord said last."""

    def __init__(self) -> None:
        self._problem: str | None = "not connected yet"

    def problem(self) -> str | None:
        """Return why commands and buttons do not work, or None."""
        return self._problem

    def record_connected(self) -> None:
        """Record a session."""
        self._problem = None
        _CONNECTED.set(1)
        metrics.GATEWAY_CLOSE_CODE.set(0)

    def record_lost(self, problem: str, *, close_code: int = 0) -> None:
        """Record that the connection ended or could not be made."""
        self._problem = problem
        _CONNECTED.set(0)
        metrics.GATEWAY_CLOSE_CODE.set(close_code)
