"""The SQL files: a statement that fills a model lists its columns in order, and a lock is waited for or skipped."""

from __future__ import annotations

import re

import pytest

from bot.notifications.rows import Delivery, DueNotification
from shared import sql
from shared.models import Game, GameStatusSchedule
from shared.models.base import Base

FILLED: dict[tuple[str, str], type[Base | DueNotification | Delivery]] = {
    ("delivery", "lock_games"): Game,
    ("delivery", "lock_games_to_change"): Game,
    ("delivery", "open_notifications"): DueNotification,
    ("delivery", "open_transitions"): GameStatusSchedule,
    ("delivery", "deliveries"): Delivery,
    ("schedule", "unseen_warnings"): Game,
}


@pytest.mark.parametrize(("file", "name"), FILLED)
def test_a_statement_that_fills_a_class_lists_its_columns_in_order(file: str, name: str) -> None:
    filled = FILLED[file, name]
    columns = [column.name for column in filled.__table__.columns] if issubclass(filled, Base) else filled._fields
    statement = sql.load(file)[name].text
    select = re.sub(r"--.*", "", statement).partition("SELECT")[2]
    listed = [column.strip().removeprefix("game.") for column in select.split(",")[: len(columns)]]
    assert [column.partition("\n")[0] for column in listed] == [*columns]


@pytest.mark.parametrize("name", ["lock_games", "lock_games_to_change"])
def test_a_statement_that_waits_for_locks_differs_only_in_that(name: str) -> None:
    variants = sql.lock_variants(sql.load("delivery")[name])
    assert "SKIP LOCKED" in variants[False]
    assert variants[True] == variants[False].replace(" SKIP LOCKED", "")
