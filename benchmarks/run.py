"""Runs all measurements in order, on servers that start once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.burst import Burst, burst
from benchmarks.environment import Servers, environment, start_servers
from benchmarks.peers.catalog import PEERS
from benchmarks.peers.measure import PeerBurst, measure_peers
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
    peers: Sequence[PeerBurst] = ()


async def run(plan: Plan, *, progress: Progress) -> Result:
    """Measure.

    Raises:
        BenchmarkError: not every reminder was delivered exactly once.
        ConfigurationError: a package of a peer is missing.
    """
    if plan.peers:
        for peer in PEERS:
            peer.versions()
    async with start_servers(report=progress.step) as servers:
        result = await _measure(servers, plan, progress=progress)
        if not plan.peers:
            return result
        return replace(result, peers=await measure_peers(servers, plan, progress=progress))


async def _measure(servers: Servers, plan: Plan, *, progress: Progress) -> Result:
    async with environment(servers, plan) as questbell:
        progress.step(f"writing {plan.pending} reminders that are pending")
        await fill_guilds(questbell.database)
        await fill_pending(questbell.database, plan.pending)
        await questbell.dispatcher.ask("start", batch_size=plan.batch_size)
        progress.step("warming up")
        await run_round(questbell, plan)
        await questbell.dispatcher.ask("published")
        progress.step(f"{plan.rows} reminders due at one instant")
        burst_seen = await burst(questbell, plan)
        rounds = []
        for number in range(plan.rounds):
            rounds.append(await run_round(questbell, plan))
            progress.step(f"round {number + 1} of {plan.rounds}: {_line(rounds[-1])}")
        progress.step("profiling")
        profile = await run_profiled(questbell, plan)
        return Result(plan, questbell.machine, burst_seen, rounds, profile)


def _line(seen: Round) -> str:
    return (
        f"dispatch {seen.dispatch.per_second:,.0f}/s of {seen.bare_publish.per_second:,.0f}, "
        f"consume {seen.consume.per_second:,.0f}/s of {seen.bare_consume.per_second:,.0f}"
    )
