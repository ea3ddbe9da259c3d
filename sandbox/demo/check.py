"""`--once`: asks the oracle whether the demo's games were delivered exactly once, and reports the figures."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.demo.environment import SandboxEnvironment
from sandbox.oracle import history
from sandbox.oracle.compare import compare
from sandbox.oracle.facts import DatabaseFacts, Evidence
from sandbox.oracle.final_state import check_all_delivered
from sandbox.oracle.observed import created_messages, final_text
from sandbox.oracle.verdict import Verdict, quantile
from shared.models import GameStatus, Outcome

SETTLED_WITHIN = 15.0
"""Seconds until the last row must have its outcome, after the last game is shown as completed."""
_CHECK_INTERVAL = 0.25


@dataclass(frozen=True)
class DemoResult:
    """The figures of the demo. It passed when there are no problems."""

    games: int
    reminders_due: int
    delivered: int
    doubled: int
    missing: int
    latency_ms: Mapping[str, float]
    transitions_applied: int
    problems: list[str]

    @property
    def passed(self) -> bool:
        """Whether everything was delivered exactly once and every game was completed."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return asdict(self)


async def check(environment: SandboxEnvironment) -> DemoResult:
    """Compare what Discord received with the history of the games, which must have been recorded."""
    await _wait_until_settled(environment)
    facts = await history.read_history(environment.sessions)
    discord = environment.discord
    evidence = Evidence(facts, messages=created_messages(discord), final_text=final_text(discord))
    verdict = compare(evidence)
    check_all_delivered(evidence, verdict)
    return result(facts, verdict)


def result(facts: DatabaseFacts, verdict: Verdict) -> DemoResult:
    """Return the figures; every game that was played must have ended by itself, with its reminders delivered."""
    games = [game for game in facts.games.values() if game.final.starts_at <= facts.now]
    applied = sum(transition.outcome is Outcome.APPLIED for transition in facts.transitions)
    problems = [
        *verdict.problems,
        *(f"{game.title!r} ended as {game.final.status}" for game in games if not _is_completed(game.final.status)),
        *(f"{game.title!r} has no announcement" for game in games if game.message_id is None),
    ]
    if applied != 2 * len(games):
        problems.append(f"{applied} transitions for {len(games)} games")
    if not verdict.reminders:
        problems.append("no reminder was due")
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    latency = {name: quantile(verdict.latency, share) for name, share in shares.items()}
    return DemoResult(
        games=len(games),
        reminders_due=verdict.reminders,
        delivered=verdict.delivered,
        doubled=len(verdict.doubled),
        missing=len(verdict.lost),
        latency_ms={name: value for name, value in latency.items() if value is not None},
        transitions_applied=applied,
        problems=problems,
    )


def _is_completed(status: GameStatus) -> bool:
    return status is GameStatus.COMPLETED


async def _wait_until_settled(environment: SandboxEnvironment) -> None:
    """Wait until nothing that is due is open; what takes too long is reported as unsettled."""
    try:
        async with asyncio.timeout(SETTLED_WITHIN):
            while await history.count_unsettled(environment.sessions):  # noqa: ASYNC110 -- only the database knows
                await asyncio.sleep(_CHECK_INTERVAL)
    except TimeoutError:
        return
