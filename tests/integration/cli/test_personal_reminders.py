"""`trace` and `recover` know the reminders of one player."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.consumers.handler import EventHandler
from cli.commands.recover.command import recover
from cli.commands.trace.command import trace
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared import users
from shared.messaging.envelope import PersonalReminderDue
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from shared.schedule.personal import SNOOZE, snooze_reminder
from shared.schedule.populate import lock_game
from tests.integration.cli.conftest import Run
from tests.integration.cli.test_recover import an_hour_ago, channel, handle, restore, state
from tests.support.builders import make_due, new_game, rows_of
from tests.support.database import Database

__all__ = ["channel", "handle"]
"""Fixtures."""


async def snooze(database: Database, game: Game, user: int) -> NotificationSchedule:
    """Snooze the game's reminder for a user, so that the next one was due a moment ago."""
    async with db.transaction(database.sessions) as session:
        locked = await lock_game(session, game.id)
        await snooze_reminder(session, locked, user_id=user, delay=timedelta(minutes=15))
    rows = await rows_of(database.sessions, game, NotificationKind.PERSONAL_REMINDER)
    [row] = [row for row in rows if (row.user_id, row.reason) == (user, SNOOZE)]
    await make_due(database.sessions, row, ago=timedelta(seconds=2))
    return row


def event_of(row: NotificationSchedule) -> PersonalReminderDue:
    return PersonalReminderDue(row_id=row.id, game_id=row.game_id)


async def test_the_trace_says_why_there_is_one_and_for_whom(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    mia = discord.world.user("Mia").id
    async with db.transaction(database.sessions) as session:
        await users.change_own_settings(session, mia, extra_offset_minutes=90)
    game = await new_game(database.sessions, channel_id=channel, players=(mia,))
    await handle(event_of(await snooze(database, game, mia)))
    rows = (await run(trace, str(game.id), as_json=True)).document["rows"]
    states = {row["label"]: row["explanation"]["state"] for row in rows if row["label"].startswith("personal")}
    assert states == {
        f"personal_reminder (snooze) for user {mia}": "delivered",
        f"personal_reminder (extra) for user {mia}": "waiting",
    }
    [extra] = [row for row in rows if "(extra)" in row["label"]]
    assert extra["expires_at"] is not None


@pytest.mark.parametrize("in_channel", [True, False], ids=["in the channel", "as a direct message"])
async def test_after_a_restore_it_is_found_by_whom_it_mentions_or_given_up_as_a_direct_message(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int, in_channel: bool
) -> None:
    mia, jonas = (discord.world.user(name).id for name in ("Mia", "Jonas"))
    game = await new_game(database.sessions, channel_id=channel, players=(mia, jonas))
    if not in_channel:
        async with db.transaction(database.sessions) as session:
            await users.set_dm_preference(session, mia, wants_dm=True)
    sent = await snooze(database, game, mia)
    await handle(event_of(sent))
    unsent = await snooze(database, game, jonas)
    await restore(database)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    outcome, _ = await state(database, sent)
    assert outcome is (Outcome.DELIVERED if in_channel else Outcome.UNDELIVERABLE)
    outcome, detail = await state(database, unsent)
    assert outcome is Outcome.UNDELIVERABLE
    assert "it may be a direct message" in (detail or "")
