"""What every peer does for one reminder: send it to the Discord that responds at once, and commit its outcome.

The number of the reminder is the key of its outcome, so a reminder that is delivered twice fails to commit the second
time and is counted. A thread has a connection that it keeps, and an event loop has a pool.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Coroutine
from typing import Any

import asyncpg

from benchmarks.workers.discord import InstantDiscord
from shared.settings import DatabaseSettings, load

TABLES = """
CREATE TABLE reminder_outcome (
    reminder integer PRIMARY KEY, committed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE reminder_double (reminder integer NOT NULL);
"""
"""The outcomes, and what was delivered again. The statement that is committed reads the clock, as Questbell's does."""

_CHANNELS = 2_500
_PLAYERS = 4
_discord = InstantDiscord()
_of_thread = threading.local()


def dsn() -> str:
    """Return the URL of the database, without SQLAlchemy's driver."""
    return load(DatabaseSettings).url.get_secret_value().replace("+asyncpg", "", 1)


def deliver(reminder: int) -> None:
    """Deliver a reminder from a thread."""
    import psycopg

    _complete(_send(reminder))
    connection = _connection()
    try:
        connection.execute("INSERT INTO reminder_outcome (reminder) VALUES (%s)", (reminder,))
    except psycopg.errors.UniqueViolation:
        connection.execute("INSERT INTO reminder_double (reminder) VALUES (%s)", (reminder,))


def pool(size: int) -> asyncpg.Pool[Any]:
    """Return a pool of connections for `deliver_async`, to be opened on the event loop."""
    return asyncpg.create_pool(dsn(), min_size=1, max_size=size, reset=_keep)


async def _keep(_connection: object) -> None:
    """Reset nothing after a use: a round trip for each reminder, and no session has anything to reset."""


async def deliver_async(reminder: int, connections: asyncpg.Pool[Any]) -> None:
    """Deliver a reminder on an event loop."""
    await _send(reminder)
    try:
        await connections.execute("INSERT INTO reminder_outcome (reminder) VALUES ($1)", reminder)
    except asyncpg.UniqueViolationError:
        await connections.execute("INSERT INTO reminder_double (reminder) VALUES ($1)", reminder)


async def _send(reminder: int) -> int:
    players = [1_000_000 + reminder * _PLAYERS + seat for seat in range(_PLAYERS)]
    text = " ".join(
        [*(f"<@{player}>" for player in players), f"**The {reminder}th Night of the Sunken Keep** starts in 2 hours."]
    )
    payload = {"content": text, "allowed_mentions": {"parse": [], "users": list(map(str, players))}}
    return await _discord.create_message(10_000 + reminder % _CHANNELS, payload, nonce=str(reminder))


def _complete(sending: Coroutine[Any, Any, int]) -> None:
    """Run a coroutine that never waits: an event loop for each thread would be work that no user of threads has."""
    try:
        sending.send(None)
    except StopIteration:
        return
    raise RuntimeError("the instant Discord waited")


def _connection() -> Any:
    import psycopg

    # Checked by the process too: a pool of processes forks after the parent may have connected.
    if getattr(_of_thread, "process", None) != os.getpid():
        _of_thread.connection = psycopg.connect(dsn(), autocommit=True)
        _of_thread.process = os.getpid()
    return _of_thread.connection
