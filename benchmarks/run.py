"""Runs all measurements in order, on servers that start once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.burst import Burst, burst
from benchmarks.environment import environment
from benchmarks.plan import Plan
from benchmarks.rounds import Round, run_profiled, run_round
from benchmarks.rows import fill_guilds, fill_pending
from sandbox.demo.progress import Progress


@dataclass(frozen=True)
class Result:
    """The figures, and the machine and plan that they belong to."""

    plan: Plan
    machine: dict[str, object]
    burst: Burst
    rounds: Sequence[Round]
    profile: dict[str, Any]


async def run(plan: Plan, *, progress: Progress) -> Result:
    """Measure.

    Raises:
        BenchmarkError: not every reminder was delivered exactly once.
    """
    async with environment(plan, report=progress.step) as servers:
        progress.step(f"writing {plan.pending} reminders that are pending")
        await fill_guilds(servers.database)
        await fill_pending(servers.database, plan.pending)
        await servers.dispatcher.ask("start", batch_size=plan.batch_size)
        progress.step("warming up")
        await run_round(servers, plan)
        await servers.dispatcher.ask("published")
        progress.step(f"{plan.rows} reminders due at one instant")
        burst_seen = await burst(servers, plan)
        rounds = []
        for number in range(plan.rounds):
            rounds.append(await run_round(servers, plan))
            progress.step(f"round {number + 1} of {plan.rounds}: {_line(rounds[-1])}")
        progress.step("profiling")
        profile = await run_profiled(servers, plan)
        return Result(plan, servers.machine, burst_seen, rounds, profile)


def _line(seen: Round) -> str:
    return (
        f"dispatch {seen.dispatch.per_second:,.0f}/s of {seen.bare_publish.per_second:,.0f}, "
        f"consume {seen.consume.per_second:,.0f}/s of {seen.bare_consume.per_second:,.0f}"
    )
