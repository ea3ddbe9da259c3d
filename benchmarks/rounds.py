"""The ratios: each stage compared with aio-pika alone on the same messages.

A round dispatches rows, takes and ACKs their messages bare, publishes those messages bare, and consumes them as the
bot does. So the two sides of a ratio are seconds apart, on the same servers, and what else the machine does in a round
it does to both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from benchmarks.deliveries import check_deliveries
from benchmarks.environment import Environment
from benchmarks.plan import ROUND, Plan
from benchmarks.rows import Due, fill_due, until_published, until_settled
from shared.settings import Timing


@dataclass(frozen=True)
class Stage:
    """One stage of a round, by the clock and by the processor time of its Python process."""

    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Messages per second."""
        return ROUND / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time a message, which other load on the machine disturbs far less."""
        return self.cpu_seconds / ROUND * 1_000_000


@dataclass(frozen=True)
class Round:
    """Each stage of Questbell, and of the bare client library."""

    dispatch: Stage
    bare_publish: Stage
    consume: Stage
    bare_consume: Stage


async def run_round(environment: Environment, plan: Plan) -> Round:
    """Run one round.

    Raises:
        BenchmarkError: not every reminder was delivered exactly once.
    """
    due, dispatch = await _dispatch(environment)
    bare_consume = Stage(**await environment.bare.ask("consume", count=ROUND))
    bare_publish = Stage(**await environment.bare.ask("publish", batch_size=plan.batch_size))
    consume = Stage(**await environment.bot.ask("consume", count=ROUND))
    await until_settled(environment.database, due)
    await check_deliveries(environment, due)
    return Round(dispatch, bare_publish, consume, bare_consume)


async def _dispatch(environment: Environment) -> tuple[Due, Stage]:
    """Let rows become due, and measure the time until the last one is marked as published, by the database's clock.

    A published row becomes due again a settle time-out after its mark, so `attempt_at` gives the time of the mark.
    """
    due = await fill_due(environment.database, ROUND)
    before = await environment.dispatcher.cpu_seconds()
    await until_published(environment.database, due)
    spent = await environment.dispatcher.cpu_seconds() - before
    last = await environment.database.fetchval(
        "SELECT max(attempt_at) FROM notification_schedule WHERE id = ANY($1)", due.ids
    )
    took: timedelta = last - Timing().settle_interval - due.due_at
    return due, Stage(took.total_seconds(), spent)


async def run_profiled(environment: Environment, plan: Plan) -> dict[str, Any]:
    """Run rounds with a profile of the dispatcher and the bot; return both profiles."""
    workers = (environment.dispatcher, environment.bot)
    for worker in workers:
        await worker.ask("start_profile")
    for _ in range(plan.profiled_rounds):
        await run_round(environment, plan)
    messages = ROUND * plan.profiled_rounds
    return {worker.name: {"messages": messages, **await worker.ask("stop_profile")} for worker in workers}
