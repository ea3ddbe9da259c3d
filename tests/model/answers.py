"""What each answer of Discord's leads to: what the bot hears, and what it owes the database for that."""

from __future__ import annotations

from typing import Any

from shared.discord.errors import (
    RateLimitedError,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
)
from shared.models import DeliveryState, NotificationKind, RecipientKind
from tests.model.discord import PAUSE, Answer, Call
from tests.model.model import Model
from tests.model.requests import edited
from tests.model.state import Delivery

ANNOUNCEMENT = NotificationKind.ANNOUNCEMENT
FORBIDDEN, CLOSED_DMS, UNKNOWN_MESSAGE = 50013, 50007, 10008


def reach(model: Model, call: Call, answer: Answer) -> None:
    """Let a request reach Discord, if the answer says that it does."""
    if not answer.is_taken or call.is_taken or call.kind == "read":
        return
    call.is_taken = True
    if call.kind == "create" and call.delivery_id is not None:
        call.message_id = model.discord.create(call, now=model.now)
    elif call.message_id in model.shown:
        model.discord.edit(call)


def hear(model: Model, call: Call, told: Answer) -> None:
    """Let the bot hear an answer, and note what it owes for that."""
    run = call.run
    told = _possible(model, call, told)
    reach(model, call, told)
    if call.kind == "create" and call.delivery_id is not None:
        run.called.add(call.delivery_id)
        _owe_for_message(model, call, model.deliveries[call.delivery_id], told)
    elif call.kind == "edit":
        _owe_for_edit(model, call, told)
    else:
        _owe_for_look(model, call, told)
    match told:
        case Answer.REFUSED | Answer.GONE:
            call.answered.set_exception(RequestRejectedError("no", code=_code(model, call, told)))
        case Answer.POSTPONED:
            call.answered.set_exception(TemporarilyUnavailableError("not now"))
            run.failed = True
        case Answer.ASKED:
            call.answered.set_exception(TemporarilyUnavailableError("not now", retry_after=PAUSE))
            run.asked.add(PAUSE)
        case Answer.TOO_MANY:
            call.answered.set_exception(RateLimitedError("slower", retry_after=PAUSE, is_global=False))
            run.asked.add(PAUSE)
            model.paused.add(run.who)
        case Answer.LOST | Answer.TAKEN_LOST:
            call.answered.set_exception(UncertainResultError("no answer"))
            run.failed = True
        case _:
            call.answered.set_result(_result(model, call, told))


def _possible(model: Model, call: Call, told: Answer) -> Answer:
    """Return the nearest answer that such a request can have: a post that was deleted stays so, and direct messages can
    always be read."""
    can_be_blind = call.kind == "read" and call.channel_id not in model.conversations
    if told in (Answer.HELD, Answer.TAKEN_HELD) or (told is Answer.BLIND and not can_be_blind):
        told = Answer.YES
    if call.kind != "edit":
        return Answer.REFUSED if told is Answer.GONE else told
    return Answer.GONE if told.is_taken and call.message_id not in model.shown else told


def _code(model: Model, call: Call, told: Answer) -> int:
    if told is Answer.GONE:
        return UNKNOWN_MESSAGE
    one = model.deliveries.get(call.delivery_id) if call.delivery_id else None
    return CLOSED_DMS if one is not None and one.recipient[0] == RecipientKind.USER else FORBIDDEN


def _result(model: Model, call: Call, told: Answer) -> Any:
    if call.kind == "read":
        return [] if told is Answer.BLIND else model.discord.read(call)
    return call.message_id


def _owe_for_message(model: Model, call: Call, one: Delivery, told: Answer) -> None:
    run, row = call.run, model.rows[one.row_id]
    attempt, fresh = run.turns[one.id]
    still_mine = one.state is DeliveryState.SENDING and one.attempts == attempt
    if told is Answer.YES:
        assert call.message_id is not None
        run.messages[one.id] = call.message_id
        if row.what == ANNOUNCEMENT:
            run.posted.add(row.id)
        run.owed.append(("sent" if one.state is not DeliveryState.SENT else "too_late", one.id))
        return
    match told:
        case Answer.REFUSED if one.recipient[0] == RecipientKind.USER:
            line = "redirected" if fresh else "unclear"  # a try that may have been sent is looked for first
            run.aging = run.aging or not fresh
        case Answer.REFUSED:
            line = "failed"
        case Answer.POSTPONED | Answer.ASKED | Answer.TOO_MANY:
            line = "given_back" if fresh else "doubtful"
        case _:
            line = "unclear"
    run.owed.append((line if still_mine else "too_late", one.id))


def _owe_for_edit(model: Model, call: Call, told: Answer) -> None:
    run = call.run
    if told is Answer.YES and call.game_id is not None:
        run.edited[call.game_id] = call.revision
    for row in edited(model, call):
        match told:
            case Answer.YES:
                run.posted.add(row.id)
            case Answer.REFUSED:
                run.owed.append(("refused", row.id))
            case Answer.GONE:
                over = model.games[row.game_id].status.is_final or model.ledger(row.id)
                run.owed.append(("deleted" if over else "reposted", row.id))
    if told is Answer.GONE and call.game_id is not None:
        run.deleted.add(call.game_id)
    if told is Answer.GONE and call.message_id in model.shown:
        model.discord.delete(call.message_id)


def _owe_for_look(model: Model, call: Call, told: Answer) -> None:
    """An empty channel may be one that cannot be read, so nothing is sure of it; a conversation can always be read."""
    if told in (Answer.YES, Answer.BLIND, Answer.REFUSED):
        readable = call.channel_id in model.conversations or model.discord.knows(call.channel_id)
        sure = told is Answer.YES and readable
        call.run.looked.add((call.channel_id, sure))
