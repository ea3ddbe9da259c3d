"""Create games whose reminders are due one after another, by the product's own actions; runs in a pod of the bot.

The games are not announced: hundreds of posts at once would delay the reminders.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database
from shared.games import NewGame, create_game
from shared.models import Participant
from shared.settings import DatabaseSettings, Timing, load

UNWANTED = (
    "DELETE FROM notification_schedule USING game WHERE game.id = game_id AND kind <> 'reminder' AND title LIKE :name"
)
OFFSET = 30
"""Minutes from the reminder to the start; nothing else happens to these games during a test."""


async def _create(session: AsyncSession, plan: dict[str, Any], number: int, due_in: float) -> dict[str, Any]:
    due_at = plan["now"] + timedelta(seconds=due_in)
    title = f"{plan['name']} {number:04d}"
    new = NewGame(
        guild_id=plan["guild"],
        channel_id=plan["channels"][number % len(plan["channels"])],
        host_id=plan["player"],
        title=title,
        scheduled_at=due_at + timedelta(minutes=OFFSET),
        zone="Europe/Berlin",
        duration=timedelta(hours=3),
        reminder_offsets=(OFFSET,),
    )
    game = await create_game(session, new)
    session.add(Participant(game_id=game.id, user_id=plan["player"]))
    return {"title": title, "due_at": due_at.timestamp()}


async def main(plan: dict[str, Any]) -> None:
    """Create all in one transaction, and print what is due when."""
    settings = load(DatabaseSettings)
    async with (
        database.engine(settings, application_name="cluster tests", timing=Timing()) as engine,
        database.transaction(database.sessions(engine)) as session,
    ):
        plan["now"] = await database.now(session)
        due_in = [plan["first"] + number // plan["together"] * plan["every"] for number in range(plan["count"])]
        reminders = [await _create(session, plan, number, seconds) for number, seconds in enumerate(due_in)]
        await session.execute(text(UNWANTED), {"name": f"{plan['name']} ____"})
    print(json.dumps(reminders))


asyncio.run(main(json.loads(sys.argv[1])))
