"""How things must stand at the end of a cell: posts that show their sessions, cancellations told, and outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from shared.models import DeliveryState, GameStatus, NotificationKind
from tests.chaos.facts import Case, GameFacts
from tests.chaos.messages import Message
from tests.chaos.verdict import Verdict


def judge_posts(messages: Sequence[Message], case: Case, verdict: Verdict) -> None:
    """Judge the notices: each session has its post, which shows it as it is, and each cancellation was told."""
    facts = case.facts
    told: defaultdict[tuple[UUID, NotificationKind], list[Message]] = defaultdict(list)
    for message in messages:
        told[message.row.game_id, message.row.kind].append(message)
    unknown = {
        facts.rows[delivery.notification_id].game_id
        for delivery in facts.deliveries.values()
        if delivery.state is DeliveryState.UNKNOWN
    }
    asked = {row.game_id for row in facts.rows.values() if row.kind is NotificationKind.ANNOUNCEMENT}
    for game in facts.games.values():
        if game.id not in unknown and game.id in asked:
            _judge_post(game, told[game.id, NotificationKind.ANNOUNCEMENT], case, verdict)
            _judge_cancellation(game, told[game.id, NotificationKind.CANCELLATION], verdict)


def _judge_post(game: GameFacts, posts: Sequence[Message], case: Case, verdict: Verdict) -> None:
    if not posts:
        verdict.note("lost", f"the announcement of {game.title}")
    elif not _is_shown(game, case.shown.get(game.message_id or 0, "")):
        verdict.note("told_wrong", f"the announcement of {game.title} is out of date")


def _judge_cancellation(game: GameFacts, messages: Sequence[Message], verdict: Verdict) -> None:
    cancelled = game.last.status is GameStatus.CANCELLED
    told = any(message.in_channel for message in messages)
    if cancelled != told:
        verdict.note("lost" if cancelled else "told_wrong", f"the cancellation of {game.title}")
    elif cancelled and (missed := game.last.players.difference(*(message.told.people for message in messages))):
        verdict.note("told_wrong", f"the cancellation of {game.title}: {len(missed)} players were not told")


def _is_shown(game: GameFacts, text: str) -> bool:
    """Return whether a post shows the game's time, status and players."""
    state = game.last
    wanted = [f"<t:{int(state.starts_at.timestamp())}:F>", state.status.replace("_", " ").capitalize()]
    wanted += [f"<@{player}>" for player in state.players]
    return all(word in text for word in wanted) and text.count("Players ") == text.count(
        f"Players {len(state.players)}"
    )


def judge_settled(case: Case, verdict: Verdict) -> None:
    """Judge that everything due has its outcome, every session its status, and no try is undecided without reason."""
    facts = case.facts
    for row in facts.rows.values():
        if row.due_at <= facts.now and row.outcome is None:
            verdict.note("unsettled", f"{row.kind} of {facts.games[row.game_id].title}")
    for change in facts.changes:
        if change.due_at <= facts.now and change.outcome is None:
            verdict.note("unsettled", f"{change.target} of {facts.games[change.game_id].title}")
    for game in facts.games.values():
        if game.last.status is not (due := _status_due(game, facts.now)) and due is not None:
            verdict.note("lost", f"{game.title} is {game.last.status} instead of {due}")
    for delivery in facts.deliveries.values():
        if delivery.state is DeliveryState.UNKNOWN:
            verdict.unknown += 1
    if verdict.unknown and not case.may_be_unknown:
        verdict.problems.append(f"unknown: {verdict.unknown} tries, which this fault does not justify")


def _status_due(game: GameFacts, now: datetime) -> GameStatus | None:
    """Return the status that time asks for, None where a change may still be under way."""
    state = game.last
    for at, status in (
        (state.starts_at + game.duration, GameStatus.COMPLETED),
        (state.starts_at, GameStatus.IN_PROGRESS),
    ):
        if abs(now - at) < timedelta(seconds=2):
            return None
        if at <= now and state.status is not GameStatus.CANCELLED:
            return status
    return GameStatus.CANCELLED if state.status is GameStatus.CANCELLED else GameStatus.SCHEDULED
