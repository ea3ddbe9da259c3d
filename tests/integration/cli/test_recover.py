"""`questbell recover`: the bot sends, the database is restored, and nothing is sent twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, func, text, update

from bot.consumers.handler import EventHandler
from bot.delivery.rate_limits import RateLimiter
from bot.delivery.sender import Sender
from bot.main import event_handler
from cli.commands.recover import plan
from cli.commands.recover.command import recover
from sandbox.discord.faults.model import Match, Status, TooMany
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared import users
from shared.discord import client
from shared.discord.client import DiscordClient
from shared.editing import GameEdit, edit_game
from shared.games import cancel_game
from shared.messaging.envelope import AnyEvent, GameReminderDue, NoticeDue
from shared.models import Game, NotificationDelivery, NotificationKind, NotificationSchedule, Outcome
from shared.offers import end_offer
from shared.schedule.warnings import warn_hosts
from shared.settings import DiscordSettings, Timing
from shared.signup import leave_game
from tests.integration.cli.conftest import Run
from tests.support.builders import become_newer, make_due, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

REMINDER = NotificationKind.REMINDER
ANNOUNCEMENT = NotificationKind.ANNOUNCEMENT
CANCELLATION = NotificationKind.CANCELLATION
READ = Match(method="GET", route=r"/channels/\d+/messages$")


@pytest.fixture
async def handle(database: Database, discord: SandboxDiscord, timing: Timing) -> AsyncIterator[EventHandler]:
    settings = DiscordSettings(token=SecretStr(discord.token), api_url=discord.url)
    async with DiscordClient.connected(settings, timing) as api:
        yield event_handler(Sender(database.sessions, api, RateLimiter(), timing))


@pytest.fixture
def channel(discord: SandboxDiscord) -> int:
    return next(iter(discord.world.channels))


def an_hour_ago() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).isoformat()


def event_of(row: NotificationSchedule) -> AnyEvent:
    if row.kind is REMINDER:
        return GameReminderDue(
            row_id=row.id,
            game_id=row.game_id,
            game_scheduled_at=row.game_scheduled_at,
            offset_minutes=row.offset_minutes or 0,
        )
    return NoticeDue(row_id=row.id, game_id=row.game_id, kind=row.kind)


async def due(database: Database, game: Game, kind: NotificationKind = REMINDER) -> NotificationSchedule:
    """The newest row of a kind, due a moment ago."""
    row = (await rows_of(database.sessions, game, kind))[-1]
    await make_due(database.sessions, row, ago=timedelta(seconds=2))
    return row


async def without_announcement(database: Database, game: Game) -> None:
    async with db.transaction(database.sessions) as session:
        rows = NotificationSchedule
        await allow_any_change(session)
        await session.execute(delete(rows).where(rows.game_id == game.id, rows.kind == ANNOUNCEMENT))


async def restore(database: Database) -> None:
    """Restore the database to a backup from before anything was sent."""
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(delete(NotificationDelivery))
        await session.execute(update(Game).values(message_id=None))
        await session.execute(
            update(NotificationSchedule)
            .where(NotificationSchedule.due_at <= func.clock_timestamp())
            .values(settled_at=None, outcome=None, outcome_detail=None, attempt_at=NotificationSchedule.due_at)
        )


async def state(database: Database, row: NotificationSchedule) -> tuple[Outcome | None, str | None]:
    rows = await rows_of(database.sessions, Game(id=row.game_id))
    [current] = [candidate for candidate in rows if candidate.id == row.id]
    return current.outcome, current.outcome_detail


def steps(document: Any) -> dict[str, str]:
    return {step["row_id"]: step["action"] for step in document["steps"]}


async def test_messages_sent_since_the_backup_are_found_and_not_sent_again(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    game = await new_game(database.sessions, channel_id=channel, title="The *Sunken* Keep_2", players=(1, 2))
    rows = [await due(database, game, ANNOUNCEMENT), await due(database, game)]
    for row in rows:
        await handle(event_of(row))
    announcement, sent = discord.messages(channel)
    await restore(database)
    output = await run(recover, an_hour_ago(), yes=True, as_json=True)
    assert (output.code, output.err) == (0, "")
    assert await state(database, rows[1]) == (
        Outcome.DELIVERED,
        f"found in the channel after a restore: message {sent.id}",
    )
    async with db.transaction(database.sessions) as session:
        assert (await session.get_one(Game, game.id)).message_id == announcement.id
    for row in rows:
        await handle(event_of(row))
    assert len(discord.messages(channel)) == 2


async def test_without_yes_the_plan_is_printed_and_nothing_is_written(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    row = await due(database, await new_game(database.sessions, channel_id=channel))
    await handle(event_of(row))
    await restore(database)
    output = await run(recover, an_hour_ago())
    assert "mark delivered" in output.out
    assert "Run again with --yes to apply." in output.out
    assert await state(database, row) == (None, None)


async def test_a_cancellation_is_found_by_its_own_emoji(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    game = await new_game(database.sessions, channel_id=channel, players=(1,))
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    row = await due(database, game, CANCELLATION)
    await handle(event_of(row))
    await restore(database)
    assert steps((await run(recover, an_hour_ago(), as_json=True)).document)[str(row.id)] == "mark_delivered"


async def test_a_new_time_is_found_and_not_sent_again(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    game = await new_game(database.sessions, channel_id=channel, players=(1,))
    async with db.transaction(database.sessions) as session:
        await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + timedelta(hours=1)))
    row = await due(database, game, NotificationKind.CHANGE)
    await handle(event_of(row))
    await restore(database)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    assert (await state(database, row))[0] is Outcome.DELIVERED
    await handle(event_of(row))
    assert [message.content[0] for message in discord.messages(channel)] == ["📅"]


@pytest.mark.parametrize("in_channel", [True, False], ids=["in the channel", "as a direct message"])
async def test_a_drop_out_is_found_in_the_channel_or_given_up_as_a_direct_message(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int, in_channel: bool
) -> None:
    host = discord.world.user("Mia").id
    game = await new_game(database.sessions, channel_id=channel, host_id=host, players=(1, 2))
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
        if in_channel:
            await users.mark_dms_closed(session, host)
    row = await due(database, game, NotificationKind.DROP_OUT)
    await handle(event_of(row))
    assert len(discord.messages(channel) if in_channel else discord.dms("Mia")) == 1
    await restore(database)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    outcome, detail = await state(database, row)
    if in_channel:
        assert outcome is Outcome.DELIVERED
    else:
        assert outcome is Outcome.UNDELIVERABLE
        assert "it may be a direct message, and those are not searched" in (detail or "")
    await handle(event_of(row))
    assert len(discord.messages(channel)) + len(discord.dms("Mia")) == 1


async def test_a_warning_is_left_to_the_bot_because_a_second_one_does_no_harm(
    run: Run, database: Database, discord: SandboxDiscord, channel: int
) -> None:
    row = await due(database, await new_game(database.sessions, channel_id=channel))
    async with db.transaction(database.sessions) as session:
        await warn_hosts(session, [(row.id, "reason")])
    warning = await due(database, Game(id=row.game_id), NotificationKind.WARNING)
    planned = steps((await run(recover, an_hour_ago(), as_json=True)).document)
    assert str(row.id) in planned
    assert str(warning.id) not in planned


async def test_an_offer_that_has_not_ended_is_left_to_the_bot_which_gives_the_seat_on(
    run: Run, database: Database, channel: int
) -> None:
    game = await new_game(database.sessions, channel_id=channel, capacity=1, players=(1, 2, 3), offer_minutes=30)
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
        await allow_any_change(session)  # as if its promotion was sent and purged
        is_promotion = NotificationSchedule.kind == NotificationKind.PROMOTION
        await session.execute(delete(NotificationSchedule).where(is_promotion))
    row = await due(database, game, NotificationKind.OFFER_END)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    assert (await state(database, row))[0] is None
    async with db.transaction(database.sessions) as session:
        assert await end_offer(session, row.id)


async def test_rows_of_a_newer_release_need_its_own_command(
    run: Run, database: Database, discord: SandboxDiscord, channel: int
) -> None:
    row = await due(database, await new_game(database.sessions, channel_id=channel))
    await become_newer(database.sessions, row)
    output = await run(recover, an_hour_ago(), yes=True)
    assert output.code == 1
    assert "a newer release wrote notifications of the kind future_kind; run its `questbell recover`" in output.err


async def test_a_channel_that_is_too_busy_to_be_read_makes_the_outcome_unknown(
    run: Run, database: Database, discord: SandboxDiscord, channel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    monkeypatch.setattr(plan, "MAX_PAGES", 2)
    row = await due(database, await new_game(database.sessions, channel_id=channel))
    for number in range(6):
        discord.say("Mia", f"noise {number}", where=channel)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    outcome, detail = await state(database, row)
    assert outcome is Outcome.UNDELIVERABLE
    assert "messages since then" in (detail or "")


async def test_a_reminder_not_in_the_channel_stays_open_and_is_sent_by_the_bot(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    game = await new_game(database.sessions, channel_id=channel, title="Keep")
    row = await due(database, game)
    discord.say("Mia", f"🔔 **Keep** <t:{int(game.scheduled_at.timestamp())}:R>", where=channel)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    assert await state(database, row) == (None, None)
    await handle(event_of(row))
    assert (await state(database, row))[0] is Outcome.DELIVERED


async def test_another_games_reminder_is_not_mistaken_for_this_one(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int
) -> None:
    games = [
        await new_game(database.sessions, channel_id=channel, title=title, starts_in=starts_in)
        for title, starts_in in (
            ("Keep", timedelta(hours=2)),
            ("Keep", timedelta(hours=3)),
            ("Tower", timedelta(hours=2)),
        )
    ]
    rows = [await due(database, game) for game in games]
    await handle(event_of(rows[0]))
    await restore(database)
    planned = steps((await run(recover, an_hour_ago(), as_json=True)).document)
    assert [planned[str(row.id)] for row in rows] == ["mark_delivered", "leave_open", "leave_open"]


@pytest.mark.parametrize("trouble", ["the channel is gone", "no history"])
async def test_an_unreadable_channel_makes_the_outcome_unknown_and_nothing_is_sent(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler, channel: int, trouble: str
) -> None:
    row = await due(database, await new_game(database.sessions, channel_id=channel))
    await handle(event_of(row))
    await restore(database)
    if trouble == "no history":
        discord.world.deny(channel, "READ_MESSAGE_HISTORY")
    else:
        discord.world.delete_channel(channel)
    assert (await run(recover, an_hour_ago(), yes=True)).code == 0
    outcome, detail = await state(database, row)
    assert outcome is Outcome.UNDELIVERABLE
    assert (detail or "").startswith("unknown after a restore: ")


async def test_nothing_changes_while_discord_is_unavailable(
    run: Run, database: Database, discord: SandboxDiscord, channel: int
) -> None:
    row = await due(database, await new_game(database.sessions, channel_id=channel))
    discord.faults.add(Status(503), match=READ, times=1)
    output = await run(recover, an_hour_ago(), yes=True)
    assert output.code == 1
    assert "Discord answered 503" in output.err
    assert await state(database, row) == (None, None)


async def test_rate_limits_are_waited_for_and_long_histories_are_read_completely(
    run: Run,
    database: Database,
    discord: SandboxDiscord,
    handle: EventHandler,
    channel: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "PAGE_SIZE", 2)
    game = await new_game(database.sessions, channel_id=channel)
    await without_announcement(database, game)
    row = await due(database, game)
    for number in range(5):
        discord.say("Mia", f"noise {number}", where=channel)
    await handle(event_of(row))
    await restore(database)
    discord.faults.add(TooMany(retry_after=0.05), match=READ, times=2)
    output = await run(recover, an_hour_ago(), as_json=True)
    assert steps(output.document) == {str(row.id): "mark_delivered"}


async def test_nothing_is_written_while_a_workload_is_connected(
    run: Run, database: Database, discord: SandboxDiscord, timing: Timing
) -> None:
    async with (
        db.engine(database.settings, application_name="questbell bot", timing=timing) as engine,
        engine.connect() as connection,
    ):
        await connection.execute(text("SELECT 1"))
        output, plan = await run(recover, an_hour_ago(), yes=True), await run(recover, an_hour_ago())
    assert output.code == 1
    assert "still connected to the database: questbell bot; stop" in output.err
    assert (plan.code, "Still connected: questbell bot." in plan.out) == (0, True)


@pytest.mark.parametrize(
    ("since", "message"),
    [
        ("yesterday", "is not a time; write it like"),
        ("2030-05-01T18:00:00", "has no time zone"),
        ("2999-01-01T00:00Z", "is in the future"),
    ],
)
async def test_an_invalid_time_is_rejected(
    run: Run, database: Database, discord: SandboxDiscord, since: str, message: str
) -> None:
    output = await run(recover, since)
    assert output.code == 1
    assert message in output.err


async def test_a_missing_token_is_a_configuration_error(run: Run) -> None:
    output = await run(recover, an_hour_ago())
    assert output.code == 2
    assert "DISCORD_TOKEN is not set" in output.err
