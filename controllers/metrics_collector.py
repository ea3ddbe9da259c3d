"""Collects metrics about the whole system from the database and the broker.

Every replica collects them, so that alerts work without a Scheduler, an API server or a leader. Aggregate them with
`max`. Reusing the leader's counts was rejected: a former leader would export stale values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from controllers.loops.sources import SOURCES
from controllers.loops.stats import RowCounts, count_parked_messages, count_rows
from controllers.resources.models import Source
from shared import database, metrics
from shared.database import Sessions
from shared.messaging.connection import connected
from shared.messaging.topology import queue_depths
from shared.settings import BrokerSettings

COLLECT_INTERVAL = 15.0
"""Seconds, as often as Prometheus usually scrapes."""


async def collect_row_metrics(sessions: Sessions) -> None:
    """Export the counts of rows and parked messages until cancelled.

    Raises:
        TransientError: the database is unavailable; nothing is exported any more.
    """
    try:
        while True:
            async with database.transaction(sessions) as session:
                for source in SOURCES.values():
                    _export_rows(source.name, await count_rows(session, source))
                _export_parked(await count_parked_messages(session))
            await asyncio.sleep(COLLECT_INTERVAL)
    finally:
        for gauge in metrics.ROW_GAUGES:
            gauge.clear()


async def collect_dead_letter_metrics(broker: BrokerSettings) -> None:
    """Export the depths of the dead-letter queues until cancelled.

    Raises:
        TransientError: the broker is unavailable or has no such queue yet; nothing is exported any more.
        ConfigurationError: it rejects our credentials.
    """
    async with connected(broker, name="questbell metrics collector") as connection:
        try:
            while True:
                for queue, depth in (await queue_depths(connection, metrics.DEAD_LETTER_QUEUES)).items():
                    metrics.DEAD_LETTERS.labels(queue).set(depth)
                await asyncio.sleep(COLLECT_INTERVAL)
        finally:
            metrics.DEAD_LETTERS.clear()


def _export_rows(source: Source, counts: RowCounts) -> None:
    metrics.PENDING.labels(source).set(counts.pending)
    metrics.DUE.labels(source).set(counts.due)
    metrics.OVERDUE.labels(source).set(counts.overdue)
    metrics.RETRIED.labels(source).set(counts.retried)
    metrics.OLDEST_OVERDUE_AGE.labels(source).set(counts.oldest_overdue or 0)
    metrics.OLDEST_RETRIED_AGE.labels(source).set(counts.oldest_retried or 0)


def _export_parked(counts: Mapping[str, int]) -> None:
    for queue in metrics.DEAD_LETTER_QUEUES:
        metrics.PARKED.labels(queue).set(counts.get(queue, 0))
