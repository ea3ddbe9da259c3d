"""Whether each reminder was told exactly once: by the rows, by the ledger, and by what Discord was asked for.

The three must agree one to one. Figures of a run in which they do not are thrown away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from benchmarks.errors import BenchmarkError
from benchmarks.rows import Connection, Due
from shared.models import DeliveryState, Outcome

Told = Sequence[tuple[UUID, int]]
"""What Discord was asked for: a delivery and the id of the message made of it, for every call."""


@dataclass(frozen=True)
class Entry:
    """A row of the ledger."""

    id: UUID
    notification_id: UUID
    state: str
    message_id: int | None


async def judge(connection: Connection, due: Due, told: Told) -> list[timedelta]:
    """Return how late each reminder was settled, in the order of time.

    Raises:
        BenchmarkError: not every reminder was told exactly once; with the first few that were not.
    """
    outcomes = await connection.fetch(
        "SELECT id, outcome, settled_at - due_at AS late FROM notification_schedule WHERE id = ANY($1)", due.ids
    )
    entries = await connection.fetch(
        "SELECT id, notification_id, state, message_id FROM notification_delivery WHERE notification_id = ANY($1)",
        due.ids,
    )
    wrong = problems(due.ids, {row["id"]: row["outcome"] for row in outcomes}, [Entry(*row) for row in entries], told)
    if wrong:
        raise BenchmarkError(f"not told exactly once, {len(wrong)} problems, such as: " + "; ".join(wrong[:5]))
    return sorted(row["late"] for row in outcomes)


def problems(ids: Sequence[UUID], outcomes: dict[UUID, str | None], ledger: Sequence[Entry], told: Told) -> list[str]:
    """Return what is wrong, a line each; nothing when each notification was told exactly once."""
    return [
        *(f"{one}: outcome {outcomes.get(one)}" for one in ids if outcomes.get(one) != Outcome.DELIVERED),
        *_of_the_ledger(ids, ledger),
        *_of_discord(ledger, told),
    ]


def _of_the_ledger(ids: Sequence[UUID], ledger: Sequence[Entry]) -> Iterator[str]:
    entries = Counter(entry.notification_id for entry in ledger)
    yield from (f"{one}: {entries[one]} rows in the ledger" for one in ids if entries[one] != 1)
    yield from (f"{one.notification_id}: {one.state}" for one in ledger if one.state != DeliveryState.SENT)


def _of_discord(ledger: Sequence[Entry], told: Told) -> Iterator[str]:
    times = Counter(delivery_id for delivery_id, _ in told)
    messages = dict(told)
    for entry in ledger:
        if times.pop(entry.id, 0) != 1 or messages.get(entry.id) != entry.message_id:
            asked = [message for delivery_id, message in told if delivery_id == entry.id]
            yield f"{entry.notification_id}: Discord made messages {asked}, the ledger has {entry.message_id}"
    yield from (f"Discord was asked for an unknown delivery {one}" for one in times)
