"""The verdict on a whole run, by what Discord made and what the games' history demanded.

The rules of the schedule are not asked: which reminders were demanded is worked out from the history alone, and what
was told is what stands in the channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome, RecipientKind
from tests.model.ground import SCHEDULE, STATUS
from tests.model.model import Model
from tests.model.state import Delivery, Game, Row
from tests.model.table import BEGUN_AFTER

_ATTEMPTED = {Outcome.DELIVERED, Outcome.PARTLY_DELIVERED, Outcome.UNDELIVERABLE}


def judge(model: Model) -> None:
    """Judge a run in which everything that was due has its outcome.

    Raises:
        AssertionError: something was lost, doubled or told wrong.
    """
    _judge_twice(model)
    _judge_sent(model)
    for game in model.games.values():
        for row, changed_at in _demanded(model, game):
            _judge_reminder(model, row, changed_at)
        _judge_post(model, game)
        _judge_status(model, game)
        _judge_cancellation(model, game)
    for row in model.rows.values():
        if row.is_reminder and row.outcome is Outcome.DELIVERED:
            _judge_everybody(model, row)


def _judge_twice(model: Model) -> None:
    """No recipient has two messages, and nobody is told the same thing by two."""
    made = Counter(message.delivery_id for message in model.discord.made)
    assert max(made.values(), default=1) == 1, f"doubled: {[id_ for id_, count in made.items() if count > 1]}"
    for row in model.rows.values():
        told = Counter(_told(model, row))
        assert max(told.values(), default=1) == 1, f"{row} was told twice to {told}"


def _judge_sent(model: Model) -> None:
    """What the ledger says was sent, Discord has made."""
    made = {message.delivery_id: message.id for message in model.discord.made}
    for one in model.deliveries.values():
        if one.state is DeliveryState.SENT:
            assert made.get(one.id) == one.message_id, f"{one} was never made"


def _judge_reminder(model: Model, row: Row, changed_at: datetime | None) -> None:
    """What was demanded was told, or there was a reason by the time its outcome was recorded."""
    assert row.starts_at is not None
    ledger = model.ledger(row.id)
    match row.outcome:
        case None:
            raise AssertionError(f"unsettled: {row}")
        case Outcome.DELIVERED | Outcome.PARTLY_DELIVERED:
            assert any(model.message_of(one) is not None for one in ledger), f"lost: {row} was told to nobody"
        case Outcome.UNDELIVERABLE:
            assert ledger, f"lost: {row} was given up untried"
        case _:
            settled_at = row.settled_at or model.now
            offsets = model.games[row.game_id].offsets
            later = [row.starts_at - timedelta(minutes=offset) for offset in offsets]
            overtaken = any(row.due_at < due_at <= settled_at for due_at in later)
            begun = row.starts_at + BEGUN_AFTER <= settled_at
            changed = changed_at is not None and changed_at <= settled_at
            assert overtaken or begun or changed, f"lost: {row} had no reason"


def _demanded(model: Model, game: Game) -> Iterator[tuple[Row, datetime | None]]:
    """Yield each reminder that fell due while its session stood so, and when that was changed, if it was."""
    periods = _periods(model.history[game.id])
    for number, (since, state) in enumerate(periods):
        until = periods[number + 1][0] if number + 1 < len(periods) else None
        for offset in game.offsets if state.status is not GameStatus.CANCELLED else ():
            due_at = state.starts_at - timedelta(minutes=offset)
            if since < due_at <= (until or model.now):
                identity = (SCHEDULE, game.id, NotificationKind.REMINDER, offset, state.starts_at)
                row = next((row for row in model.rows.values() if row.identity == identity), None)
                assert row is not None, f"lost: {offset} minutes before {state} was never scheduled"
                yield row, until


def _periods(history: Sequence[tuple[datetime, Game]]) -> list[tuple[datetime, Game]]:
    """Return the states between which the time of a session or its being cancelled changed."""
    turns = list(history[:1])
    for at, state in history[1:]:
        last, over = turns[-1][1], GameStatus.CANCELLED
        if (state.starts_at, state.status is over) != (last.starts_at, last.status is over):
            turns.append((at, state))
    return turns


def _judge_everybody(model: Model, row: Row) -> None:
    """Who played from before it was due until it was last tried was told."""
    last = max(model.turned_at[row.id])
    before = [game for at, game in model.history[row.game_id] if at < row.due_at][-1:]
    states = before + [game for at, game in model.history[row.game_id] if row.due_at <= at <= last]
    always = set.intersection(*(set(game.players) for game in states))
    assert always <= set(_told(model, row)), f"{row} was not told to {always - set(_told(model, row))}"


def _told(model: Model, row: Row) -> Iterator[int]:
    """Yield each time that somebody was told a row, by a ping or directly."""
    ledger: dict[object, Delivery] = {one.id: one for one in model.ledger(row.id)}
    for message in model.discord.made:
        one = ledger.get(message.delivery_id)
        if one is None:
            continue
        yield from message.pings
        if one.recipient[0] == RecipientKind.USER:
            yield one.recipient[1]


def _judge_post(model: Model, game: Game) -> None:
    """A post that was settled as shown does show its game."""
    notices = [row for row in model.rows_of(game.id) if row.what == NotificationKind.ANNOUNCEMENT]
    if notices and notices[-1].outcome is Outcome.DELIVERED and game.message_id in model.shown:
        assert model.shown[game.message_id] == game.revision, f"the post shows {model.shown[game.message_id]} of {game}"


def _judge_status(model: Model, game: Game) -> None:
    """A session has begun, or is over, when its time has come."""
    if game.status is GameStatus.CANCELLED or any(row.is_open for row in _changes_due(model, game)):
        return
    began = GameStatus.IN_PROGRESS if game.starts_at <= model.now else GameStatus.SCHEDULED
    expected = GameStatus.COMPLETED if game.ends_at <= model.now else began
    assert game.status is expected, f"lost: {game} should be {expected}"


def _changes_due(model: Model, game: Game) -> list[Row]:
    return [row for row in model.rows_of(game.id, STATUS) if row.due_at <= model.now]


def _judge_cancellation(model: Model, game: Game) -> None:
    """A cancellation is told, and told only of what was cancelled."""
    told = [row.outcome for row in model.rows_of(game.id) if row.what == NotificationKind.CANCELLATION]
    cancelled = game.status is GameStatus.CANCELLED
    assert len(told) == cancelled, f"{told} for the cancellation of {game}"
    assert not set(told) - _ATTEMPTED, f"lost: {told} for the cancellation of {game}"
