"""A NOTIFY for due rows, sent in the transaction that writes them. It only shortens the wait."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

CHANNEL = "questbell_due"


async def notify_loops(session: AsyncSession) -> None:
    """Wake the scheduler loops when this transaction commits."""
    await session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
