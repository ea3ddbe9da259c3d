"""After a game is handed over, what is for its host reaches the new one, and nobody gets it twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from sandbox.discord.faults.model import Match, Status, TooMany
from shared import database as db
from shared.audit import list_game_entries, list_series_entries
from shared.co_hosts import add_co_host, list_co_hosts
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.handover import HandoverResult, hand_over_game, hand_over_series
from shared.models import DeliveryState, Game, GameSeries, NotificationKind, NotificationSchedule, Outcome, Participant
from shared.series.editing import SeriesEdit, edit_series
from shared.series.lifecycle import end_series
from shared.users import change_own_settings
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dms_to, request_dms
from tests.integration.delivery.test_hosts import hosted, leave, names
from tests.integration.delivery.test_minimum import question
from tests.integration.delivery.test_open_attempts import age
from tests.integration.delivery.test_refusals import WARNING, warn
from tests.integration.test_series import new_series, open_games
from tests.support.builders import new_game, rows_of
from tests.support.database import Database

DROP_OUT, MINIMUM, PERSONAL = NotificationKind.DROP_OUT, NotificationKind.MINIMUM, NotificationKind.PERSONAL_REMINDER
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


def user(bot: Bot, name: str) -> int:
    return bot.discord.world.user(name).id


async def hand_over(bot: Bot, game: Game, name: str) -> HandoverResult:
    async with db.transaction(bot.database.sessions) as session:
        actor = (await session.get_one(Game, game.id)).host_id
        return await hand_over_game(session, game.id, user_id=user(bot, name), actor_id=actor)


async def test_the_new_host_is_reminded_and_the_former_one_only_with_a_seat(bot: Bot) -> None:
    games = [await hosted(bot, ("Mia",)), await hosted(bot, ("Mia", "Priya"))]
    for game, reminded in zip(games, ({"Mia", "Ben"}, {"Mia", "Priya", "Ben"}), strict=True):
        assert await hand_over(bot, game, "Ben") is HandoverResult.HANDED_OVER
        assert await bot.deliver_until_settled(await bot.row(game)) is Outcome.DELIVERED
        assert names(bot, channel_messages(bot)[-1]) == reminded


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_new_host_learns_who_has_left(bot: Bot, when: str) -> None:
    game = await hosted(bot, ("Mia", "Jonas"))
    if when == "before":
        await leave(bot, game, "Mia")
    await hand_over(bot, game, "Ben")
    if when == "after":
        await leave(bot, game, "Mia")
    assert await bot.deliver_until_settled(await bot.row(game, DROP_OUT)) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Ben")), dms_to(bot, "Priya")) == (1, [])


async def test_a_notice_that_discord_did_not_take_goes_to_the_new_host(bot: Bot) -> None:
    game = await hosted(bot, ("Mia",))
    await leave(bot, game, "Mia")
    row = await bot.row(game, DROP_OUT)
    bot.discord.faults.add(TooMany(retry_after=0.1), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert [delivery.state for delivery in await bot.ledger(row)] == [DeliveryState.PENDING]
    await hand_over(bot, game, "Ben")
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Ben")), dms_to(bot, "Priya")) == (1, [])


@pytest.mark.parametrize("has_seat", [False, True])
async def test_a_question_that_turns_out_never_to_have_been_sent_goes_to_the_new_host(bot: Bot, has_seat: bool) -> None:
    game, row = await question(bot, *(["Priya"] if has_seat else ["Mia"]))
    bot.discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    await hand_over(bot, game, "Ben")
    await age(bot)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Ben")), dms_to(bot, "Priya")) == (1, [])


async def test_a_warning_that_follows_another_goes_to_the_new_host(bot: Bot) -> None:
    game = await hosted(bot)
    row = await bot.row(game)
    await warn(bot, row, "first reason")
    first = await bot.row(game, WARNING)
    bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(first)
    await warn(bot, row, "second reason")
    await hand_over(bot, game, "Ben")
    second = await bot.row(game, WARNING)
    assert second.user_id == user(bot, "Ben")
    assert await bot.deliver_until_settled(second) is Outcome.DELIVERED
    [to_former], [to_new] = dms_to(bot, "Priya"), dms_to(bot, "Ben")
    assert ("first reason" in to_former.content, "second reason" in to_new.content) == (True, True)


async def test_the_new_host_is_asked_about_a_game_that_is_too_small(bot: Bot) -> None:
    game, row = await question(bot, "Mia")
    await hand_over(bot, game, "Ben")
    [after] = await rows_of(bot.database.sessions, game, MINIMUM)
    assert (after.id, after.due_at, after.user_id) == (row.id, row.due_at, user(bot, "Ben"))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Ben")), dms_to(bot, "Priya")) == (1, [])


async def test_a_question_that_was_withdrawn_before_asks_the_new_host_when_it_is_back(bot: Bot) -> None:
    game, row = await question(bot, "Mia")
    for edit in (GameEdit(minimum_players=0), None, GameEdit(minimum_players=3)):
        async with db.transaction(bot.database.sessions) as session:
            if edit is None:
                await hand_over_game(session, game.id, user_id=user(bot, "Ben"), actor_id=game.host_id)
            else:
                await edit_game(session, game.id, edit)
    assert (await bot.row(game, MINIMUM)).user_id == user(bot, "Ben")
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Ben")), dms_to(bot, "Priya")) == (1, [])


async def test_what_may_have_been_sent_to_the_former_host_is_not_sent_again(bot: Bot) -> None:
    game, row = await question(bot, "Mia")
    bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    await hand_over(bot, game, "Ben")
    await age(bot)
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert (len(dms_to(bot, "Priya")), dms_to(bot, "Ben")) == (1, [])


async def test_extra_reminders_follow_the_host(bot: Bot) -> None:
    await request_dms(bot, "Priya", "Ben")
    for name in ("Priya", "Ben"):
        async with db.transaction(bot.database.sessions) as session:
            await change_own_settings(session, user(bot, name), extra_offset_minutes=30)
    game = await hosted(bot, ("Mia",))
    await hand_over(bot, game, "Ben")
    outcomes = {row.user_id: row.outcome for row in await rows_of(bot.database.sessions, game, PERSONAL)}
    assert outcomes == {user(bot, "Priya"): Outcome.SUPERSEDED, user(bot, "Ben"): None}
    await hand_over(bot, game, "Priya")
    outcomes = {row.user_id: row.outcome for row in await rows_of(bot.database.sessions, game, PERSONAL)}
    assert outcomes == {user(bot, "Priya"): None, user(bot, "Ben"): Outcome.SUPERSEDED}


async def test_it_is_one_change_with_one_entry_and_ends_being_a_co_host(database: Database) -> None:
    game = await new_game(database.sessions, players=(7,), starts_in=timedelta(days=1))
    async with db.transaction(database.sessions) as session:
        await add_co_host(session, game.id, user_id=7, actor_id=game.host_id)
        await edit_game(
            session, game.id, GameEdit(scheduled_at=game.scheduled_at + timedelta(hours=1)), asks_again=True
        )
        before = (await session.get_one(Game, game.id)).revision
        assert await hand_over_game(session, game.id, user_id=7, actor_id=5) is HandoverResult.HANDED_OVER
        assert await hand_over_game(session, game.id, user_id=7, actor_id=5) is HandoverResult.UNCHANGED
        after = await session.get_one(Game, game.id)
        assert (after.host_id, after.revision) == (7, before + 1)
        assert await list_co_hosts(session, game.id) == []
        assert await session.scalar(select(Participant.is_confirmed)) is True
        [entry] = await list_game_entries(session, game.id, limit=1)
        assert (entry.actor_id, entry.action, entry.detail) == (5, "handed over", {"user_id": 7})
        await cancel_game(session, game.id)
        assert await hand_over_game(session, game.id, user_id=8, actor_id=5) is HandoverResult.OVER


async def test_a_series_is_handed_over_from_a_game_on(database: Database) -> None:
    series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        await edit_series(session, series.id, SeriesEdit(open_ahead=3))
    _, second, third = games = await open_games(database.sessions, series)
    async with db.transaction(database.sessions) as session:
        assert await hand_over_game(session, second.id, user_id=7, actor_id=5) is HandoverResult.HANDED_OVER
        assert await hand_over_series(session, second.id, user_id=8, actor_id=5) is HandoverResult.HANDED_OVER
        assert await hand_over_series(session, second.id, user_id=8, actor_id=5) is HandoverResult.UNCHANGED
        [entry, *_] = await list_series_entries(session, series.id, limit=9)
        assert (entry.actor_id, entry.action, entry.detail) == (5, "series handed over", {"user_id": 8})
        await add_co_host(session, third.id, user_id=9, actor_id=5)
        await add_co_host(session, third.id, user_id=first.host_id, actor_id=5)
        await cancel_game(session, first.id)
    async with db.transaction(database.sessions) as session:
        hosts = {game.id: game.host_id for game in await session.scalars(select(Game))}
        assert [hosts.pop(game.id) for game in games] == [first.host_id, 8, 8]
        assert list(hosts.values()) == [8]
        assert (await session.get_one(GameSeries, series.id)).host_id == 8
        assert await hand_over_series(session, first.id, user_id=7, actor_id=5) is HandoverResult.OVER


async def test_a_host_of_the_next_game_is_not_its_co_host_too(database: Database) -> None:
    series, first = await new_series(database.sessions)
    async with db.transaction(database.sessions) as session:
        await hand_over_game(session, first.id, user_id=7, actor_id=5)
        for co_host in (first.host_id, 9):
            await add_co_host(session, first.id, user_id=co_host, actor_id=5)
        await cancel_game(session, first.id)
    [following] = await open_games(database.sessions, series)
    async with db.transaction(database.sessions) as session:
        assert (following.host_id, await list_co_hosts(session, following.id)) == (series.host_id, [9])
        await end_series(session, series.id)
        assert await session.scalar(select(NotificationSchedule.id).where(NotificationSchedule.user_id == 7)) is None
