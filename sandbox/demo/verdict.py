"""Holds what Discord accepted against what the schedule demanded: nothing missing, nothing twice, nothing else.

Only Discord's own record counts for what was told; the database is asked for the times alone. A message of the bot
that no session asked for counts as doubled, so a stray one cannot hide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted
from shared import database
from shared.database import Sessions
from shared.models import Game, GameStatus, GameStatusSchedule, Outcome

CLOCKS = 0.5
"""Seconds that a reminder may seem early by, the clocks of two processes being read in turn."""


@dataclass
class Verdict:
    """What came of the play. It passed when nothing is missing or doubled and there are no problems."""

    sessions: int = 0
    reminders_due: int = 0
    delivered: int = 0
    duplicated: int = 0
    missing: int = 0
    latency_ms: dict[str, float] = field(default_factory=dict)
    transitions_applied: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all is as it must be."""
        return not (self.missing or self.duplicated or self.problems)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        return asdict(self)


async def judge(discord: SandboxDiscord, sessions: Sessions) -> Verdict:
    """Judge all sessions that the database holds, by everything the bot said in public."""
    games = await _games(sessions)
    posts = {game.message_id for game in games}
    said = [record for record in _said(discord) if record.message_id not in posts]
    verdict = Verdict(sessions=len(games), transitions_applied=await _applied(sessions))
    late: list[float] = []
    for game in games:
        of_game = [record for record in said if f"/{game.message_id}" in record.content or game.title in record.content]
        said = [record for record in said if record not in of_game]
        late += _match(verdict, game, of_game)
        if game.status is not GameStatus.COMPLETED or game.message_id is None:
            verdict.problems.append(f"{game.title!r} ended as {game.status}")
    verdict.duplicated += len(said)
    verdict.problems += [f"unasked: {record.content[:80]!r}" for record in said]
    if verdict.transitions_applied != 2 * len(games):
        verdict.problems.append(f"{verdict.transitions_applied} transitions for {len(games)} sessions")
    verdict.latency_ms = quantiles(late)
    return verdict


def _match(verdict: Verdict, game: Game, told: Sequence[Accepted]) -> list[float]:
    """Give each due reminder the first message that may be it; return how late each was, in seconds."""
    players = {participant.user_id for participant in game.participants}
    waiting, late = sorted(told, key=lambda record: record.wall), []
    for offset in sorted(game.reminder_offsets, reverse=True):
        due = (game.scheduled_at - timedelta(minutes=offset)).timestamp()
        verdict.reminders_due += 1
        if not waiting or waiting[0].wall < due - CLOCKS:
            verdict.missing += 1
            continue
        record = waiting.pop(0)
        verdict.delivered += 1
        late.append(record.wall - due)
        if set(record.pinged_users) != players:
            verdict.problems.append(f"{game.title!r} pinged {record.pinged_users} instead of {sorted(players)}")
    verdict.duplicated += len(waiting)
    return late


def quantiles(seconds: Iterable[float]) -> dict[str, float]:
    """Return p50, p99 and the maximum of some durations, in milliseconds."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1000, 1) for name, q in at.items()}


def _said(discord: SandboxDiscord) -> list[Accepted]:
    """Return the public messages that the bot was made to have sent, those that an earlier nonce answered left out."""
    bot = discord.world.bot.id
    return [
        record
        for record in discord.evidence
        if record.kind == "create"
        and record.author_id == bot
        and record.visible_to is None
        and not record.returned_earlier
    ]


async def _games(sessions: Sessions) -> Sequence[Game]:
    async with database.transaction(sessions) as session:
        statement = select(Game).options(selectinload(Game.participants)).order_by(Game.scheduled_at)
        return (await session.execute(statement)).scalars().all()


async def _applied(sessions: Sessions) -> int:
    applied = select(func.count()).where(GameStatusSchedule.outcome == Outcome.APPLIED)
    async with database.transaction(sessions) as session:
        return int((await session.execute(applied)).scalar_one())


def moment(seconds: float) -> datetime:
    """Return a wall-clock reading as local time."""
    return datetime.fromtimestamp(seconds).astimezone()
