"""How a workload lives: its tasks are owned, watched, restarted with backoff, and ended in order on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from shared import logs
from shared.errors import ConfigurationError, QuestbellError, raise_if_cancelled
from shared.schedule.retry import Backoff

EX_CONFIG = 2
"""The exit code of a configuration mistake."""


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program to its end; what it cannot go on without is said on standard error, without a traceback.

    Exit code 2 is a configuration mistake, 1 any other error that is ours.
    """
    try:
        uvloop.run(main)
    except QuestbellError as error:
        sys.stderr.write(f"questbell: {error}\n")
        sys.exit(EX_CONFIG if isinstance(error, ConfigurationError) else 1)


async def until_signalled(work: Callable[[], Awaitable[None]]) -> None:
    """Do the work until it ends by itself or SIGTERM or SIGINT asks to stop, which cancels it and waits."""
    task = asyncio.ensure_future(work())
    loop = asyncio.get_running_loop()
    asked = False

    def stop(number: signal.Signals) -> None:
        nonlocal asked
        asked = True
        logs.get().info("Stopping", action="stopping", signal=number.name)
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not asked:
            raise
    except BaseExceptionGroup as group:
        mistake = _first(group, QuestbellError)
        raise mistake if mistake is not None else group from None
    logs.get().info("Stopped", action="stopped")


async def keep_running(name: str, work: Callable[[], Awaitable[None]], *, backoff: Backoff) -> None:
    """Run a task again, with growing delays, whenever it ends or fails. Only a configuration mistake is passed on.

    An unexpected exception is logged with its traceback: it is our bug, and the other tasks need not die of it.
    """
    log = logs.get(task=name)
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started, asked = loop.time(), 0.0
        try:
            await work()
            log.warning("Ended by itself", action="task_ended")
        except ConfigurationError:
            raise
        except QuestbellError as error:
            log.warning(str(error), action="task_failed")
            asked = getattr(error, "retry_after", None) or 0.0
        except Exception:  # reason: the owner of a task notices its death, says so and starts it again
            log.exception("Died", action="task_died")
        raise_if_cancelled()
        failures = 1 if loop.time() - started > backoff.longest else failures + 1
        await asyncio.sleep(max(asked, backoff.delay(failures)))


def _first(group: BaseExceptionGroup[BaseException], kind: type[QuestbellError]) -> QuestbellError | None:
    matching = group.subgroup(kind)
    while isinstance(matching, BaseExceptionGroup):
        found = matching.exceptions[0]
        if isinstance(found, kind):
            return found
        matching = found if isinstance(found, BaseExceptionGroup) else None
    return None
