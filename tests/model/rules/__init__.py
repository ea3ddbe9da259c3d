"""The rules of the model, one for each line of docs/states.md, in a book for each of its tables."""

from __future__ import annotations

from tests.model.rules import bot, posts  # they enter their rules
from tests.model.rules.ledger import LEDGER_RULES
from tests.model.rules.schedule import SCHEDULE_RULES

__all__ = ["LEDGER_RULES", "SCHEDULE_RULES", "bot", "posts"]
