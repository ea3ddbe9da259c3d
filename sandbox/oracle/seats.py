"""Seats: none has two players, nobody on a waitlist is skipped, and who gets or loses one is notified of it once.

The states of a game alone say who was promoted and whose offer lapsed. A player whose seat was offered and who is gone
without an answer has lost it, since a player who leaves answers that they cannot come.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from sandbox.oracle.facts import Evidence, GameHistory, GameState
from sandbox.oracle.observed import ClaimedMessage, explain, find_unknown
from sandbox.oracle.verdict import Verdict
from shared.models import GameStatus, NotificationKind, Slot

_LAPSES_WITHIN = timedelta(seconds=2)
"""An offer may still be about to lapse this close to its end."""


@dataclass(frozen=True)
class SeatChange:
    """A player got a seat from the waitlist, or lost it because they did not take it in time."""

    player: int
    at: datetime


def check_seats(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check the seats of each game at every moment, and the notices about them."""
    unjudged = find_unknown(evidence) | evidence.lost.games
    of_games: defaultdict[UUID, list[ClaimedMessage]] = defaultdict(list)
    for message in messages:
        of_games[message.game.id].append(message)
    for game in evidence.facts.games.values():
        _check_capacities(game, verdict)
        _check_free_seats(game, verdict)
        _check_order(game, verdict)
        _check_ends(game, evidence, verdict)
        if game.id not in unjudged:
            _check_promotions(game, of_games[game.id], evidence, verdict)
            _check_lapses(game, of_games[game.id], evidence, verdict)


def lapsed(before: GameState, after: GameState) -> frozenset[int]:
    """Return the players who lost an offered seat between two states."""
    return frozenset(before.offers.keys() - after.players - after.answered)


def promoted(before: GameState, after: GameState) -> list[int]:
    """Return the players who got the seat for which they waited between two states, in the order in which they waited.

    A user who got one of another slot did not wait for it, but chose it.
    """
    return [
        player
        for player in before.waiting
        if player in after.players and before.chosen.get(player) in (None, after.chosen.get(player))
    ]


def count_players(state: GameState, slot: Slot) -> int:
    """Return how many players have a slot."""
    return sum(state.chosen.get(player) == slot.name for player in state.players)


def _check_capacities(game: GameHistory, verdict: Verdict) -> None:
    """Check that no seat had two players, with a line for the first moment at which one had."""
    problems = (problem for state in game.states for problem in _find_overfull(state))
    if (problem := next(problems, None)) is not None:
        verdict.wrong.append(f"{game.title} has {problem}")


def _find_overfull(state: GameState) -> Iterator[str]:
    if state.capacity is not None and len(state.players) > state.capacity:
        yield f"{len(state.players)} players in {state.capacity} seats at {state.at:%T.%f}"
    for slot in state.slots:
        if slot.capacity is not None and (players := count_players(state, slot)) > slot.capacity:
            yield f"{players} players in {slot.capacity} seats of {slot.name} at {state.at:%T.%f}"


def _check_free_seats(game: GameHistory, verdict: Verdict) -> None:
    """Check that nobody waited for a free seat, with a line for the first moment at which one did."""
    for state in game.states:
        for player in state.waiting:
            if state.status is GameStatus.SCHEDULED and _has_free_seat(state, player):
                verdict.wrong.append(f"{player} waits for a free seat of {game.title} at {state.at:%T.%f}")
                return


def _check_order(game: GameHistory, verdict: Verdict) -> None:
    """Check that those who came first got their seats first."""
    for before, after in pairwise(game.states):
        for player in promoted(before, after):
            slot = after.chosen.get(player)
            for earlier in before.waiting[: before.waiting.index(player)]:
                if earlier in after.waiting and before.chosen.get(earlier) in (None, slot):
                    verdict.wrong.append(f"{player} got a seat of {game.title} before {earlier}, who came first")


def _has_free_seat(state: GameState, player: int) -> bool:
    if state.capacity is not None and len(state.players) >= state.capacity:
        return False
    wanted = state.chosen.get(player)
    slots = [slot for slot in state.slots if wanted in (None, slot.name)]
    free = [slot for slot in slots if slot.capacity is None or count_players(state, slot) < slot.capacity]
    return bool(free) or not state.slots


def _check_ends(game: GameHistory, evidence: Evidence, verdict: Verdict) -> None:
    """Check that offers end at their time and not before, and that nobody loses a seat of a game that has begun."""
    for before, after in pairwise(game.states):
        for player in lapsed(before, after):
            name = f"the offer to {player} in {game.title}"
            if after.at + evidence.clock_tolerance < before.offers[player]:
                verdict.wrong.append(f"{name} ended before its time")
            if before.status is not GameStatus.SCHEDULED:
                verdict.wrong.append(f"{name} ended when the game was {before.status}")
    final, now = game.final, evidence.facts.now
    for player, until in final.offers.items():
        has_begun = final.starts_at - _LAPSES_WITHIN <= now
        if final.status is GameStatus.SCHEDULED and not has_begun and until + _LAPSES_WITHIN < now:
            what = explain(game, NotificationKind.OFFER_END, evidence)
            verdict.lost.append(f"the end of the offer to {player} in {game.title} ({what})")


def _check_promotions(
    game: GameHistory, messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict
) -> None:
    """Check that each promotion was notified once, unless the player left or the game was cancelled.

    A player who lost the seat again because they did not take it was notified before.
    """
    changes = [
        SeatChange(player, after.at) for before, after in pairwise(game.states) for player in promoted(before, after)
    ]
    lapses = _find_lapses(game)
    notices = [message for message in messages if message.row.kind is NotificationKind.PROMOTION]
    verdict.promotions += len(changes)
    _check_notified("promotion", game, changes, notices, evidence, verdict)
    for message in notices:
        known = message.message.recipients & {change.player for change in changes}
        states = [game.state_at(decision) for decision in message.decision_times(evidence)]
        if not any(state is not None and known <= state.players for state in states):
            verdict.wrong.append(f"{message.name}: the player had no seat")
    notified = {player: message.message.at for message in reversed(notices) for player in message.message.recipients}
    for lapse in lapses:
        name = f"the promotion of {lapse.player} in {game.title}, whose offer lapsed"
        if lapse.player not in notified:
            verdict.lost.append(f"{name} ({explain(game, NotificationKind.PROMOTION, evidence)})")
        elif notified[lapse.player] > lapse.at + evidence.clock_tolerance:
            verdict.wrong.append(f"{name} before it was sent")
    if game.final.status is not GameStatus.CANCELLED:
        kept = {change.player for change in changes} & game.final.players
        for player in kept - notified.keys():
            what = explain(game, NotificationKind.PROMOTION, evidence)
            verdict.lost.append(f"the promotion of {player} in {game.title} ({what})")


def _check_lapses(game: GameHistory, messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check that each player who lost an offered seat was notified of it once, afterwards."""
    lapses = _find_lapses(game)
    notices = [message for message in messages if message.row.kind is NotificationKind.OFFER_END]
    verdict.lapsed_offers += len(lapses)
    _check_notified("end of the offer", game, lapses, notices, evidence, verdict)
    for message in notices:
        known = [lapse for lapse in lapses if lapse.player in message.message.recipients]
        decided_at = max(message.decision_times(evidence), default=message.message.at)
        if known and all(decided_at < lapse.at for lapse in known):
            verdict.wrong.append(f"{message.name}: the player had not lost the seat yet")
    notified = {player for message in notices for player in message.message.recipients}
    if game.final.status is not GameStatus.CANCELLED:
        for player in {lapse.player for lapse in lapses} - notified:
            what = explain(game, NotificationKind.OFFER_END, evidence)
            verdict.lost.append(f"the end of the offer to {player} in {game.title} ({what})")


def _check_notified(
    what: str,
    game: GameHistory,
    changes: Sequence[SeatChange],
    notices: Sequence[ClaimedMessage],
    evidence: Evidence,
    verdict: Verdict,
) -> None:
    """Check that nobody was notified of more changes than they had."""
    had = Counter(change.player for change in changes)
    for player, times in Counter(player for message in notices for player in message.message.recipients).items():
        if times > had[player]:
            kind = verdict.doubled if had[player] else verdict.wrong
            kind.append(f"the {what} of {player} in {game.title}")


def _find_lapses(game: GameHistory) -> list[SeatChange]:
    return [SeatChange(player, after.at) for before, after in pairwise(game.states) for player in lapsed(before, after)]
