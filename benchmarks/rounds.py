"""The ratios: each stage beside the least that aio-pika alone can do with the very same messages.

A round dispatches rows, takes and ACKs their messages bare, publishes those messages bare, and consumes them as the
bot does. So the two sides of a ratio are seconds apart, on the same servers, and what else the machine does in a round
it does to both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from benchmarks.ground import Ground
from benchmarks.judge import judge
from benchmarks.plan import ROUND, Plan
from benchmarks.rows import Due, fill_due, until_published, until_settled
from shared.settings import Timing


@dataclass(frozen=True)
class Stage:
    """How one stage of a round went, by the clock and by its Python process's processor time."""

    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Messages per second."""
        return ROUND / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of processor time a message, which other people's load disturbs far less."""
        return self.cpu_seconds / ROUND * 1_000_000


@dataclass(frozen=True)
class Round:
    """Each stage of Questbell's, and bare."""

    dispatch: Stage
    bare_publish: Stage
    consume: Stage
    bare_consume: Stage


async def play_round(ground: Ground, plan: Plan) -> Round:
    """Play one round.

    Raises:
        BenchmarkError: not every reminder was told exactly once.
    """
    due, dispatch = await _dispatch(ground)
    bare_consume = Stage(**await ground.bare.ask("consume", count=ROUND))
    bare_publish = Stage(**await ground.bare.ask("publish", batch_size=plan.batch_size))
    consume = Stage(**await ground.bot.ask("consume", count=ROUND))
    await until_settled(ground.database, due)
    told = (await ground.bot.ask("told"))["told"]
    await judge(ground.database, due, [(UUID(delivery), message) for delivery, message in told])
    return Round(dispatch, bare_publish, consume, bare_consume)


async def _dispatch(ground: Ground) -> tuple[Due, Stage]:
    """Let rows become due. Dispatching them takes from then to the last one's mark, by the database's clock: a
    published row comes back a settle time-out after its mark."""
    due = await fill_due(ground.database, ROUND)
    before = await ground.dispatcher.cpu_seconds()
    await until_published(ground.database, due)
    spent = await ground.dispatcher.cpu_seconds() - before
    last = await ground.database.fetchval(
        "SELECT max(attempt_at) FROM notification_schedule WHERE id = ANY($1)", due.ids
    )
    took: timedelta = last - Timing().settle_interval - due.due_at
    return due, Stage(took.total_seconds(), spent)


async def profiled(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Play rounds with a profile of the dispatcher and the bot; return each one's."""
    workers = (ground.dispatcher, ground.bot)
    for worker in workers:
        await worker.ask("start_profile")
    for _ in range(plan.profiled_rounds):
        await play_round(ground, plan)
    messages = ROUND * plan.profiled_rounds
    return {worker.name: {"messages": messages, **await worker.ask("stop_profile")} for worker in workers}
