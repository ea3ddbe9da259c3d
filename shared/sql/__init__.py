"""The hot statements as plain SQL. SQLAlchemy's expressions were rejected: nobody sees what runs.

`psql` runs them after `\\set name value`. A statement starts with a line such as `-- name: claim_notifications`, and
comments with its purpose and index. Write casts as `CAST(:ids AS uuid[])`, because `::` after a parameter is not read
as a cast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from sqlalchemy import TextClause, text

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)


@cache
def load(subject: str) -> Mapping[str, TextClause]:
    """Return the statements of `<subject>.sql` by name, without their comments, which may name parameters."""
    source = (files(__package__) / f"{subject}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(source)
    return {name: text(_COMMENT.sub("", body).strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def subjects() -> list[str]:
    """Return the names that `load` accepts."""
    names = (file.name for file in files(__package__).iterdir())
    return sorted(name.removesuffix(".sql") for name in names if name.endswith(".sql"))


def lock_variants(statement: TextClause) -> dict[bool, str]:
    """Return a statement that skips locked rows, and one that waits, by whether it waits."""
    skipping = statement.text
    return {False: skipping, True: skipping.replace(" SKIP LOCKED", "")}
