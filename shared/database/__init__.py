"""Access to PostgreSQL, and the translation of driver errors into ours."""

from __future__ import annotations

from shared.database.connection import check_writable, connect
from shared.database.errors import translated
from shared.database.pool import Sessions, engine, now, ping, require_writable, sessions, transaction

__all__ = [
    "Sessions",
    "check_writable",
    "connect",
    "engine",
    "now",
    "ping",
    "require_writable",
    "sessions",
    "transaction",
    "translated",
]
