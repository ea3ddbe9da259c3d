"""Changes of large tables that do not make anybody wait.

Each step is a separate short transaction, and may be repeated: a migration that was killed continues with the first
step that is not done. A statement that needs a lock gives up soon, because everybody else would wait behind it, and the
revision is repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op

BATCH = 5_000
"""Rows of one transaction that fills a column. Their locks are held for some tens of milliseconds."""


@contextmanager
def step_by_step() -> Iterator[None]:
    """Commit each statement of a block at once."""
    with op.get_context().autocommit_block():
        yield


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Add a column that is nullable or has a constant default, which rewrites nothing."""
    op.add_column(table, column, if_not_exists=True)


def fill_column(table: str, column: str, value: str) -> None:
    """Set a column where it is NULL, in batches by primary key. `value` is an SQL expression over `row`."""
    fill = sa.text(
        f"""
        WITH batch AS MATERIALIZED (
            SELECT id FROM {table} WHERE id > :after ORDER BY id LIMIT {BATCH}
        ), filled AS (
            UPDATE {table} AS row SET {column} = {value}
            WHERE id = ANY(ARRAY(SELECT id FROM batch)) AND {column} IS NULL
        )
        SELECT max(id::text)::uuid FROM batch
        """  # noqa: S608 -- the names are ours
    ).columns(sa.Column("after", sa.Uuid()))
    after: Any = "00000000-0000-0000-0000-000000000000"
    while after is not None:
        after = op.get_bind().execute(fill, {"after": after}).scalar_one()


def require_column(table: str, column: str) -> None:
    """Make a column NOT NULL. A constraint finds the rows without it while others write; the last step reads no row."""
    constraint = f"ck_{table}_{column}_is_set"
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} CHECK ({column} IS NOT NULL) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")
    op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL")
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


def allow_values(table: str, column: str, *values: str) -> None:
    """Replace the constraint of a column that has one of some values. The rows are checked while others write."""
    constraint = op.f(f"ck_{table}_{column}")
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint}")
    op.create_check_constraint(constraint, table, sa.column(column).in_(values), postgresql_not_valid=True)
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")


def create_index(
    name: str, table: str, columns: Sequence[str], *, unique: bool = False, where: str | None = None
) -> None:
    """Create an index while others write. One that was left unfinished is replaced."""
    op.execute("SET lock_timeout = 0")  # it waits for old transactions, and nobody waits for it
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    kind = "UNIQUE INDEX" if unique else "INDEX"
    rows = "" if where is None else f" WHERE {where}"
    op.execute(f"CREATE {kind} CONCURRENTLY {name} ON {table} ({', '.join(columns)}){rows}")
    op.execute(SHORT_LOCKS)


def drop_index(name: str) -> None:
    """Drop an index while others write."""
    op.execute("SET lock_timeout = 0")
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    op.execute(SHORT_LOCKS)


def replace_index(name: str, table: str, columns: Sequence[str], *, unique: bool = False, where: str) -> None:
    """Create an index in place of the one of the same name, which serves until then."""
    create_index(f"{name}_new", table, columns, unique=unique, where=where)
    op.execute(f"DO $$ BEGIN DROP INDEX IF EXISTS {name}; ALTER INDEX {name}_new RENAME TO {name}; END $$")


SHORT_LOCKS = "SET lock_timeout = '1s'"
"""A statement that waits for a lock makes all later ones on that table wait too. It is set on each connection."""
