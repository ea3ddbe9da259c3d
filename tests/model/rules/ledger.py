"""The model of a recipient: one rule for each line of the second table of docs/states.md."""

from __future__ import annotations

from dataclasses import replace

from shared.models import DeliveryState, RecipientKind
from tests.model.rules.book import GONE, At, Book, Gone
from tests.model.rules.bot import holds
from tests.model.run import Doing
from tests.model.state import Delivery

LEDGER_RULES: Book[Delivery] = Book()
PENDING, SENDING, SENT = DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.SENT


def _to_be_told(delivery: Delivery, at: At) -> bool:
    """Whether this run tells the notification, and it still holds."""
    run = at.run
    return run.doing is Doing.TELL and delivery.row_id in run.rows and holds(at.model.rows[delivery.row_id], at)


@LEDGER_RULES.rule(creates=True)
def opened(_: None, seen: Delivery, at: At) -> Delivery | None:
    if not _to_be_told(seen, at):
        return None
    row = at.model.rows[seen.row_id]
    game, (kind, recipient) = at.model.games[row.game_id], seen.recipient
    known = any((one.recipient, one.chunk) == (seen.recipient, seen.chunk) for one in at.model.ledger(row.id))
    right = recipient == game.channel_id if kind == RecipientKind.CHANNEL else recipient in game.players
    if known or not right or not set(seen.mentions) <= set(game.players):
        return None
    return Delivery(seen.id, row.id, seen.recipient, seen.chunk, seen.mentions)


@LEDGER_RULES.rule()
def left(one: Delivery, seen: Delivery | None, at: At) -> Gone | None:
    return GONE if one.state is PENDING and _to_be_told(one, at) and at.has_left(one) else None


@LEDGER_RULES.rule()
def taken(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    if seen is None or one.state is not PENDING or not _to_be_told(one, at) or at.has_left(one):
        return None
    players = at.model.games[at.model.rows[one.row_id].game_id].players
    if seen.mentions != one.mentions and not set(seen.mentions) <= set(players):
        return None
    return replace(_tried(one, at), first_sending_at=at.now, mentions=seen.mentions)


@LEDGER_RULES.rule()
def taken_again(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    free = one.state is SENDING and at.is_free(one) and not at.is_old(one)
    return _tried(one, at) if free and _to_be_told(one, at) and not at.has_left(one) else None


def _tried(one: Delivery, at: At) -> Delivery:
    return replace(one, state=SENDING, attempts=one.attempts + 1, lease_until=at.lease_end)


@LEDGER_RULES.owed
def sent(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    return _yes(one, at.run.messages[one.id])


def _yes(one: Delivery, message: int) -> Delivery:
    return replace(one, state=SENT, message_id=message, lease_until=None)


def _looked_for(one: Delivery, at: At, *, surely: bool) -> bool:
    """Whether a try was old enough to be looked for, and its channel was looked through so."""
    abandoned = one.state is SENDING and at.is_old(one) and at.is_quiet(one)
    return abandoned and (at.model.channel_of(one), surely) in at.run.looked


@LEDGER_RULES.rule()
def found(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    message = at.model.message_of(one)
    looked = at.model.channel_of(one) in {channel for channel, _ in at.run.looked}
    return _yes(one, message) if looked and message is not None and one.state is not SENT else None


@LEDGER_RULES.rule()
def absent(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    gone = _looked_for(one, at, surely=True) and at.model.message_of(one) is None
    return replace(one, state=PENDING, first_sending_at=None, lease_until=None) if gone else None


@LEDGER_RULES.rule()
def undecidable(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    unsure = _looked_for(one, at, surely=False)
    return replace(one, state=DeliveryState.UNKNOWN, first_sending_at=None, lease_until=None) if unsure else None


@LEDGER_RULES.owed
def failed(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    return replace(one, state=DeliveryState.FAILED, lease_until=None)


@LEDGER_RULES.owed
def given_back(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    return replace(one, state=PENDING, first_sending_at=None, lease_until=None)


@LEDGER_RULES.owed
def doubtful(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    return replace(one, lease_until=at.now)


@LEDGER_RULES.owed
def unclear(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    return replace(one, lease_until=at.now)


@LEDGER_RULES.owed
def too_late(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    return one


@LEDGER_RULES.owed
def redirected(one: Delivery, seen: Delivery | None, at: At) -> Delivery | None:
    game = at.model.games[at.model.rows[one.row_id].game_id]
    last = max(other.chunk for other in at.model.ledger(one.row_id))
    return Delivery(
        one.id,
        one.row_id,
        (RecipientKind.CHANNEL, game.channel_id),
        chunk=last + 1,
        mentions=(one.recipient[1],),
        attempts=one.attempts,
    )
