"""Counts the statements of an idle installation, as PostgreSQL's pg_stat_statements saw them.

It knows their text only, with numbers for parameters, and for constants unless the statement was prepared before. So
both are left out of its texts and of ours. A SHOW that was prepared is not counted, which is how connections are
probed.
"""

from __future__ import annotations

import re
from collections import Counter

from benchmarks.rows import Connection
from controllers.loops.sources import SOURCES
from shared import sql

PRELOADED = {"shared_preload_libraries": "pg_stat_statements"}
"""The setting that PostgreSQL starts with."""
_VALUE = re.compile(r"\$\d+|(?<!:):\w+|'[^']*'|\b\d+\b|\b(?:true|false|null)\b|(?<=extract\()\w+", re.IGNORECASE)
_COUNTS = """
    SELECT query, calls FROM pg_stat_statements
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1)
"""


async def reset(connection: Connection) -> None:
    """Count from now on; the connection is to another database than the one that is watched."""
    await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    await connection.execute("SELECT pg_stat_statements_reset()")


async def count_statements(connection: Connection, database: str) -> Counter[str]:
    """Return how often each statement ran in a database: ours by their names, others by their text."""
    names = {
        _shape(statement.text): name for subject in sql.subjects() for name, statement in sql.load(subject).items()
    }
    counts = Counter[str]()
    for query, calls in await connection.fetch(_COUNTS, database):
        shape = _shape(query)
        counts[names.get(shape, shape)] += calls
    return counts


def loop_queries(counts: Counter[str]) -> float:
    """Return the queries of the queue's loop that asked most; each table's loops have the same statements."""
    return max(
        sum(counts[f"{statement}_{source.rows}"] for statement in ("claim", "next_due")) / len(source.queues)
        for source in SOURCES.values()
    )


def _shape(statement: str) -> str:
    return " ".join(_VALUE.sub("?", statement).removesuffix(";").split())
