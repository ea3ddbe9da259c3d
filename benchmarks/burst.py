"""The burst: many reminders due at one instant, all the way from the row to its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from benchmarks.ground import Ground
from benchmarks.judge import judge
from benchmarks.plan import Plan
from benchmarks.rows import fill_due, until_settled


@dataclass(frozen=True)
class Burst:
    """What came of it. Lateness is in order of time; processor time is in seconds."""

    settled: Sequence[timedelta]
    """From due to settled, by the database's clock."""
    published: Sequence[timedelta]
    """From due to the broker's confirm."""
    answers: dict[str, int]
    """The broker's, to every publish: `full` ones are tried again."""
    cpu_seconds: dict[str, float]
    busy: float
    """The share of all cores that was busy, with whatever."""

    @property
    def seconds(self) -> float:
        """From due until the last was settled."""
        return self.settled[-1].total_seconds()


async def burst(ground: Ground, plan: Plan) -> Burst:
    """Play it.

    Raises:
        BenchmarkError: not every reminder was told exactly once.
    """
    await ground.bot.ask("attach")
    due = await fill_due(ground.database, plan.rows, analyze=True)
    cpu, ticks = await _cpu(ground), _ticks()
    await until_settled(ground.database, due)
    busy = _busy(ticks, _ticks())
    spent = {name: seconds - cpu[name] for name, seconds in (await _cpu(ground)).items()}
    await ground.bot.ask("detach")
    told = (await ground.bot.ask("told"))["told"]
    sent = await ground.dispatcher.ask("published")
    settled = await judge(ground.database, due, [(UUID(delivery), message) for delivery, message in told])
    published = sorted(timedelta(seconds=at - due.due_at.timestamp()) for _, at in sent["confirmed"])
    return Burst(settled, published, sent["answers"], spent, busy)


async def _cpu(ground: Ground) -> dict[str, float]:
    workers = (ground.dispatcher, ground.bot)
    return {worker.name: await worker.cpu_seconds() for worker in workers}


def _ticks() -> list[int]:
    """Return the kernel's count of what all cores did: https://docs.kernel.org/filesystems/proc.html (/proc/stat)."""
    return [int(word) for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]


def _busy(before: Sequence[int], after: Sequence[int]) -> float:
    spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
    idle, waiting = spent[3], spent[4]
    return 1 - (idle + waiting) / max(sum(spent), 1)
