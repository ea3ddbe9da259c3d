"""The hot statements of Questbell as plain SQL: one file a subject, each statement with a name and a line of purpose.

They can be pasted into `psql`: `:name` is a parameter there too, after `\\set name value`. Building them with
SQLAlchemy's expression language was rejected, because nobody could see or EXPLAIN what runs.

A statement begins with a line `-- name: claim_notifications`, followed by comment lines that say what it is for. Write
casts as `CAST(:ids AS uuid[])`: `::` after a parameter is not read as a cast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load(subject: str) -> Mapping[str, TextClause]:
    """Return the statements of `<subject>.sql` by name."""
    source = (files(__package__) / f"{subject}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(source)
    return {name: text(body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
