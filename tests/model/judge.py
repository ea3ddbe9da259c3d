"""The verdict on a run, from the messages in Discord and the history of the games.

The rows of the schedule are not trusted: the history alone says which reminders were required, and the channels say
what was delivered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome, RecipientKind
from tests.model.discord import Call, dm_channel
from tests.model.history import History
from tests.model.state import Game, Row
from tests.support.transitions import NOTIFICATIONS, STATUSES

_ATTEMPTED = {Outcome.DELIVERED, Outcome.PARTLY_DELIVERED, Outcome.UNDELIVERABLE}
_OF_ANY_VERSION = {NotificationKind.DROP_OUT, NotificationKind.PROMOTION, NotificationKind.OFFER_END}
_EXPIRES_AFTER = timedelta(seconds=60)
"""Counted from the start of the game."""


def judge(history: History) -> None:
    """Judge a run in which everything that was due has its outcome.

    Raises:
        AssertionError: something was lost, doubled or wrong.
    """
    _judge_doubled(history)
    _judge_ledger(history)
    for game in history.games.values():
        for row, changed_at in _required(history, game):
            _judge_reminder(history, row, changed_at)
        _judge_announcement(history, game)
        _judge_status(history, game)
        _judge_cancellation(history, game)
        _judge_change(history, game)
        _judge_drop_outs(history, game)
        _judge_promotions(history, game)
        _judge_lapses(history, game)
    for row in history.rows.values():
        if row.is_reminder and row.outcome is Outcome.DELIVERED:
            _judge_recipients(history, row)
        if row.what == NotificationKind.PERSONAL_REMINDER:
            _judge_personal_reminder(history, row)
        if row.what == NotificationKind.NUDGE:
            _judge_nudge(history, row)


def judge_request(history: History, call: Call, sent: set[tuple[object, ...]]) -> None:
    """Judge a request when it is made, right after the commit that allowed it. `sent` has the earlier ones.

    Raises:
        AssertionError: a message was requested that must not be sent now.
    """
    if call.kind != "create":
        return
    delivery = history.deliveries.get(call.delivery_id) if call.delivery_id else None
    assert delivery is not None, "a message has no committed row in the ledger"
    assert delivery.state is DeliveryState.SENDING, f"a message is sent while its row is {delivery.state}"
    assert delivery.lease_until is not None and delivery.lease_until > history.now, (
        f"a message without a lease: {delivery}"
    )
    assert (delivery.id, delivery.attempts) not in sent, f"a message is sent twice under one lease: {delivery}"
    sent.add((delivery.id, delivery.attempts))
    row = history.rows[delivery.row_id]
    kind, recipient = delivery.recipient
    channel = recipient if kind == RecipientKind.CHANNEL else dm_channel(recipient)
    assert call.channel_id == channel, "a message is sent elsewhere"
    assert row.is_open and row.due_at <= history.now, f"a message is sent before its time or after its outcome: {row}"
    if row.what in (NotificationKind.ANNOUNCEMENT, NotificationKind.WARNING):
        return
    assert not _is_stale(history, row), f"a message is sent that is not valid any more: {row}"
    people = history.games[row.game_id].people
    if row.what == NotificationKind.NUDGE:
        game = history.games[row.game_id]
        assert game.status is GameStatus.SCHEDULED, f"a nudge is sent after the start: {row}"
        assert game.capacity is None or len(game.players) < game.capacity, f"a nudge is sent to a full game: {row}"
        people = _unanswered(history, row, until=history.now)
        reached = call.pings | ({recipient} if kind == RecipientKind.USER else set())
        assert reached and reached <= people, f"{sorted(reached)} are nudged: {delivery}"
    if row.what == NotificationKind.OFFER_END and row.user_id is not None:
        people |= {row.user_id}  # they have just lost their seat
    assert row.user_id is None or row.user_id in people, f"a message is sent to someone who has left: {row}"
    if kind == RecipientKind.CHANNEL:
        assert call.pings == set(delivery.mentions) & people, f"{sorted(call.pings)} are pinged: {delivery}"


def _is_stale(history: History, row: Row) -> bool:
    if row.what not in _OF_ANY_VERSION and row.version != history.games[row.game_id].version:
        return True
    is_personal = row.what == NotificationKind.PERSONAL_REMINDER
    if not (row.is_reminder or is_personal) or row.game_scheduled_at is None:
        return False
    later = [other for other in history.rows_of(row.game_id) if other.game_scheduled_at == row.game_scheduled_at]
    is_overtaken = any(
        row.due_at < other.due_at <= history.now
        for other in later
        if other.is_reminder and other.outcome is not Outcome.SUPERSEDED
    )
    return is_overtaken or row.game_scheduled_at + _EXPIRES_AFTER <= history.now


def _judge_doubled(history: History) -> None:
    """No delivery has two messages, and nobody gets the same notification from two."""
    created = Counter(message.delivery_id for message in history.discord.created)
    assert max(created.values(), default=1) == 1, f"doubled: {[key for key, count in created.items() if count > 1]}"
    for row in history.rows.values():
        notified = Counter(_notified(history, row))
        assert max(notified.values(), default=1) == 1, f"{row} was delivered twice: {notified}"


def _judge_ledger(history: History) -> None:
    """Discord created every message that the ledger calls sent."""
    created = {message.delivery_id: message.id for message in history.discord.created}
    for delivery in history.deliveries.values():
        if delivery.state is DeliveryState.SENT:
            assert created.get(delivery.id) == delivery.message_id, f"{delivery} was never created"


def _judge_reminder(history: History, row: Row, changed_at: datetime | None) -> None:
    """A required reminder was delivered, or there was a reason against it by the time of its outcome."""
    assert row.game_scheduled_at is not None
    ledger = history.ledger(row.id)
    match row.outcome:
        case None:
            raise AssertionError(f"unsettled: {row}")
        case Outcome.DELIVERED | Outcome.PARTLY_DELIVERED:
            exists = any(history.discord.message_of(delivery.id) is not None for delivery in ledger)
            assert exists, f"lost: {row} was delivered to nobody"
        case Outcome.UNDELIVERABLE:
            assert ledger, f"lost: {row} was given up without an attempt"
        case _:
            settled_at = row.settled_at or history.now
            offsets = history.games[row.game_id].offsets
            later = [row.game_scheduled_at - timedelta(minutes=offset) for offset in offsets]
            overtaken = any(row.due_at < due_at <= settled_at for due_at in later)
            expired = row.game_scheduled_at + _EXPIRES_AFTER <= settled_at
            changed = changed_at is not None and changed_at <= settled_at
            assert overtaken or expired or changed, f"lost: {row} without a reason"


def _required(history: History, game: Game) -> Iterator[tuple[Row, datetime | None]]:
    """Yield each reminder that came due while its game was as it says, and when that changed, if it did."""
    periods = _periods(history.states[game.id])
    for number, (since, state) in enumerate(periods):
        until = periods[number + 1][0] if number + 1 < len(periods) else None
        for offset in game.offsets if state.status is not GameStatus.CANCELLED else ():
            due_at = state.scheduled_at - timedelta(minutes=offset)
            if since < due_at <= (until or history.now):
                identity = (NOTIFICATIONS, game.id, NotificationKind.REMINDER, offset, state.scheduled_at)
                row = next((row for row in history.rows.values() if row.identity == identity), None)
                assert row is not None, f"lost: {offset} minutes before {state} was never scheduled"
                yield row, until


def _judge_personal_reminder(history: History, row: Row) -> None:
    """A reminder of one player reached no one else, and that player if it was delivered."""
    notified = list(_notified(history, row))
    assert set(notified) <= {row.user_id}, f"{row} reached {notified}"
    match row.outcome:
        case None:
            assert row.due_at > history.now, f"unsettled: {row}"
        case Outcome.DELIVERED:
            assert notified == [row.user_id], f"lost: {row}"
        case Outcome.EXPIRED:
            begun_at = (row.game_scheduled_at or row.due_at) + _EXPIRES_AFTER
            assert row.settled_at is not None and begun_at <= row.settled_at, f"lost: {row} before the start"


def _judge_nudge(history: History, row: Row) -> None:
    """A nudge that was delivered reached all players of earlier games who had not answered until its last attempt."""
    if row.outcome is None:
        assert row.due_at > history.now, f"unsettled: {row}"
    if row.outcome is Outcome.DELIVERED:
        attempts = history.leased_at[row.id]
        always = _unanswered(history, row, until=max(attempts), over_before=min(attempts))
        missed = always - set(_notified(history, row))
        assert not missed, f"{missed} were not nudged: {row}"


def _unanswered(history: History, row: Row, *, until: datetime, over_before: datetime | None = None) -> set[int]:
    """Return the players of earlier games, without those who had answered the row's game."""
    earlier = [
        game.players
        for states in history.states.values()
        for at, game in states
        if game.status is GameStatus.COMPLETED and (at <= until if over_before is None else at < over_before)
    ]
    answers = [{*game.people, *game.waiting} for at, game in history.states[row.game_id] if at <= until]
    return set().union(*earlier) - set().union(*answers)


def _periods(states: Sequence[tuple[datetime, Game]]) -> list[tuple[datetime, Game]]:
    """Return the states at which the time of a game changed, or it was cancelled."""
    periods = list(states[:1])
    for at, state in states[1:]:
        last, cancelled = periods[-1][1], GameStatus.CANCELLED
        if (state.scheduled_at, state.status is cancelled) != (last.scheduled_at, last.status is cancelled):
            periods.append((at, state))
    return periods


def _judge_recipients(history: History, row: Row) -> None:
    """Everybody got it who was a player from before it was due until its last attempt, and the host."""
    last = max(history.leased_at[row.id])
    before = [game for at, game in history.states[row.game_id] if at < row.due_at][-1:]
    states = before + [game for at, game in history.states[row.game_id] if row.due_at <= at <= last]
    always = set.intersection(*(game.people for game in states))
    missed = always - set(_notified(history, row))
    assert not missed, f"{row} was not delivered to {missed}"


def _notified(history: History, row: Row) -> Iterator[int]:
    """Yield each time that a user was notified of a row, by a ping or a DM."""
    recipients = {delivery.id: delivery.recipient for delivery in history.ledger(row.id)}
    for message in history.discord.created:
        if message.delivery_id in recipients:
            yield from message.pings
            kind, recipient = recipients[message.delivery_id]
            if kind == RecipientKind.USER:
                yield recipient


def _judge_announcement(history: History, game: Game) -> None:
    """An announcement whose last change was settled as delivered shows its game."""
    notices = [row for row in history.rows_of(game.id) if row.what == NotificationKind.ANNOUNCEMENT]
    message = history.discord.messages.get(game.message_id or 0)
    if notices and notices[-1].outcome is Outcome.DELIVERED and message is not None:
        assert _shows(message.payload, game), f"the announcement of {game} shows {message.payload}"


def _shows(payload: Mapping[str, Any], game: Game) -> bool:
    parts = [f"<t:{int(game.scheduled_at.timestamp())}:F>", game.status.replace("_", " ").capitalize()]
    seats = "" if game.capacity is None else f"/{game.capacity}"
    parts += [f"<@{user}>" for user in (*game.players, *game.waiting)] + [f"Players {len(game.players)}{seats}'"]
    return all(part in str(payload) for part in parts)


def _judge_status(history: History, game: Game) -> None:
    """A game has begun, or is over, when its time has come."""
    due = [row for row in history.rows_of(game.id, STATUSES) if row.due_at <= history.now]
    if game.status is GameStatus.CANCELLED or any(row.is_open for row in due):
        return
    begun = GameStatus.IN_PROGRESS if game.scheduled_at <= history.now else GameStatus.SCHEDULED
    expected = GameStatus.COMPLETED if game.ends_at <= history.now else begun
    assert game.status is expected, f"lost: {game} should be {expected}"


def _judge_cancellation(history: History, game: Game) -> None:
    """A cancelled game has one cancellation, which was attempted; no other game has one."""
    outcomes = [row.outcome for row in history.rows_of(game.id) if row.what == NotificationKind.CANCELLATION]
    assert len(outcomes) == (game.status is GameStatus.CANCELLED), f"{outcomes} for the cancellation of {game}"
    assert not set(outcomes) - _ATTEMPTED, f"lost: {outcomes} for the cancellation of {game}"


def _judge_change(history: History, game: Game) -> None:
    """Each move has one notice, of which the last was attempted unless the game was cancelled."""
    times = [state.scheduled_at for _, state in history.states[game.id]]
    moves = sum(before != after for before, after in pairwise(times))
    outcomes = [row.outcome for row in history.rows_of(game.id) if row.what == NotificationKind.CHANGE]
    assert len(outcomes) == moves, f"{outcomes} for {moves} moves of {game}"
    assert not set(outcomes) - _ATTEMPTED - {Outcome.SUPERSEDED}, f"lost: {outcomes} for the moves of {game}"
    if moves and game.status is not GameStatus.CANCELLED:
        assert outcomes[-1] in _ATTEMPTED, f"lost: {outcomes} for the moves of {game}"


def _judge_drop_outs(history: History, game: Game) -> None:
    """The notice to the host was attempted for each player who left before the start and stayed away.

    A player whose offer lapsed did not leave: the player gave no answer, and the seat went to the next.
    """
    if game.status is GameStatus.CANCELLED:
        return
    states = [state for _, state in history.states[game.id]]
    left = {
        player
        for before, after in pairwise(states)
        if after.status is GameStatus.SCHEDULED
        for player in set(before.players) - set(after.players) - _lapsed(before, after) - game.people
    }
    notices = [row for row in history.rows_of(game.id) if row.what == NotificationKind.DROP_OUT]
    reported = {user for row in notices if row.outcome in _ATTEMPTED for user in row.user_ids}
    assert not left - reported, f"lost: {left - reported} left {game}, {notices}"


def _judge_lapses(history: History, game: Game) -> None:
    """Everyone who lost an offered seat, and nobody else, was notified of it unless the game was cancelled."""
    states = [state for _, state in history.states[game.id]]
    lost = {player for before, after in pairwise(states) for player in _lapsed(before, after)}
    notices = [row for row in history.rows_of(game.id) if row.what == NotificationKind.OFFER_END]
    notified = {user for row in notices for user in _notified(history, row)}
    assert notified <= lost, f"wrong: {notified - lost} did not lose a seat in {game}, {notices}"
    if game.status is not GameStatus.CANCELLED:
        attempted = {row.user_id for row in notices if row.outcome in _ATTEMPTED}
        assert lost <= attempted, f"lost: the end of the offers to {lost - attempted} in {game}, {notices}"


def _lapsed(before: Game, after: Game) -> set[int]:
    return set(before.offered) - set(after.players) - set(after.answered)


def _judge_promotions(history: History, game: Game) -> None:
    """Seats were never left free, and everyone who got one from the waitlist and kept it was notified."""
    states = [state for _, state in history.states[game.id]]
    for state in states:
        if state.status is GameStatus.SCHEDULED:
            assert not state.waiting or len(state.players) == state.capacity, f"skipped: somebody waits for {state}"
    promoted = {player for before, after in pairwise(states) for player in {*before.waiting} & {*after.players}}
    notices = [row for row in history.rows_of(game.id) if row.what == NotificationKind.PROMOTION]
    assert {row.user_id for row in notices} == promoted, f"wrong: {notices} for the promotion of {promoted} in {game}"
    if game.status is not GameStatus.CANCELLED:
        notified = {row.user_id for row in notices if row.outcome in _ATTEMPTED}
        missed = promoted & {*game.players} - notified
        assert not missed, f"lost: the promotion of {missed} in {game}, {notices}"
