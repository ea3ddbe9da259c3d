"""The games of daily and weekly series: one for each date, made when the one before is over."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import pairwise
from uuid import UUID

from sandbox.oracle.facts import Evidence, GameHistory
from sandbox.oracle.verdict import Verdict


def check_occurrences(evidence: Evidence, verdict: Verdict) -> None:
    """Check that each series has one game for each date, of which only the last is not over."""
    for games in _list_series(evidence):
        if not any(game.id in evidence.lost.games for game in games):
            _check_series(games, verdict)


def find_made_games(evidence: Evidence) -> set[UUID]:
    """Return the games that followed others, which must be announced."""
    return {game.id for games in _list_series(evidence) for game in games[1:]}


def _list_series(evidence: Evidence) -> list[list[GameHistory]]:
    """Return the games of each series in the order of their dates."""
    found: defaultdict[UUID, list[GameHistory]] = defaultdict(list)
    for game in evidence.facts.games.values():
        if game.series_id is not None:
            found[game.series_id].append(game)
    return [sorted(games, key=_date) for games in found.values()]


def _check_series(games: list[GameHistory], verdict: Verdict) -> None:
    *over, last = games
    verdict.occurrences += len(over)
    for before, after in pairwise(games):
        if _date(before) == _date(after):
            verdict.doubled.append(f"the game of {after.title} on {_date(after)}")
        elif _date(after) - _date(before) != after.interval:
            verdict.wrong.append(f"the game of {after.title} on {_date(after)} follows that on {_date(before)}")
    for game in over:
        if not game.final.status.is_final:
            verdict.wrong.append(f"the next game of {game.title} was made before this one was over")
    if last.final.status.is_final:
        verdict.lost.append(f"the next game of {last.title}, which is {last.final.status}")


def _date(game: GameHistory) -> date:
    return (game.occurrence or game.final.starts_at).date()
