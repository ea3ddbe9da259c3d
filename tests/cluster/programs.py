"""Programs that the tests run with a time limit: kubectl, helm, docker, kind."""

from __future__ import annotations

import asyncio
import shlex


class ProgramError(Exception):
    """A program failed or took too long; the message is its output."""


async def run(*command: str, stdin: str = "", within: float) -> str:
    """Run a program and return what it printed; `within` is in seconds.

    Raises:
        ProgramError: it is missing, failed, or took too long.
    """
    named = shlex.join(command)[:200]
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ProgramError(f"{command[0]} could not be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(within):
            printed, said = await child.communicate(stdin.encode())
    except TimeoutError:
        raise ProgramError(f"{named}: took more than {within:.0f} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise ProgramError(f"{named}: {said.decode(errors='replace').strip()}")
    return printed.decode(errors="replace")
