"""Asks the oracle whether each reminder was delivered exactly once; otherwise the figures of the run are worthless.

No history is recorded, since triggers would slow down the database that is measured. The games never change, so their
rows say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from benchmarks.environment import Environment
from benchmarks.errors import BenchmarkError
from benchmarks.rows import Due
from sandbox.oracle.compare import compare
from sandbox.oracle.facts import Evidence, ObservedMessage
from sandbox.oracle.final_state import check_all_delivered
from sandbox.oracle.history import read_rows
from shared import database

SHOWN_PROBLEMS = 5


async def check_deliveries(environment: Environment, due: Due) -> list[timedelta]:
    """Return the time from due to settled of each reminder, in ascending order.

    Raises:
        BenchmarkError: not every reminder was delivered exactly once; with the first few problems.
    """
    messages = (await environment.bot.ask("messages"))["messages"]
    facts = await read_rows(database.sessions(environment.engine), due.game_ids)
    evidence = Evidence(facts, [_observed(message) for message in messages])
    verdict = compare(evidence)
    check_all_delivered(evidence, verdict)
    if verdict.problems or verdict.delivered != len(due.ids):
        problems = "; ".join(verdict.problems[:SHOWN_PROBLEMS])
        raise BenchmarkError(f"not delivered exactly once: {verdict.delivered} of {len(due.ids)}, {problems}")
    rows = await environment.database.fetch(
        "SELECT settled_at - due_at AS latency FROM notification_schedule WHERE id = ANY($1)", due.ids
    )
    return sorted(row["latency"] for row in rows)


def _observed(message: Sequence[Any]) -> ObservedMessage:
    """Return a message as the bot's process reports it."""
    at, message_id, delivery_id, channel_id, text, mentioned = message
    return ObservedMessage(
        at=datetime.fromtimestamp(at, UTC),
        message_id=message_id,
        delivery_id=None if delivery_id is None else UUID(delivery_id),
        text=text,
        mentioned=frozenset(map(int, mentioned)),
        channel_id=channel_id,
    )
