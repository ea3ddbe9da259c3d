"""Runs Kopf in its own thread with its own event loop.

In our event loop, Kopf would cancel our tasks when it ends, such as on a 503, and replace our signal handlers. A second
process was rejected: it needs a channel to us and twice the memory.
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

from controllers.kopf_handlers import Forget, Observe, build_registry
from controllers.resources.models import Resource
from shared import logs
from shared.errors import TransientError

STOP_TIMEOUT = 2.0
"""Seconds. After that Kopf's thread ends with the process."""
_CLOSE_DELAY = 0.1
"""Seconds for TLS connections to close after Kopf (https://docs.aiohttp.org, "Graceful shutdown")."""


async def watch(namespace: str, *, observe: Observe, forget: Forget) -> None:
    """Run Kopf until cancelled. It calls `observe` and `forget` in our event loop.

    Raises:
        TransientError: Kopf ended by itself.
    """
    our_loop = asyncio.get_running_loop()

    def observe_here(resource: Resource) -> None:
        _call(our_loop, partial(observe, resource))

    def forget_here(uid: str) -> None:
        _call(our_loop, partial(forget, uid))

    thread = _KopfThread(namespace, build_registry(observe=observe_here, forget=forget_here))
    try:
        await asyncio.shield(thread.ended)
    finally:
        thread.request_stop()
        _, late = await asyncio.wait({thread.ended}, timeout=STOP_TIMEOUT)
        if late:
            logs.get(component="kopf").warning("Kopf did not stop in time", action="kopf_late")


class _KopfThread:
    """`ended` fails with a TransientError when Kopf ends."""

    def __init__(self, namespace: str, registry: kopf.OperatorRegistry) -> None:
        self._namespace = namespace
        self._registry = registry
        self._our_loop = asyncio.get_running_loop()
        self._kopf_loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.ended: asyncio.Future[None] = self._our_loop.create_future()
        self.ended.add_done_callback(_retrieve_exception)
        context = contextvars.copy_context()  # so that Kopf's log records carry our fields
        threading.Thread(target=context.run, args=(self._run,), name="kopf", daemon=True).start()

    def request_stop(self) -> None:
        _call(self._kopf_loop, self._stop.set)

    def _run(self) -> None:
        problem = "Kopf ended by itself"
        try:
            with asyncio.Runner(loop_factory=lambda: self._kopf_loop) as runner:
                runner.run(self._operate())
        except Exception as error:  # reason: it crosses threads; Kopf has logged the traceback
            problem = f"Kopf ended: {str(error) or type(error).__name__}"
        finally:
            _call(self._our_loop, lambda: self._end(TransientError(problem)))

    async def _operate(self) -> None:
        _silence_signal_warning()
        asyncio.get_running_loop().set_exception_handler(_log_leftover_error)
        own_tasks = asyncio.all_tasks()
        stop = asyncio.ensure_future(self._stop.wait())
        tasks = await kopf.spawn_tasks(registry=self._registry, namespaces=[self._namespace], standalone=True)
        running = asyncio.ensure_future(kopf.run_tasks(tasks, ignored={*own_tasks, stop}))
        done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        running.cancel()  # else it waits many seconds for tasks that have nothing to do
        await asyncio.wait({running})
        await asyncio.sleep(_CLOSE_DELAY)
        for task in done - {stop}:
            task.result()

    def _end(self, error: TransientError) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call something in another thread's event loop, unless it has closed."""
    with suppress(RuntimeError):  # "Event loop is closed"
        loop.call_soon_threadsafe(callback)


def _retrieve_exception(ended: asyncio.Future[None]) -> None:
    if not ended.cancelled():
        ended.exception()  # else asyncio logs "exception was never retrieved" if we were cancelled first


def _silence_signal_warning() -> None:
    # Kopf warns at each start that it does not handle signals outside the main thread. That is what we want.
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


def _log_leftover_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # When Kopf ends it drops its tasks and their exceptions, which it has logged. The default handler would log the
    # tracebacks again when the tasks are garbage-collected.
    error = context.get("exception") or context.get("message")
    logs.get(component="kopf").debug("Kopf left an error behind", action="kopf_left_behind", error=str(error))
