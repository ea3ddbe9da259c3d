"""What the bot may ask of Discord, judged by the moment at which the request reaches us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.models import DeliveryState, NotificationKind, RecipientKind
from tests.model.discord import Call
from tests.model.model import Model
from tests.model.rules.book import At
from tests.model.rules.bot import holds
from tests.model.run import Run
from tests.model.state import Delivery, Game, Row

ANNOUNCEMENT = NotificationKind.ANNOUNCEMENT


def check(model: Model, call: Call) -> tuple[object, ...]:
    """Judge a request by the moment at which it reaches us, right after the commit that allowed it; return its place
    among others."""
    match call.kind:
        case "create":
            one = model.deliveries.get(call.delivery_id) if call.delivery_id else None
            assert one is not None, "a message has no committed row in the ledger"
            _check_create(model, call, one)
            return (*model.rank(one.row_id), one.chunk, one.recipient)
        case "edit":
            rows = edited(model, call)
            assert rows, "a message is edited that shows no game"
            _check_post(model, call, rows[0])
            return model.rank(rows[0].id)
        case _:
            sought = _sought(model, call)
            assert sought, "there is nothing to look for"
            return model.rank(sought[0].row_id)


def _sought(model: Model, call: Call) -> list[Delivery]:
    """Return the recipients whose old tries may be looked for in a channel."""
    at = At(model, call.run)
    lost = [
        one for row in told_by(model, call.run) for one in model.sending(row.id) if at.is_old(one) and at.is_quiet(one)
    ]
    return [one for one in lost if model.channel_of(one) == call.channel_id]


def _check_create(model: Model, call: Call, one: Delivery) -> None:
    run = call.run
    row, at = model.rows[one.row_id], At(model, run)
    attempt, _ = run.turns.get(one.id, (None, False))
    assert one.state is DeliveryState.SENDING, f"a message is sent while its row is {one.state}"
    assert attempt == one.attempts, f"a message is sent without a turn: {one}"
    assert one.id not in run.called, f"a message is sent twice in one turn: {one}"
    assert call.channel_id == model.channel_of(one), "a message is sent elsewhere"
    assert row.due_at <= model.now, f"told before its time: {row}"
    assert holds(row, at), f"told the wrong thing: {row}"
    if row.what == ANNOUNCEMENT:
        return _check_post(model, call, row)
    players, pings = set(model.games[row.game_id].players), _pings(call)
    if one.recipient[0] == RecipientKind.CHANNEL:
        assert pings == set(one.mentions) & players, f"{sorted(pings)} are pinged, of {one.mentions}"
    return None


def _check_post(model: Model, call: Call, row: Row) -> None:
    """A post shows its game as it is, or has been since the telling began."""
    states = model.states(row.game_id, call.run)
    shown = [game for game in states if _shows(call.payload, game)]
    assert shown, f"the post of {states} shows {call.payload}"
    call.revision, call.game_id = shown[-1].revision, row.game_id


def _shows(payload: Mapping[str, Any], game: Game) -> bool:
    words = [f"<t:{int(game.starts_at.timestamp())}:F>", game.status.replace("_", " ").capitalize()]
    words += [f"<@{player}>" for player in game.players] + [f"Players {len(game.players)}'"]
    return all(word in str(payload) for word in words)


def _pings(call: Call) -> set[int]:
    return {int(user) for user in call.payload["allowed_mentions"].get("users", ())}


def edited(model: Model, call: Call) -> list[Row]:
    """Return the open rows for which a post is edited."""
    shown = (game.id for game in model.games.values() if game.message_id == call.message_id)
    game_id = call.game_id or next(shown, None)
    rows = [row for row in told_by(model, call.run) if row.is_open and row.what == ANNOUNCEMENT]
    return [row for row in rows if row.game_id == game_id]


def told_by(model: Model, run: Run) -> list[Row]:
    return [model.rows[row_id] for row_id in run.rows if row_id in model.rows]
