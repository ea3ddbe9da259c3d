"""The recorded answers to interactions.

Discord can deliver an interaction twice, also to two processes or after a restart. The transaction that has the effect
records the answer, so the second delivery changes nothing and shows the same.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from shared import sql
from shared.discord.ids import created_at, first_id_at

RETENTION = timedelta(days=1)
"""Discord forgets an interaction after 15 minutes."""

_SQL = sql.load("interactions")


async def find_answer(session: AsyncSession, interaction_id: int) -> str | None:
    """Return the recorded answer. None means that this transaction has to answer, and others wait for it."""
    parameters = {"interaction_id": interaction_id}
    is_first = (await session.execute(_SQL["begin_interaction"], parameters)).scalar_one_or_none() is not None
    return None if is_first else (await session.execute(_SQL["read_answer"], parameters)).scalar_one()


async def record_answer(session: AsyncSession, interaction_id: int, answer: str) -> None:
    """Record the answer to an interaction, and forget some old ones."""
    await session.execute(_SQL["record_answer"], {"interaction_id": interaction_id, "answer": answer})
    await session.execute(_SQL["purge_answers"], {"before": first_id_at(created_at(interaction_id) - RETENTION)})
