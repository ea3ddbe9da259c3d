"""Random changes of the same rows at once, some of which die before their commit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.database import Sessions

Change = TypeVar("Change")


class CrashError(Exception):
    """The process dies before the commit."""


async def perform_at_once(
    sessions: Sessions,
    plans: Sequence[Sequence[tuple[Change, bool]]],
    perform: Callable[[AsyncSession, Change], Awaitable[Change | None]],
) -> list[Change]:
    """Perform all plans at once, each with a transaction for each change, and return what was committed.

    A change comes with whether its process dies before the commit. `perform` returns None if it changed nothing.
    """
    committed: list[Change] = []

    async def act(plan: Sequence[tuple[Change, bool]]) -> None:
        for change, crashes in plan:
            try:
                async with database.transaction(sessions) as session:
                    made = await perform(session, change)
                    if crashes:
                        raise CrashError
            except CrashError:
                continue
            if made is not None:
                committed.append(made)

    await asyncio.gather(*map(act, plans))
    return committed
