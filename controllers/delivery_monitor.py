"""Watches what becomes of published rows, because a loop that publishes is fine while the bot is not.

Rows that have been overdue for minutes degrade their Scheduler. Its message says whether anyone consumes the queues,
and the rows' last error.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aio_pika.abc import AbstractConnection

from controllers.loops.base import LoopStatus, format_capped
from controllers.loops.sources import SOURCES, ScheduleTable
from controllers.loops.stats import ROW_CAP
from controllers.resources.models import Resource, SchedulerSpec
from shared import database, sql
from shared.database import Sessions
from shared.errors import QuestbellError
from shared.formatting import join_words, plural
from shared.messaging.connection import CALL_TIMEOUT, connected, translated
from shared.messaging.topology import Queue, inspect
from shared.settings import BrokerSettings

CHECK_INTERVAL = 10.0
"""Seconds."""
OVERDUE_AFTER = timedelta(seconds=120)
"""Longer than a row whose message was lost waits for the next one."""
_OUTCOMES = 100
"""Outcomes to search for one of a published row."""
_SQL = sql.load("delivery_monitor")


@dataclass(frozen=True)
class SourceHealth:
    """What is known about the published rows of a source."""

    problem: str | None = None
    last_outcome: datetime | None = None


class DeliveryMonitor:
    """Checks the rows of both sources."""

    def __init__(self, sessions: Sessions, broker: BrokerSettings) -> None:
        self._sessions = sessions
        self._broker = broker
        self._health = dict.fromkeys(SOURCES, SourceHealth())

    async def run(self) -> None:
        """Check until cancelled.

        Raises:
            TransientError: the database is unavailable. The last problem remains, because nothing is delivered now.
        """
        while True:
            await self.check()
            await asyncio.sleep(CHECK_INTERVAL)

    async def check(self) -> None:
        """Check once. Raises as `run`."""
        for source in SOURCES.values():
            self._health[source.name] = await self._check(source)

    def add_to(self, resource: Resource, status: LoopStatus) -> LoopStatus:
        """Return a loop's status with what is known about its published rows."""
        if not isinstance(resource.spec, SchedulerSpec):
            return status
        health = self._health[resource.spec.source]
        last_dispatch = max(filter(None, (status.last_dispatch, health.last_outcome)), default=None)
        return replace(status, degraded=status.degraded or health.problem, last_dispatch=last_dispatch)

    async def _check(self, source: ScheduleTable) -> SourceHealth:
        parameters = {"threshold": OVERDUE_AFTER, "limit": ROW_CAP + 1}
        async with database.transaction(self._sessions) as session:
            overdue = (await session.execute(_SQL[f"find_overdue_{source.rows}"], parameters)).mappings().one()
            last_outcome = await session.scalar(_SQL[f"find_last_outcome_{source.rows}"], {"limit": _OUTCOMES})
        problem = await self._describe(source, overdue) if overdue["overdue"] else None
        return SourceHealth(problem, last_outcome)

    async def _describe(self, source: ScheduleTable, overdue: Any) -> str:
        parts = [
            f"{format_capped(overdue['overdue'])} rows have no outcome, and the oldest is "
            f"{plural(int(overdue['oldest'] // 60), 'minute')} overdue",
            await self._describe_consumers(source),
        ]
        if overdue["last_error"]:
            parts.append(f"Last error: {' '.join(overdue['last_error'].split())}")
        return ". ".join(parts)

    async def _describe_consumers(self, source: ScheduleTable) -> str:
        try:
            async with connected(self._broker, name="questbell delivery monitor") as connection:
                idle = [queue.name for queue in source.queues if not await _is_consumed(connection, queue)]
        except QuestbellError as error:
            return f"The consumers are unknown: {error}"
        return f"Nobody consumes {join_words(idle)}: is the bot running?" if idle else "The bot consumes the queues"


async def _is_consumed(connection: AbstractConnection, queue: Queue) -> bool:
    with translated():
        async with asyncio.timeout(CALL_TIMEOUT):
            state = await inspect(connection, queue.name)
    return state is not None and state.consumer_count > 0
