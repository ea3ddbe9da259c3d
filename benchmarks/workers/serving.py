"""A process of the benchmark, from inside: it responds to JSON lines until its input ends.

Every process also reports its processor time and a profile.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.workers.profiler import Profile

Answer = Mapping[str, Any]
Command = Callable[..., Awaitable[Answer | None]]
Run = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


async def serve(commands: Mapping[str, Command], *, engine: AsyncEngine | None = None) -> None:
    """Handle requests one after another; a profile counts the statements of `engine`."""
    known = {**commands, **_common(engine)}
    requests = await _standard_input()
    while line := await requests.readline():
        request = json.loads(line)
        answer = await known[request.pop("what")](**request)
        sys.stdout.write(json.dumps(answer or {}) + "\n")
        sys.stdout.flush()


@asynccontextmanager
async def background() -> AsyncIterator[Run]:
    """Run tasks during a block; a failed task ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []

        def run(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            tasks.append(group.create_task(work))
            return tasks[-1]

        yield run
        for task in tasks:
            task.cancel()


def _common(engine: AsyncEngine | None) -> dict[str, Command]:
    profile = Profile(engine)

    async def usage() -> Answer:
        return {"cpu_seconds": time.process_time()}

    async def start_profile() -> None:
        profile.start()

    async def stop_profile() -> Answer:
        return profile.stop()

    return {"usage": usage, "start_profile": start_profile, "stop_profile": stop_profile}


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader
