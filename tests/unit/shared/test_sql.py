"""The SQL files: a statement that fills a model lists its columns in order, and a lock is waited for or skipped."""

from __future__ import annotations

import re

import pytest

from shared import sql
from shared.models import Game, GameStatusSchedule, NotificationDelivery, NotificationSchedule
from shared.models.base import Base

MODELS: dict[str, type[Base]] = {
    "lock_games": Game,
    "lock_games_to_change": Game,
    "open_notifications": NotificationSchedule,
    "open_transitions": GameStatusSchedule,
    "deliveries": NotificationDelivery,
}


@pytest.mark.parametrize("name", MODELS)
def test_a_statement_that_fills_a_model_lists_its_columns_in_order(name: str) -> None:
    columns = [column.name for column in MODELS[name].__table__.columns]
    statement = sql.load("delivery")[name].text
    select = re.sub(r"--.*", "", statement).partition("SELECT")[2]
    listed = [column.strip() for column in select.split(",")[: len(columns)]]
    assert [column.partition("\n")[0] for column in listed] == columns


@pytest.mark.parametrize("name", ["lock_games", "lock_games_to_change"])
def test_a_statement_that_waits_for_locks_differs_only_in_that(name: str) -> None:
    variants = sql.lock_variants(sql.load("delivery")[name])
    assert "SKIP LOCKED" in variants[False]
    assert variants[True] == variants[False].replace(" SKIP LOCKED", "")
