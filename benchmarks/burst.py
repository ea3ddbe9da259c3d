"""The burst: many reminders due at one instant, all the way from the row to its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks.deliveries import check_deliveries
from benchmarks.environment import Environment
from benchmarks.plan import Plan
from benchmarks.rows import fill_due, until_due, until_settled


@dataclass(frozen=True)
class Burst:
    """The figures. Latencies are in ascending order; processor time is in seconds."""

    settled: Sequence[timedelta]
    """From due to settled, by the database's clock."""
    published: Sequence[timedelta]
    """From due to the broker's confirm."""
    answers: dict[str, int]
    """The broker's answers to the publishes; `full` ones are tried again."""
    cpu_seconds: dict[str, float]
    busy: float
    """The share of all cores that was busy, including other programs."""

    @property
    def seconds(self) -> float:
        """From due until the last one was settled."""
        return self.settled[-1].total_seconds()


async def burst(environment: Environment, plan: Plan) -> Burst:
    """Run the burst.

    Raises:
        BenchmarkError: not every reminder was delivered exactly once.
    """
    await environment.bot.ask("attach")
    due = await fill_due(environment.database, plan.rows, analyze=True)
    await until_due(environment.database, due)
    cpu, ticks = await _cpu(environment), _ticks()
    await until_settled(environment.database, due)
    busy = _busy(ticks, _ticks())
    spent = {name: seconds - cpu[name] for name, seconds in (await _cpu(environment)).items()}
    await environment.bot.ask("detach")
    sent = await environment.dispatcher.ask("published")
    settled = await check_deliveries(environment, due)
    published = sorted(timedelta(seconds=at - due.due_at.timestamp()) for _, at in sent["confirmed"])
    return Burst(settled, published, sent["answers"], spent, busy)


async def _cpu(environment: Environment) -> dict[str, float]:
    workers = (environment.dispatcher, environment.bot)
    return {worker.name: await worker.cpu_seconds() for worker in workers}


def _ticks() -> list[int]:
    """Return the kernel's count of what all cores did: https://docs.kernel.org/filesystems/proc.html (/proc/stat)."""
    return [int(word) for word in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]


def _busy(before: Sequence[int], after: Sequence[int]) -> float:
    spent = [later - earlier for earlier, later in zip(before, after, strict=True)]
    idle, waiting = spent[3], spent[4]
    return 1 - (idle + waiting) / max(sum(spent), 1)
