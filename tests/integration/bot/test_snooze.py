"""The buttons that snooze a reminder, with unmodified discord.py, also after a restart of the bot."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.rendering import add_snooze_buttons, disabled_button, leave_button
from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.games import cancel_game
from shared.models import Game, NotificationKind, NotificationSchedule, new_id
from shared.signup import join_game
from tests.integration.bot.conftest import StartBot, post, reply_text
from tests.integration.bot.test_commands import HOST, OTHER, PLAYER, plan_game
from tests.integration.bot.test_delivered_twice import wait_for_answers
from tests.integration.bot.test_own_settings import change
from tests.support.builders import rows_of
from tests.support.database import Database

NONCE = "abcdefghijklmnopqrstuv"


async def remind(sandbox: SandboxDiscord, database: Database, game: Game, *, by_dm: bool = False) -> int:
    """Let the player join, and post a reminder of the game as the delivery code does."""
    async with db.transaction(database.sessions) as session:
        await join_game(session, game.id, user_id=sandbox.world.user(PLAYER).id)
    components = add_snooze_buttons(leave_button(game.id, nonce=NONCE), game.id, left=timedelta(hours=2))
    channel_id = sandbox.world.open_dm(PLAYER).id if by_dm else game.channel_id
    return await post(sandbox, channel_id, {"content": "🔔 It starts soon.", "components": components})


async def press(sandbox: SandboxDiscord, who: str, message_id: int, game: Game, minutes: int = 15) -> str:
    return await reply_text(sandbox.click(who, message_id, f"questbell:snooze:{game.id}:{minutes}"))


async def snoozed(database: Database, game: Game) -> list[NotificationSchedule]:
    return await rows_of(database.sessions, game, NotificationKind.PERSONAL_REMINDER)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("by_dm", [False, True], ids=["channel", "DM"])
async def test_it_writes_a_reminder_for_the_player_alone(
    sandbox: SandboxDiscord, database: Database, by_dm: bool
) -> None:
    if by_dm:
        await change(sandbox, where="By DM")
    game = await plan_game(database, sandbox)
    message_id = await remind(sandbox, database, game, by_dm=by_dm)
    text = await press(sandbox, PLAYER, message_id, game)
    [row] = await snoozed(database, game)
    assert row.user_id == sandbox.world.user(PLAYER).id
    assert timedelta(minutes=14) < row.due_at - row.created_at <= timedelta(minutes=15)
    assert f"<t:{int(row.due_at.timestamp())}:t>" in text
    assert ("by DM" in text) is by_dm


@pytest.mark.usefixtures("bot")
async def test_pressing_twice_is_one_reminder_and_another_delay_replaces_it(
    sandbox: SandboxDiscord, database: Database
) -> None:
    game = await plan_game(database, sandbox)
    message_id = await remind(sandbox, database, game)
    first, second = [await press(sandbox, PLAYER, message_id, game) for _ in range(2)]
    assert first == second
    assert len(await snoozed(database, game)) == 1
    await press(sandbox, PLAYER, message_id, game, 60)
    assert len([row for row in await snoozed(database, game) if row.outcome is None]) == 1


async def test_a_press_that_is_delivered_twice_writes_one_reminder(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    message_id = await remind(sandbox, database, game)
    async with start_bot(database.sessions), start_bot(database.sessions):
        sandbox.faults.add(DuplicateInteraction(), times=1)
        result = await sandbox.click(PLAYER, message_id, f"questbell:snooze:{game.id}:15")
        await wait_for_answers(sandbox, result, 4)
    assert len(await snoozed(database, game)) == 1


async def test_it_works_if_the_bot_restarted_since_the_reminder(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions):
        message_id = await remind(sandbox, database, game)
    async with start_bot(database.sessions):
        assert "I'll remind you" in await press(sandbox, PLAYER, message_id, game, 60)
    assert len(await snoozed(database, game)) == 1


@pytest.mark.usefixtures("bot")
async def test_only_the_people_of_the_game_can_snooze(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox)
    message_id = await remind(sandbox, database, game)
    assert "press Join" in await press(sandbox, OTHER, message_id, game)
    assert await snoozed(database, game) == []
    assert "I'll remind you" in await press(sandbox, HOST, message_id, game)


@pytest.mark.usefixtures("bot")
async def test_it_is_refused_if_the_game_starts_before(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, reminder_offsets=())
    soon = await plan_game(database, sandbox, scheduled_at=game.scheduled_at - timedelta(minutes=90))
    message_id = await remind(sandbox, database, soon)
    assert "before that" in await press(sandbox, PLAYER, message_id, soon, 60)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, soon.id)
    assert "is cancelled" in await press(sandbox, PLAYER, message_id, soon)
    assert await snoozed(database, soon) == []


@pytest.mark.usefixtures("bot")
async def test_a_player_who_turned_reminders_off_learns_how_to_get_them(
    sandbox: SandboxDiscord, database: Database
) -> None:
    game = await plan_game(database, sandbox)
    message_id = await remind(sandbox, database, game)
    await change(sandbox, reminders="Off")
    assert "`/settings me`" in await press(sandbox, PLAYER, message_id, game)
    assert await snoozed(database, game) == []


def test_the_ids_of_the_buttons_do_not_look_like_an_announcements() -> None:
    game_id = new_id()
    [row] = add_snooze_buttons(disabled_button("You're the host", nonce=NONCE), game_id, left=timedelta(hours=2))
    assert not any(button["custom_id"].endswith(str(game_id)) for button in row["components"])
    assert row["components"][-1]["custom_id"].endswith(NONCE)
