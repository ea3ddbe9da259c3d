"""Delivery from an event to its outcome, judged by what the sandbox Discord accepted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bot.delivery import rate_limits
from bot.delivery.leases import DeliveryRequest, SendAttempt, acquire, prepare
from bot.rendering.payload import MENTIONS_LIMIT
from sandbox.discord.faults.model import Drop, Hang, Match, Refuse, Slow, Status, TooMany
from sandbox.discord.world.messages import Message
from shared import database as db
from shared.discord.ids import nonce_for
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.messaging.envelope import StatusTransitionDue
from shared.models import (
    DeliveryState,
    Game,
    GameStatus,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)
from shared.settings import Timing
from shared.signup import join_game, leave_game
from tests.integration.delivery.conftest import Bot, event_of, read_pending
from tests.support.builders import make_due, make_due_now, rows_of
from tests.support.transition_check import allow_any_change
from tests.support.waiting import WAIT_TIMEOUT

REMINDER = NotificationKind.REMINDER
ANNOUNCEMENT = NotificationKind.ANNOUNCEMENT
CANCELLATION = NotificationKind.CANCELLATION
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


async def test_a_reminder_mentions_exactly_the_players_and_is_recorded(bot: Bot) -> None:
    game = await bot.game(("Mia", "Jonas"))
    await bot.deliver(await bot.row(game))
    [message] = bot.sent()
    assert set(message.pinged_users) == {bot.discord.world.user(name).id for name in ("Mia", "Jonas")}
    row = await bot.row(game)
    [delivery] = await bot.ledger(row)
    assert (row.outcome, delivery.state) == (Outcome.DELIVERED, DeliveryState.SENT)
    assert (delivery.message_id, message.nonce) == (message.message_id, nonce_for(delivery.id))


async def test_a_later_reminder_that_was_withdrawn_does_not_replace_an_overdue_one(bot: Bot) -> None:
    game = await bot.game(offsets=(60, 30))
    first, second = await rows_of(bot.database.sessions, game, REMINDER)
    await make_due(bot.database.sessions, first, ago=timedelta(minutes=2))
    await make_due(bot.database.sessions, second, ago=timedelta(minutes=1))
    async with db.transaction(bot.database.sessions) as session:
        await edit_game(session, game.id, GameEdit(reminder_offsets=(first.offset_minutes,)))
    await bot.handle(event_of(first))
    assert [await bot.outcome(row) for row in (first, second)] == [Outcome.DELIVERED, Outcome.SUPERSEDED]


async def test_a_redelivered_message_of_a_settled_reminder_sends_nothing(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    for _ in range(3):
        await bot.deliver(row)
    assert len(bot.sent()) == 1


async def test_messages_of_one_reminder_handled_at_once_send_it_once(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    await asyncio.gather(*(bot.deliver(row) for _ in range(8)))
    assert len(bot.sent()) == 1
    assert (await rows_of(bot.database.sessions, Game(id=row.game_id), REMINDER))[-1].outcome is Outcome.DELIVERED


@pytest.fixture
def unlimited_channel_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a channel as long as it takes, so that a busy machine defers no chunk."""
    monkeypatch.setattr(rate_limits, "CHANNEL_WAIT_TIMEOUT", WAIT_TIMEOUT)


@pytest.mark.usefixtures("unlimited_channel_wait")
async def test_many_players_are_notified_in_chunks_and_each_once(bot: Bot) -> None:
    game = await bot.game(())
    async with db.transaction(bot.database.sessions) as session:
        for user in range(1, 161):
            await join_game(session, game.id, user_id=user)
    row = await bot.row(game)
    await bot.deliver(row)
    assert [len(delivery.mentions) for delivery in await bot.ledger(row)] == [75, 75, 11]  # with the host
    assert len(bot.sent()) == 3


async def test_a_reminder_of_a_game_that_has_started_is_not_sent(bot: Bot) -> None:
    game = await bot.game()
    async with db.transaction(bot.database.sessions) as session:
        begun = func.clock_timestamp() - timedelta(seconds=61)
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).values(game_scheduled_at=begun))
    await bot.deliver(await bot.row(game))
    assert bot.sent() == []
    assert (await bot.row(game)).outcome is Outcome.EXPIRED


@pytest.mark.parametrize("change", ["moved", "cancelled"])
async def test_a_message_in_flight_of_a_changed_game_sends_nothing(bot: Bot, change: str) -> None:
    game = await bot.game(offsets=(10,))
    row = await bot.row(game)
    async with db.transaction(bot.database.sessions) as session:
        if change == "moved":
            await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + timedelta(days=1)))
        else:
            await cancel_game(session, game.id)
    await bot.deliver(row)
    assert bot.sent() == []


async def test_a_player_who_left_is_not_mentioned(bot: Bot) -> None:
    game = await bot.game(("Mia", "Jonas"))
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    await bot.deliver(await bot.row(game))
    assert bot.sent()[0].pinged_users == (bot.discord.world.user("Jonas").id,)


async def test_of_two_overdue_reminders_only_the_later_is_sent(bot: Bot) -> None:
    game = await bot.game(offsets=(60, 10))
    first, second = await rows_of(bot.database.sessions, game, REMINDER)
    await make_due(bot.database.sessions, first, ago=timedelta(minutes=50))
    await make_due(bot.database.sessions, second)
    await bot.deliver(first)
    await bot.deliver(second)
    assert len(bot.sent()) == 1
    first, second = await rows_of(bot.database.sessions, game, REMINDER)
    assert (first.outcome, second.outcome) == (Outcome.SUPERSEDED, Outcome.DELIVERED)


@pytest.mark.parametrize(
    "fault", [Status(502), Status(503, accepted=True), Drop(accepted=True), Hang(10, accepted=True), Drop()]
)
async def test_an_uncertain_result_is_retried_and_the_reminder_is_sent_once(bot: Bot, fault: object) -> None:
    game = await bot.game()
    row = await bot.row(game)
    bot.discord.faults.add(fault, match=CREATE, times=1)  # type: ignore[arg-type]  # any action
    with pytest.raises(TransientError):
        await bot.deliver(row)
    [delivery] = await bot.ledger(row)
    assert delivery.state is DeliveryState.SENDING
    await bot.deliver(row)
    assert len(bot.sent()) == 1
    assert (await bot.row(game)).outcome is Outcome.DELIVERED


async def test_a_failure_is_recorded_with_its_next_attempt(bot: Bot) -> None:
    game = await bot.game()
    bot.discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(await bot.row(game))
    row = await bot.row(game)
    assert "503" in (row.last_error or "")
    async with db.transaction(bot.database.sessions) as session:
        assert row.attempt_at is not None
        assert timedelta(0) < row.attempt_at - await db.now(session) < timedelta(seconds=2)


async def test_a_429_releases_the_delivery_and_defers_it_for_as_long_as_discord_says(bot: Bot) -> None:
    game = await bot.game()
    bot.discord.faults.add(TooMany(retry_after=30), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(await bot.row(game))
    row = await bot.row(game)
    [delivery] = await bot.ledger(row)
    assert (delivery.state, delivery.first_sending_at) == (DeliveryState.PENDING, None)
    async with db.transaction(bot.database.sessions) as session:
        assert row.attempt_at is not None
        assert timedelta(seconds=28) < row.attempt_at - await db.now(session) <= timedelta(seconds=30.25)


async def test_a_429_after_an_uncertain_attempt_does_not_forget_that_attempt(bot: Bot) -> None:
    row = await bot.row(await bot.game())
    bot.discord.faults.add(Status(503, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    [first] = await bot.ledger(row)
    bot.discord.faults.add(TooMany(retry_after=0.01), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    [second] = await bot.ledger(row)
    assert (second.state, second.first_sending_at) == (DeliveryState.SENDING, first.first_sending_at)


async def make_uncertain(bot: Bot, *, accepted: bool) -> NotificationSchedule:
    """Return a reminder whose attempt two minutes ago has no result, as after a crash of the bot."""
    row = await bot.row(await bot.game())
    bot.discord.faults.add(Drop(accepted=accepted), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        ago = func.clock_timestamp() - timedelta(minutes=2)
        await allow_any_change(session)
        await session.execute(update(NotificationDelivery).values(first_sending_at=ago, lease_until=ago))
    return row


async def read_result(bot: Bot, row: NotificationSchedule) -> tuple[Outcome | None, DeliveryState]:
    [delivery] = await bot.ledger(row)
    async with db.transaction(bot.database.sessions) as session:
        now = await session.get(NotificationSchedule, row.id)
        assert now is not None
        return now.outcome, delivery.state


async def test_an_old_attempt_that_is_found_in_the_channel_is_recorded_and_not_repeated(bot: Bot) -> None:
    row = await make_uncertain(bot, accepted=True)
    await bot.deliver(row)
    assert await read_result(bot, row) == (Outcome.DELIVERED, DeliveryState.SENT)
    assert len(bot.sent()) == 1


async def test_an_old_attempt_that_is_certainly_not_in_the_channel_is_repeated(bot: Bot) -> None:
    row = await make_uncertain(bot, accepted=False)
    bot.discord.say("Mia", "Is anybody there?", where=bot.channel)
    for _ in range(2):
        await bot.deliver(row)
    assert await read_result(bot, row) == (Outcome.DELIVERED, DeliveryState.SENT)
    assert len([message for message in bot.sent() if message.author_id == bot.discord.world.bot.id]) == 1


async def test_an_old_attempt_in_an_unreadable_channel_is_unknown_and_never_repeated(bot: Bot) -> None:
    row = await make_uncertain(bot, accepted=True)
    bot.discord.world.deny(bot.channel, "READ_MESSAGE_HISTORY")
    for _ in range(2):
        await bot.deliver(row)
    assert await read_result(bot, row) == (Outcome.UNDELIVERABLE, DeliveryState.UNKNOWN)
    assert len(bot.sent()) == 1


async def test_a_recent_message_is_given_time_to_appear_before_it_is_searched(bot: Bot) -> None:
    row = await make_uncertain(bot, accepted=False)
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(NotificationDelivery).values(lease_until=func.clock_timestamp()))
    await bot.deliver(row)
    assert await read_result(bot, row) == (None, DeliveryState.SENDING)
    async with db.transaction(bot.database.sessions) as session:
        now = await session.get(NotificationSchedule, row.id)
        assert now is not None
        assert now.attempt_at is not None
        assert timedelta(seconds=50) < now.attempt_at - await db.now(session) <= timedelta(seconds=60.25)


@pytest.mark.parametrize("code", [10003, 50035, 99999])
async def test_a_final_rejection_settles_the_row_with_its_reason(bot: Bot, code: int) -> None:
    game = await bot.game()
    bot.discord.faults.add(Refuse(code), match=CREATE, times=1)
    await bot.deliver(await bot.row(game))
    row = await bot.row(game)
    assert row.outcome is Outcome.UNDELIVERABLE
    assert str(code) in (row.outcome_detail or "")


@pytest.mark.usefixtures("unlimited_channel_wait")
async def test_the_failure_of_one_chunk_does_not_repeat_the_others(bot: Bot) -> None:
    game = await bot.game(())
    async with db.transaction(bot.database.sessions) as session:
        for user in range(1, 161):
            await join_game(session, game.id, user_id=user)
    row = await bot.row(game)
    bot.discord.faults.add(Status(500), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert len(bot.sent()) == 2
    await bot.deliver(row)
    assert len(bot.sent()) == 3
    assert (await bot.row(game)).outcome is Outcome.DELIVERED


async def test_an_announcement_is_posted_once_and_then_edited(bot: Bot) -> None:
    game = await bot.game(())
    await bot.deliver(await bot.row(game, ANNOUNCEMENT))
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    await bot.deliver(await bot.row(game, ANNOUNCEMENT))
    [post] = bot.discord.messages(bot.channel)
    assert f"<@{bot.discord.world.user('Mia').id}>" in str(post.embeds)
    assert [row.outcome for row in await rows_of(bot.database.sessions, game, ANNOUNCEMENT)] == [Outcome.DELIVERED] * 2


async def test_a_change_while_the_announcement_is_being_posted_is_shown_too(bot: Bot) -> None:
    game = await bot.game(())
    mia = bot.discord.world.user("Mia").id
    bot.discord.faults.add(Hang(0.3, accepted=True), match=CREATE, times=1)
    delivering = asyncio.create_task(bot.deliver(await bot.row(game, ANNOUNCEMENT)))
    await bot.discord.wait_for(lambda: bot.discord.messages(bot.channel), timeout=WAIT_TIMEOUT)
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=mia)
    with pytest.raises(TransientError):
        await delivering
    row = await bot.row(game, ANNOUNCEMENT)
    assert row.settled_at is None
    await bot.deliver(row)
    await bot.deliver(row)
    [post] = bot.discord.messages(bot.channel)
    assert f"<@{mia}>" in str(post.embeds)
    assert (await bot.row(game, ANNOUNCEMENT)).outcome is Outcome.DELIVERED


async def change_without_announcement(bot: Bot) -> tuple[Game, Message]:
    """Delete the announcement of a game, and then change the game."""
    game = await bot.game(())
    await bot.deliver(await bot.row(game, ANNOUNCEMENT))
    [post] = bot.discord.messages(bot.channel)
    bot.discord.engine.messaging.delete(post)
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    return game, post


async def test_a_deleted_announcement_is_posted_again_when_something_changes(bot: Bot) -> None:
    game, post = await change_without_announcement(bot)
    row = await bot.row(game, ANNOUNCEMENT)
    await bot.deliver(row)
    await bot.deliver(row)
    [again] = bot.discord.messages(bot.channel)
    assert again.id != post.id


async def test_a_delayed_edit_of_a_deleted_announcement_does_not_withdraw_the_next_one(bot: Bot) -> None:
    game, post = await change_without_announcement(bot)
    row = await bot.row(game, ANNOUNCEMENT)
    slow = bot.discord.faults.add(Slow(1.0), match=Match(method="PATCH", route=rf"/messages/{post.id}$"), times=1)
    delayed = asyncio.create_task(bot.deliver(row))
    await bot.discord.wait_for(lambda: slow.fired == 1, timeout=WAIT_TIMEOUT)
    await bot.deliver(row)
    await bot.deliver(row)
    [again] = bot.discord.messages(bot.channel)
    await delayed
    async with db.transaction(bot.database.sessions) as session:
        assert (await session.get_one(Game, game.id)).message_id == again.id


async def test_players_are_notified_of_a_cancellation_even_after_the_start(bot: Bot) -> None:
    game = await bot.game(("Priya",))
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)
        begun = func.clock_timestamp() - timedelta(hours=1)
        await allow_any_change(session)
        await session.execute(update(NotificationSchedule).values(game_scheduled_at=begun))
    await bot.deliver(await bot.row(game, CANCELLATION))
    assert bot.sent()[0].pinged_users == (bot.discord.world.user("Priya").id,)


async def transition(bot: Bot, game: Game, target: GameStatus) -> GameStatusSchedule:
    statement = select(GameStatusSchedule).where(
        GameStatusSchedule.game_id == game.id, GameStatusSchedule.target_status == target
    )
    async with db.transaction(bot.database.sessions) as session:
        return (await session.execute(statement)).scalar_one()


async def apply(bot: Bot, game: Game, target: GameStatus) -> None:
    row = await transition(bot, game, target)
    await make_due_now(bot.database.sessions, row)
    await bot.handle(StatusTransitionDue(row_id=row.id, game_id=game.id, target_status=target))


async def status(bot: Bot, game: Game) -> GameStatus:
    async with db.transaction(bot.database.sessions) as session:
        return (await session.execute(select(Game.status).where(Game.id == game.id))).scalar_one()


async def test_a_game_starts_and_ends_and_its_announcement_says_so(bot: Bot) -> None:
    game = await bot.game(())
    for target in (GameStatus.IN_PROGRESS, GameStatus.COMPLETED):
        await apply(bot, game, target)
        assert await status(bot, game) is target
        assert (await transition(bot, game, target)).outcome is Outcome.APPLIED
    await bot.deliver(await bot.row(game, ANNOUNCEMENT))
    assert "Completed" in str(bot.discord.messages(bot.channel)[0].embeds)


async def test_an_end_that_arrives_before_the_start_wins(bot: Bot) -> None:
    game = await bot.game(())
    await apply(bot, game, GameStatus.COMPLETED)
    await apply(bot, game, GameStatus.IN_PROGRESS)
    assert await status(bot, game) is GameStatus.COMPLETED
    assert (await transition(bot, game, GameStatus.IN_PROGRESS)).outcome is Outcome.SUPERSEDED


async def test_a_cancelled_game_does_not_start(bot: Bot) -> None:
    game = await bot.game(())
    row = await transition(bot, game, GameStatus.IN_PROGRESS)
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)
    await bot.handle(StatusTransitionDue(row_id=row.id, game_id=game.id, target_status=GameStatus.IN_PROGRESS))
    assert await status(bot, game) is GameStatus.CANCELLED


async def test_an_event_of_a_deleted_row_is_dropped(bot: Bot) -> None:
    game = await bot.game()
    row = await bot.row(game)
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        await session.delete(await session.merge(row))
    await bot.deliver(row)
    assert bot.sent() == []


async def test_mentions_follow_the_roster_until_the_first_attempt_and_then_only_shrink(
    bot: Bot, timing: Timing
) -> None:
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game)
    mia, jonas, priya = (bot.discord.world.user(name).id for name in ("Mia", "Jonas", "Priya"))
    await make_due_now(bot.database.sessions, row)
    async with db.transaction(bot.database.sessions) as session:
        await prepare(session, [DeliveryRequest(row.id, [row.kind])], timing=timing)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=mia)
        await join_game(session, game.id, user_id=priya)
    bot.discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=jonas)
        await join_game(session, game.id, user_id=mia)
    await bot.deliver(row)
    [message] = bot.sent()
    assert set(message.pinged_users) == {priya}  # Mia joined after the first attempt, which may have been sent


async def test_a_late_attempt_mentions_whom_an_earlier_one_has_added(bot: Bot, timing: Timing) -> None:
    """It has read the delivery before another attempt added a player and got a 429."""
    game = await bot.game(("Mia", "Jonas"))
    row = await bot.row(game)
    late = await read_pending(bot, row, timing)
    priya = bot.discord.world.user("Priya").id
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=priya)
    bot.discord.faults.add(TooMany(retry_after=0.01), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        [attempt] = await acquire(session, [late], timing=timing)
    assert isinstance(attempt, SendAttempt)
    assert set(attempt.message.mentions) == {*late.delivery.mentions, priya}


async def make_full_reminder(bot: Bot, fault: object) -> NotificationSchedule:
    """Return a reminder whose only message has no room for more mentions, and whose first request has a fault."""
    game = await bot.game(())
    async with db.transaction(bot.database.sessions) as session:
        for user in range(1, MENTIONS_LIMIT):
            await join_game(session, game.id, user_id=user)
    row = await bot.row(game)
    bot.discord.faults.add(fault, match=CREATE, times=1)  # type: ignore[arg-type]  # any action
    with pytest.raises(TransientError):
        await bot.deliver(row)
    return row


async def count_mentions(bot: Bot, row: NotificationSchedule) -> list[int]:
    return [len(delivery.mentions) for delivery in await bot.ledger(row)]


@pytest.mark.usefixtures("unlimited_channel_wait")
async def test_new_players_get_another_message_if_the_last_has_no_room(bot: Bot) -> None:
    row = await make_full_reminder(bot, TooMany(retry_after=0.01))
    assert await count_mentions(bot, row) == [MENTIONS_LIMIT]  # with the host
    new = [bot.discord.world.user(name).id for name in ("Priya", "Ben")]
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, row.game_id, user_id=1)
        for user in new:
            await join_game(session, row.game_id, user_id=user)
    await bot.deliver(row)
    async with db.transaction(bot.database.sessions) as session:
        now = await session.get_one(NotificationSchedule, row.id)
        assert (now.outcome, now.attempt_at is not None and now.attempt_at <= await db.now(session)) == (None, True)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert await count_mentions(bot, row) == [MENTIONS_LIMIT, 1]
    assert [message.pinged_users for message in bot.sent()] == [(new[0],), (new[1],)]


async def test_a_player_who_joins_while_a_full_message_waits_to_be_sent_gets_another(bot: Bot, timing: Timing) -> None:
    row = await make_full_reminder(bot, TooMany(retry_after=0.01))
    waiting = await read_pending(bot, row, timing)
    priya = bot.discord.world.user("Priya").id
    for _ in range(2):
        async with db.transaction(bot.database.sessions) as session:
            await join_game(session, row.game_id, user_id=priya)
        async with db.transaction(bot.database.sessions) as session:
            await acquire(session, [waiting], timing=timing)
    [full, added] = await bot.ledger(row)
    assert (full.state, added.state) == (DeliveryState.SENDING, DeliveryState.PENDING)
    assert (added.chunk, added.mentions) == (full.chunk + 1, [priya])


async def test_more_new_players_than_a_message_may_mention_get_several(bot: Bot, timing: Timing) -> None:
    row = await make_full_reminder(bot, TooMany(retry_after=0.01))
    waiting = await read_pending(bot, row, timing)
    async with db.transaction(bot.database.sessions) as session:
        for user in range(1_000, 1_001 + MENTIONS_LIMIT):
            await join_game(session, row.game_id, user_id=user)
    async with db.transaction(bot.database.sessions) as session:
        await acquire(session, [waiting], timing=timing)
    assert await count_mentions(bot, row) == [MENTIONS_LIMIT, MENTIONS_LIMIT, 1]


async def test_new_players_get_no_other_message_once_the_last_may_have_been_sent(bot: Bot) -> None:
    row = await make_full_reminder(bot, Status(503))
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, row.game_id, user_id=bot.discord.world.user("Priya").id)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert await count_mentions(bot, row) == [MENTIONS_LIMIT]
