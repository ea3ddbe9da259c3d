"""Runs a workload's tasks, restarts them with backoff, and ends them in order on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from shared import logs
from shared.errors import ConfigurationError, QuestbellError, reraise_cancellation
from shared.liveness import watch_event_loop
from shared.schedule.retry import Backoff

EX_CONFIG = 2
"""The exit code of a configuration mistake."""
_GARBAGE_THRESHOLD = 50_000
"""New objects between two searches for reference cycles. There are few cycles, and with Python's default of 700 the
searches took a third of the processor time of a delivery."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program. Our errors go to standard error in one line.

    The exit code is 2 for a configuration mistake and 1 for our other errors.
    """
    gc.freeze()  # what is imported is no garbage, and need not be searched
    gc.set_threshold(_GARBAGE_THRESHOLD)
    try:
        uvloop.run(main)
    except QuestbellError as error:
        sys.stderr.write(f"questbell: {error}\n")
        sys.exit(EX_CONFIG if isinstance(error, ConfigurationError) else 1)


async def run_until_signalled(work: Callable[[], Awaitable[None]]) -> None:
    """Run `work`. SIGTERM or SIGINT cancels it, and a watchdog ends a process whose event loop hangs.

    Raises:
        QuestbellError: the first error of ours, if `work` ended with a group of exceptions.
    """
    task = asyncio.ensure_future(work())
    watchdog = asyncio.ensure_future(watch_event_loop())
    loop = asyncio.get_running_loop()
    signalled = False

    def stop(number: signal.Signals) -> None:
        nonlocal signalled
        signalled = True
        logs.get().info("Stopping", action="stopping", signal=number.name)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not signalled:
            raise
    except BaseExceptionGroup as group:
        raise _first_of_ours(group) from None
    finally:
        watchdog.cancel()
    logs.get().info("Stopped", action="stopped")


async def run_forever(name: str, work: Callable[[], Awaitable[None]], *, backoff: Backoff) -> None:
    """Run a task, and restart it with growing delays whenever it ends.

    An unexpected exception is our bug: its traceback is logged, and other tasks go on.

    Raises:
        ConfigurationError: waiting does not help.
    """
    log = logs.get(task=name)
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started, retry_after = loop.time(), 0.0
        try:
            await work()
            log.warning("Ended by itself", action="task_ended")
        except ConfigurationError:
            raise
        except QuestbellError as error:
            log.warning(str(error), action="task_failed")
            retry_after = getattr(error, "retry_after", None) or 0.0
        # reason: one task's bug must not end the others
        except Exception:
            log.exception("Died", action="task_died")
        reraise_cancellation()
        failures = 1 if loop.time() - started > backoff.longest else failures + 1
        await asyncio.sleep(max(retry_after, backoff.delay(failures)))


def _first_of_ours(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of ours, else the group."""
    ours = group.subgroup(QuestbellError)
    found: BaseException = ours or group
    while ours is not None and isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
