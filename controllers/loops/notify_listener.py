"""Listens on its own connection for notifications of due rows, which only shorten the wait.

Each new connection wakes all loops too, because notifications may have been missed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from controllers.loops.base import wait_for_any
from shared import database, logs, metrics
from shared.errors import TransientError
from shared.schedule.notify import CHANNEL
from shared.settings import DatabaseSettings, Timing

PROBE_INTERVAL = 5.0
"""Seconds. Only a probe distinguishes an idle connection from a broken one."""


class NotifyListener:
    """Wakes the subscribed loops."""

    def __init__(self, settings: DatabaseSettings, timing: Timing) -> None:
        self._settings = settings
        self._timing = timing
        self._subscribers: set[asyncio.Event] = set()
        self._log = logs.get(component="notify_listener")
        self._connected = metrics.CONNECTED.labels("listen")

    def subscribe(self) -> asyncio.Event:
        """Return an event that each notification sets. The subscriber clears it."""
        event = asyncio.Event()
        self._subscribers.add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        """Stop setting an event."""
        self._subscribers.discard(event)

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
                await connection.add_listener(CHANNEL, self._wake_subscribers)
                self._connected.set(1)
                self._log.debug("Listening", action="listening")
                self._wake_subscribers()
                while not ended.is_set():
                    await database.check_writable(connection)
                    await wait_for_any(ended, timeout=PROBE_INTERVAL)
        finally:
            self._connected.set(0)
            connection.terminate()  # a graceful close could wait for a server that is gone
        raise TransientError("the database ended the LISTEN connection")

    def _wake_subscribers(self, *_notification: Any) -> None:
        for event in self._subscribers:
            event.set()
