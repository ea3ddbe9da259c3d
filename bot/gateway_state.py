"""Whether the gateway is connected, for metrics and the answer to readiness probes."""

from __future__ import annotations

from collections.abc import Iterable

from bot.shards import Shard
from shared import metrics

_CONNECTED = metrics.CONNECTED.labels("gateway")
_NEW = "not connected yet"


class GatewayState:
    """The state of each connection, and what Discord said last."""

    def __init__(self, shards: Iterable[Shard] = (Shard(),)) -> None:
        self._problems: dict[Shard, str | None] = {}
        self._close_codes: dict[Shard, int] = {}
        self.expect(shards)

    def expect(self, shards: Iterable[Shard]) -> None:
        """Begin with shards that are not connected yet."""
        self._problems = dict.fromkeys(shards, _NEW)
        self._close_codes.clear()
        self._export()

    def problem(self) -> str | None:
        """Return why commands and buttons do not work, or None."""
        problems = {shard: problem for shard, problem in self._problems.items() if problem is not None}
        named = [
            problem if shard.count == 1 else f"shard {shard.number} of {shard.count}: {problem}"
            for shard, problem in problems.items()
        ]
        return "; ".join(named) or None

    def record_connected(self, shard: Shard) -> None:
        """Record a session."""
        self._problems[shard] = None
        self._close_codes.pop(shard, None)
        self._export()

    def record_lost(self, problem: str, *, shard: Shard, close_code: int = 0) -> None:
        """Record that the connection ended or could not be made."""
        self._problems[shard] = problem
        self._close_codes[shard] = close_code
        self._export()

    def _export(self) -> None:
        _CONNECTED.set(self.problem() is None)
        metrics.GATEWAY_CLOSE_CODE.set(max(self._close_codes.values(), default=0))
