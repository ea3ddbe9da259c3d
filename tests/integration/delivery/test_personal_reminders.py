"""Extra and snoozed reminders reach their player alone, where that player is reminded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from sandbox.discord.faults.model import Drop, Refuse
from sandbox.discord.world.evidence import Accepted
from shared import database as db
from shared import users
from shared.discord.ids import nonce_for
from shared.errors import EnvelopeError
from shared.models import Game, NotificationKind, NotificationSchedule, Outcome
from shared.schedule.personal import SNOOZE, snooze_reminder
from shared.schedule.populate import lock_game
from shared.signup import leave_game
from tests.integration.delivery.conftest import Bot, event_of
from tests.integration.delivery.test_direct_messages import channel_messages, dm_request, dms_to, request_dms
from tests.support.builders import make_due, rows_of
from tests.support.transition_check import allow_any_change

PERSONAL = NotificationKind.PERSONAL_REMINDER


async def change(bot: Bot, name: str, **changes: Any) -> None:
    async with db.transaction(bot.database.sessions) as session:
        await users.change_own_settings(session, bot.discord.world.user(name).id, **changes)


async def snooze(bot: Bot, game: Game, name: str = "Mia", *, minutes: int = 15) -> NotificationSchedule:
    async with db.transaction(bot.database.sessions) as session:
        locked = await lock_game(session, game.id)
        user, delay = bot.discord.world.user(name).id, timedelta(minutes=minutes)
        assert await snooze_reminder(session, locked, user_id=user, delay=delay) is not None
    rows = await rows_of(bot.database.sessions, game, PERSONAL)
    return next(row for row in rows if row.reason == SNOOZE and row.user_id == user)


def labels(message: Accepted) -> list[str]:
    return [button["label"] for row in message.components for button in row["components"]]


async def test_it_is_a_mention_in_the_channel_of_the_player_alone(bot: Bot) -> None:
    game = await bot.game(("Mia", "Jonas"))
    row = await snooze(bot, game)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [message] = bot.sent()
    assert (message.channel_id, message.pinged_users) == (bot.channel, (bot.discord.world.user("Mia").id,))
    assert message.content.startswith("⏰ **The Sunken Keep** starts in ")


async def test_it_is_a_direct_message_to_who_chose_them_and_the_channel_gets_nothing(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    await change(bot, "Mia", extra_offset_minutes=90)
    row = await bot.row(await bot.game(("Mia", "Jonas")), PERSONAL)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Mia")), channel_messages(bot)) == (1, [])


async def test_it_falls_back_to_the_channel_if_direct_messages_are_closed(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    bot.discord.faults.add(Refuse(50007), match=dm_request(bot, "Mia"))
    row = await snooze(bot, await bot.game(("Mia", "Jonas")))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public] = channel_messages(bot)
    assert public.pinged_users == (bot.discord.world.user("Mia").id,)
    assert "I couldn't DM you" in public.content


async def test_no_reminder_gives_a_game_away_before_its_announcement(bot: Bot) -> None:
    await change(bot, "Aiko", extra_offset_minutes=90)
    start = datetime.now(UTC) + timedelta(hours=2)
    host = bot.discord.world.user("Aiko").id
    later = {"scheduled_at": start, "announce_at": start - timedelta(minutes=30), "host_id": host}
    game = await bot.game((), offsets=(60, 15), **later)
    early, late = await rows_of(bot.database.sessions, game, NotificationKind.REMINDER)
    for row in (await bot.row(game, PERSONAL), early):
        assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
    settled = await rows_of(bot.database.sessions, game)
    assert {row.outcome_detail for row in settled if row.settled_at} == {"the game is not announced yet"}
    assert bot.sent() == []
    assert await bot.deliver_until_settled(late) is Outcome.DELIVERED


async def test_a_lost_response_is_not_sent_twice(bot: Bot) -> None:
    await request_dms(bot, "Mia")
    bot.discord.faults.add(Drop(accepted=True), match=dm_request(bot, "Mia"), times=1)
    row = await snooze(bot, await bot.game(("Mia",)))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Mia")) == 1


async def test_it_expires_once_the_game_has_begun(bot: Bot) -> None:
    row = await snooze(bot, await bot.game(("Mia",)))
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        began = row.due_at - timedelta(hours=1)
        await session.execute(
            update(NotificationSchedule).where(NotificationSchedule.id == row.id).values(game_scheduled_at=began)
        )
    assert await bot.deliver_until_settled(row) is Outcome.EXPIRED
    assert bot.sent() == []


@pytest.mark.parametrize("after", ["leaving", "turning reminders off"])
async def test_a_player_who_wants_it_no_more_gets_none_whenever_it_is_published(bot: Bot, after: str) -> None:
    game = await bot.game(("Mia", "Jonas"))
    row = await snooze(bot, game)
    if after == "leaving":
        async with db.transaction(bot.database.sessions) as session:
            await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    else:
        await change(bot, "Mia", reminders_off=True)
    await bot.deliver(row)
    assert (await bot.outcome(row), bot.sent()) == (Outcome.SUPERSEDED, [])


async def test_of_several_that_are_overdue_only_the_latest_is_sent(bot: Bot) -> None:
    await change(bot, "Mia", extra_offset_minutes=90)
    game = await bot.game(("Mia", "Jonas"))
    extra, snoozed = await bot.row(game, PERSONAL), await snooze(bot, game)
    reminder = await bot.row(game, NotificationKind.REMINDER)
    await make_due(bot.database.sessions, snoozed, ago=timedelta(minutes=9))
    await make_due(bot.database.sessions, extra, ago=timedelta(minutes=5))
    await bot.handle(event_of(snoozed))
    assert await bot.outcome(snoozed) is Outcome.SUPERSEDED
    await make_due(bot.database.sessions, reminder, ago=timedelta(minutes=1))
    await bot.handle(event_of(extra))
    assert (await bot.outcome(extra), bot.sent()) == (Outcome.SUPERSEDED, [])
    await bot.handle(event_of(reminder))
    assert len(bot.sent()) == 1


async def test_a_later_one_replaces_neither_the_reminder_of_everybody_nor_that_of_another_player(bot: Bot) -> None:
    game = await bot.game(("Mia", "Jonas"))
    reminder = await bot.row(game, NotificationKind.REMINDER)
    others, later = await snooze(bot, game, "Jonas"), await snooze(bot, game)
    for minutes, row in ((9, reminder), (5, others), (1, later)):
        await make_due(bot.database.sessions, row, ago=timedelta(minutes=minutes))
    for row in (reminder, others, later):
        await bot.handle(event_of(row))
        assert await bot.outcome(row) is Outcome.DELIVERED


async def test_a_late_one_says_so(bot: Bot) -> None:
    row = await snooze(bot, await bot.game(("Mia",)))
    await make_due(bot.database.sessions, row, ago=timedelta(minutes=9))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert "9 minutes late" in bot.sent()[0].content


@pytest.mark.parametrize(
    ("minutes_left", "offered"),
    [
        (120, ["Snooze 15 min", "Snooze 1 h", "Can't make it"]),
        (60, ["Snooze 15 min", "Can't make it"]),
        (15, ["Can't make it"]),
    ],
)
async def test_a_reminder_offers_to_be_snoozed_until_before_the_start(
    bot: Bot, minutes_left: int, offered: list[str]
) -> None:
    for kind in (NotificationKind.REMINDER, PERSONAL):
        game = await bot.game(("Mia", "Jonas"), starts_in=timedelta(minutes=minutes_left), offsets=(1,))
        row = await bot.row(game) if kind is NotificationKind.REMINDER else await snooze(bot, game, minutes=1)
        await make_due(bot.database.sessions, row)
        await bot.handle(event_of(row))
        message = bot.sent()[-1]
        assert labels(message) == offered
        [delivery] = await bot.ledger(row)
        last = message.components[-1]["components"][-1]
        assert last["custom_id"].endswith(f":{nonce_for(delivery.id)}")


async def test_a_row_of_a_snooze_is_of_no_other_event(bot: Bot) -> None:
    game = await bot.game(("Mia",))
    row = await snooze(bot, game)
    await make_due(bot.database.sessions, row)
    reminder = await bot.row(game)
    with pytest.raises(EnvelopeError, match="names a row of the kind personal_reminder"):
        await bot.handle(event_of(reminder).model_copy(update={"row_id": row.id}))
    assert await bot.outcome(row) is None
