"""Asks the database and the broker every few seconds for what Prometheus shows of the whole system.

Every replica asks for itself, whoever leads and whichever loops run: the alert that something is due and nothing is
delivered must not fall silent because a Scheduler was deleted, the API server is away or the writer of the status is
frozen. So all replicas show the same, and `max` over them is right where a sum counts twice. To show the figures that
the status is written from was rejected for that reason: one replica has them, and one that had them goes on showing
them. Each question reads a bounded part of an index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from controllers.loops import housekeeping
from controllers.loops.dead_letters import depths_of
from controllers.loops.sources import SOURCES
from controllers.resources.models import Source
from shared import database, metrics
from shared.database import Sessions
from shared.messaging.connection import connected
from shared.settings import BrokerSettings

COLLECT_INTERVAL = 15.0
"""Seconds between two questions: as often as Prometheus usually asks us."""


async def collect_row_metrics(sessions: Sessions) -> None:
    """Show how it stands with the rows and the parked messages, until cancelled.

    Raises:
        TransientError: the database cannot be asked; nothing is shown any more.
    """
    try:
        while True:
            async with database.transaction(sessions) as session:
                for source in SOURCES.values():
                    _show_rows(source.name, await housekeeping.figures(session, source))
                _show_parked(await housekeeping.parked_by_queue(session))
            await asyncio.sleep(COLLECT_INTERVAL)
    finally:
        for gauge in metrics.ROW_GAUGES:
            gauge.clear()


async def collect_dead_letter_metrics(broker: BrokerSettings) -> None:
    """Show how many messages the dead-letter queues hold, until cancelled.

    Raises:
        TransientError: the broker cannot be asked, or has no such queue yet; nothing is shown any more.
        ConfigurationError: it refuses our credentials.
    """
    async with connected(broker, name="questbell metrics collector") as connection:
        try:
            while True:
                for queue, depth in (await depths_of(connection, metrics.DEAD_LETTER_QUEUES)).items():
                    metrics.DEAD_LETTERS.labels(queue).set(depth)
                await asyncio.sleep(COLLECT_INTERVAL)
        finally:
            metrics.DEAD_LETTERS.clear()


def _show_rows(source: Source, found: Mapping[str, Any]) -> None:
    metrics.PENDING.labels(source).set(found["pending"])
    metrics.DUE.labels(source).set(found["due"])
    metrics.OVERDUE.labels(source).set(found["overdue"])
    metrics.RETRIED.labels(source).set(found["retried"])
    metrics.OLDEST_OVERDUE_AGE.labels(source).set(found["oldest_overdue"] or 0)
    metrics.OLDEST_RETRIED_AGE.labels(source).set(found["oldest_retried"] or 0)


def _show_parked(found: Mapping[str, int]) -> None:
    for queue in metrics.DEAD_LETTER_QUEUES:
        metrics.PARKED.labels(queue).set(found.get(queue, 0))
