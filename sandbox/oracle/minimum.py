"""The question to a host whether to cancel a game with too few players: once for each start, and never without need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sandbox.oracle.expected import DELIVERY_DEADLINE, STARTED_AFTER
from sandbox.oracle.facts import Evidence, GameHistory, GameState
from sandbox.oracle.observed import ClaimedMessage, explain, find_unknown
from sandbox.oracle.verdict import Verdict
from shared.models import GameStatus, NotificationKind


def check_minimums(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check the questions about all games, also of those that need no minimum."""
    unjudged = find_unknown(evidence) | evidence.lost.games
    for game in evidence.facts.games.values():
        if game.id not in unjudged:
            of_game = [it for it in messages if it.game.id == game.id and it.row.kind is NotificationKind.MINIMUM]
            _check_game(game, of_game, evidence, verdict)


def _check_game(game: GameHistory, questions: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    asked: defaultdict[datetime, list[ClaimedMessage]] = defaultdict(list)
    for question in questions:
        asked[question.row.starts_at].append(question)
        reasons = [_why_wrong(question, evidence, decided_at=it) for it in question.decision_times(evidence)]
        if reasons and all(reasons):
            verdict.wrong.append(f"{question.name}: {reasons[-1]}")
    verdict.minimum_questions += len(questions)
    verdict.doubled += [of_start[-1].name for of_start in asked.values() if len(of_start) > 1]
    for starts_at in _required(game, evidence):
        if not asked[starts_at]:
            what = explain(game, NotificationKind.MINIMUM, evidence)
            verdict.lost.append(f"the question about the minimum of {game.title} at {starts_at:%T.%f} ({what})")


def _why_wrong(question: ClaimedMessage, evidence: Evidence, *, decided_at: datetime) -> str | None:
    game, starts_at, tolerance = question.game, question.row.starts_at, evidence.clock_tolerance
    state = game.state_at(decided_at)
    if game.minimum_players is None:
        return "the game needs no minimum"
    if question.message.recipients != {game.host_id}:
        return "it was not for the host alone"
    if decided_at + tolerance < _counted_at(game, starts_at):
        return "it was not due"
    if state is None or state.status is GameStatus.CANCELLED:
        return "the game was cancelled"
    if state.starts_at != starts_at:
        return "the game had been moved"
    if decided_at >= starts_at + STARTED_AFTER + tolerance:
        return "the game had started"
    if len(state.players) >= game.minimum_players:
        return "enough players had a seat"
    return None


def _required(game: GameHistory, evidence: Evidence) -> Iterator[datetime]:
    """Yield each start of a game of which the host must have been asked.

    From the moment of the question to the deadline for it, the game had too few players, did not change and had not
    started.
    """
    for starts_at in {state.starts_at for state in game.states} if game.minimum_players is not None else ():
        counted_at = _counted_at(game, starts_at)
        deadline = max(counted_at, evidence.fault_ended_at or counted_at) + DELIVERY_DEADLINE
        if counted_at > evidence.facts.now or starts_at + STARTED_AFTER <= deadline:
            continue
        states = _states_between(game, counted_at - evidence.clock_tolerance, deadline)
        if states and all(_has_too_few(state, game, starts_at) for state in states):
            yield starts_at


def _has_too_few(state: GameState, game: GameHistory, starts_at: datetime) -> bool:
    is_unchanged = state.starts_at == starts_at and state.status is not GameStatus.CANCELLED
    return is_unchanged and len(state.players) < (game.minimum_players or 0)


def _states_between(game: GameHistory, since: datetime, until: datetime) -> list[GameState]:
    """Return the states that a game had in a period, none if it did not exist at its beginning."""
    first = game.state_at(since)
    later = [state for state in game.states if since < state.at <= until]
    return [] if first is None else [first, *later]


def _counted_at(game: GameHistory, starts_at: datetime) -> datetime:
    return starts_at - timedelta(minutes=game.minimum_minutes or 0)
