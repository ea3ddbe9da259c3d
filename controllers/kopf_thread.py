"""Kopf in a thread of its own, with an event loop of its own.

Embedded in our event loop it would take us along when it ends, which it does on a 503: it cancels every task that was
created after it started, and those are our loops; and it replaces our handlers of SIGTERM and SIGINT. In another
thread it has no others' tasks to cancel, and leaves signals alone. A second process would need a way for it to talk to
us, and twice the memory.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import kopf

from controllers import operator
from controllers.resources.models import Resource
from shared import logs
from shared.errors import TransientError

STOP_TIMEOUT = 2.0
"""Seconds for Kopf to end when asked to; after them it is left behind, and ends with the process."""
_CLOSING = 0.1
"""Seconds for TLS connections to close behind Kopf's back (https://docs.aiohttp.org, "Graceful shutdown")."""


async def watch(namespace: str, *, observe: operator.Observe, forget: operator.Forget) -> None:
    """Run Kopf until cancelled; `observe` and `forget` are called in our own event loop.

    Raises:
        TransientError: Kopf ended by itself.
    """
    ours = asyncio.get_running_loop()

    def observed(resource: Resource) -> None:
        _call(ours, partial(observe, resource))

    def forgotten(uid: str) -> None:
        _call(ours, partial(forget, uid))

    thread = _KopfThread(namespace, operator.registry(observe=observed, forget=forgotten))
    try:
        await asyncio.shield(thread.ended)
    finally:
        thread.ask_to_stop()
        _, late = await asyncio.wait({thread.ended}, timeout=STOP_TIMEOUT)
        if late:
            logs.get(component="kopf").warning("Kopf did not end in time", action="kopf_late")


class _KopfThread:
    """A running Kopf. `ended` fails with a TransientError when Kopf ends."""

    def __init__(self, namespace: str, registry: kopf.OperatorRegistry) -> None:
        self._namespace = namespace
        self._registry = registry
        self._ours = asyncio.get_running_loop()
        self._theirs = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.ended: asyncio.Future[None] = self._ours.create_future()
        self.ended.add_done_callback(_seen)
        context = contextvars.copy_context()  # so that Kopf's log records carry our fields
        threading.Thread(target=context.run, args=(self._run,), name="kopf", daemon=True).start()

    def ask_to_stop(self) -> None:
        """Ask Kopf to end, if it still runs."""
        _call(self._theirs, self._stop.set)

    def _run(self) -> None:
        problem = "Kopf ended by itself"
        try:
            with asyncio.Runner(loop_factory=lambda: self._theirs) as runner:
                runner.run(self._operate())
        except Exception as error:  # reason: it crosses threads; Kopf has logged its traceback
            problem = f"Kopf ended: {str(error) or type(error).__name__}"
        finally:
            _call(self._ours, lambda: self._end(TransientError(problem)))

    async def _operate(self) -> None:
        _quieten()
        asyncio.get_running_loop().set_exception_handler(_note_left_behind)
        ours = asyncio.all_tasks()
        stop = asyncio.ensure_future(self._stop.wait())
        tasks = await kopf.spawn_tasks(registry=self._registry, namespaces=[self._namespace], standalone=True)
        running = asyncio.ensure_future(kopf.run_tasks(tasks, ignored={*ours, stop}))
        done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        running.cancel()  # else it gives what is left many seconds in which that waits for nothing
        await asyncio.wait({running})
        await asyncio.sleep(_CLOSING)
        for task in done - {stop}:
            task.result()

    def _end(self, error: TransientError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call something in another thread's event loop, unless that has ended."""
    with suppress(RuntimeError):  # "Event loop is closed": nobody is left to be told
        loop.call_soon_threadsafe(callback)


def _seen(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()  # so that nobody complains of an exception never retrieved when we were cancelled first


def _quieten() -> None:
    # It warns at each start that it does not handle signals outside of the main thread, which is what we want.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


def _note_left_behind(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # When it ends it drops its tasks with their exceptions, which it has logged. The default handler would log their
    # tracebacks again, at whatever moment they are collected as garbage.
    error = context.get("exception") or context.get("message")
    logs.get(component="kopf").debug("Left behind by Kopf", action="kopf_left_behind", error=str(error))
