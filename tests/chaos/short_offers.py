"""Offers of seats that end within a scenario: of their minute, two seconds are left.

Hosts set the time in minutes. Triggers shorten it when it is written, in the seat and in the row that ends the offer
alike, so that each player of a waitlist has as little time as the first. A shorter unit in the product would be for
tests alone.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SHORTENED_BY = 58
"""Seconds. The run waits for what is due in two seconds, so that no offer is open at its end."""
_INSTALL = (
    f"""
    CREATE FUNCTION chaos_shorten_offer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.offered_until := NEW.offered_until - interval '{_SHORTENED_BY} seconds';
        RETURN NEW;
    END $$
    """,
    f"""
    CREATE FUNCTION chaos_shorten_offer_end() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.due_at := NEW.due_at - interval '{_SHORTENED_BY} seconds';
        NEW.attempt_at := NEW.due_at;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER chaos_offer BEFORE INSERT OR UPDATE OF offered_until ON participant
    FOR EACH ROW WHEN (NEW.offered_until IS NOT NULL) EXECUTE FUNCTION chaos_shorten_offer()
    """,
    """
    CREATE TRIGGER chaos_offer_end BEFORE INSERT ON notification_schedule
    FOR EACH ROW WHEN (NEW.kind = 'offer_end') EXECUTE FUNCTION chaos_shorten_offer_end()
    """,
)


async def install(connection: AsyncConnection) -> None:
    """Shorten the offers of a migrated database from now on."""
    for statement in _INSTALL:
        await connection.execute(text(statement))
