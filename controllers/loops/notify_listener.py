"""Listens for the hint that something became due, on a connection of its own.

The hint saves waiting and is never relied on. Whenever the connection is made anew the loops are woken too, since hints
may have been missed meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from controllers.loops.base import wait_or_event
from shared import database, logs, metrics
from shared.errors import TransientError
from shared.schedule.notify import CHANNEL
from shared.settings import DatabaseSettings, Timing

PROBE_INTERVAL = 5.0
"""Seconds between questions to the database: nothing else tells a quiet connection from one that was cut off."""
PROBE_TIMEOUT = 2.0


class NotifyListener:
    """Wakes every subscribed loop when something becomes due."""

    def __init__(self, settings: DatabaseSettings, timing: Timing) -> None:
        self._settings = settings
        self._timing = timing
        self._sleepers: set[asyncio.Event] = set()
        self._log = logs.get(component="notify_listener")
        self._connected = metrics.CONNECTED.labels("listen")

    def subscribe(self) -> asyncio.Event:
        """Return an event that is set at each hint; its loop clears it, and gives it back to `unsubscribe`."""
        event = asyncio.Event()
        self._sleepers.add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        """Forget a loop that has ended."""
        self._sleepers.discard(event)

    async def run(self) -> None:
        """Listen until the connection ends.

        Raises:
            TransientError: the database cannot be reached or ended the connection.
        """
        with database.translated():
            connection = await database.connect(
                self._settings, application_name="questbell notify listener", timing=self._timing
            )
        ended = asyncio.Event()
        connection.add_termination_listener(lambda _connection: ended.set())
        try:
            with database.translated():
                await connection.add_listener(CHANNEL, self._hint)
                self._connected.set(1)
                self._log.debug("Listening", action="listening")
                self._wake()
                while not ended.is_set():
                    await connection.execute("SELECT 1", timeout=PROBE_TIMEOUT)
                    await wait_or_event(ended, timeout=PROBE_INTERVAL)
        finally:
            self._connected.set(0)
            with suppress(*database.UNAVAILABLE):
                await connection.close(timeout=1.0)
        raise TransientError("the database ended the LISTEN connection")

    def _hint(self, *_of: Any) -> None:
        self._wake()

    def _wake(self) -> None:
        for event in self._sleepers:
            event.set()
