"""The changes of games themselves, which have no lines in docs/states.md: an action made them, or telling did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared.models import GameStatus, NotificationKind
from tests.model.ground import STATUS, Change
from tests.model.model import Model
from tests.model.rules.bot import is_ahead
from tests.model.run import Doing, Run
from tests.model.state import Game, difference


def observe_game(model: Model, change: Change, runs: Sequence[Run]) -> None:
    """Explain what became of a game, and let the model hold it.

    Raises:
        AssertionError: it cannot be explained.
    """
    assert change.after is not None, "a game was deleted"
    before = model.games.get(change.row_id)
    after = Game.read(change.after, players=before.players if before else ())
    run = next((run for run in runs if _explains(model, before, after, run)), None)
    assert run is not None, f"nothing explains {difference(before, after)}, while {runs}"
    if run.doing is Doing.CHANGE and run.game is not None:
        after = replace(run.game, id=after.id)
        run.know(after)
    elif before is not None and before.status is not after.status:
        run.turned[after.id] = (run.turned.get(after.id, (before.status,))[0], after.status)
    model.games[after.id] = after
    model.history.setdefault(after.id, []).append((model.now, after))


def _explains(model: Model, before: Game | None, after: Game, run: Run) -> bool:
    if run.doing is Doing.CHANGE and run.game is not None:
        return replace(run.game, id=after.id, players=()) == replace(after, players=())
    return before is not None and _may_become(model, before, after, run)


def _may_become(model: Model, before: Game, after: Game, run: Run) -> bool:
    """Whether telling may make that of a game: a status that was due, or another post."""
    mine = [model.rows[row_id] for row_id in run.rows if row_id in model.rows]
    mine = [row for row in mine if row.game_id == before.id]
    targets = {row.what for row in mine if row.table == STATUS and row.is_open and row.version == before.version}
    turned = [
        replace(before, status=GameStatus(target), revision=before.revision + 1)
        for target in targets
        if is_ahead(target, before.status)
    ]
    announced = [row for row in mine if row.what == NotificationKind.ANNOUNCEMENT and row.is_open]
    posts: set[int | None] = {one.message_id for row in announced for one in model.ledger(row.id) if one.message_id}
    if before.id in run.deleted:
        posts.add(None)
    return after in turned or after in [replace(before, message_id=post) for post in posts]
