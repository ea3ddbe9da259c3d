"""Those who have not answered are asked once: a role, or the players of earlier games."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from sandbox.discord.faults.model import Match, Status
from sandbox.discord.world.evidence import Accepted
from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import (
    Answer,
    DeliveryState,
    Game,
    GameStatus,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    Participant,
)
from shared.schedule.populate import lock_game
from shared.series.lifecycle import start_series
from shared.series.rule import Frequency, Rule
from shared.settings import DiscordSettings
from shared.signup import join_game, leave_game, list_players
from shared.users import change_own_settings
from tests.integration.bot.conftest import plan_and_post, reply_text, running_bot
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dm_request, dms_to, request_dms
from tests.integration.delivery.test_hosts import names
from tests.integration.delivery.test_minimum import detail_of
from tests.integration.delivery.test_open_attempts import age
from tests.support.builders import make_due, rows_of
from tests.support.transition_check import allow_any_change

NUDGE = NotificationKind.NUDGE
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")
DAY = timedelta(days=1)


def user(bot: Bot, name: str) -> int:
    return bot.discord.world.user(name).id


async def over(bot: Bot, *players: str, ago: timedelta = DAY, **fields: Any) -> Game:
    """A game of Priya's that is over."""
    fields = {"host_id": user(bot, "Priya")} | fields
    game = await bot.game(players, starts_in=-ago, **fields)
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(Game).where(Game.id == game.id).values(status=GameStatus.COMPLETED))
    return game


async def nudge(bot: Bot, *players: str, **fields: Any) -> tuple[Game, NotificationSchedule]:
    """A game of Priya's in three days, with a nudge a day before."""
    defaults = {"host_id": user(bot, "Priya"), "starts_in": 3 * DAY, "nudge_minutes": 1440}
    game = await bot.game(players, **(defaults | fields))
    [row] = await rows_of(bot.database.sessions, game, NUDGE)
    return game, row


async def answer(bot: Bot, game: Game, name: str, *, with_answer: Answer) -> None:
    async with db.transaction(bot.database.sessions) as session:
        if with_answer is Answer.GOING:
            await join_game(session, game.id, user_id=user(bot, name))
        else:
            await leave_game(session, game.id, user_id=user(bot, name), answer=with_answer)


def labels(message: Accepted) -> list[str]:
    [row] = message.components
    return [button["label"] for button in row["components"]]


def nudged(bot: Bot) -> set[str]:
    """The names of all who were asked, by direct message or by a mention."""
    by_dm = {bot.discord.world.user(it.recipient_id).display_name for it in bot.sent() if it.recipient_id is not None}
    return by_dm.union(*(names(bot, message) for message in channel_messages(bot)))


def players_role(bot: Bot) -> int:
    """The role that everybody may mention."""
    [guild] = bot.discord.world.guilds.values()
    return next(role.id for role in guild.roles.values() if role.name == "Players")


class TestRole:
    async def test_the_channel_mentions_the_role_and_nobody_else(self, bot: Bot) -> None:
        await over(bot, "Mia", "Jonas")
        game, row = await nudge(bot, "Ben", capacity=4, nudge_role_id=players_role(bot))
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        [message] = bot.sent()
        assert message.channel_id == game.channel_id
        assert (message.pinged_roles, message.pinged_users) == ((players_role(bot),), ())
        start = int(game.scheduled_at.timestamp())
        assert game.title in message.content and f"<t:{start}:F>" in message.content
        assert "3 seats are free" in message.content
        assert labels(message) == ["Join", "Maybe", "Can't"]

    async def test_a_retry_does_not_repeat_it(self, bot: Bot) -> None:
        _, row = await nudge(bot, nudge_role_id=players_role(bot))
        bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert len(bot.sent()) == 1


class TestEarlierPlayers:
    async def test_those_who_have_not_answered_are_asked_where_they_get_reminders(self, bot: Bot) -> None:
        await over(bot, "Mia", "Jonas", "Ben", "Zoë", "Aiko", "Oskar", "Priya")
        await request_dms(bot, "Mia")
        async with db.transaction(bot.database.sessions) as session:
            await change_own_settings(session, user(bot, "Oskar"), reminders_off=True)
        game, row = await nudge(bot, "Ben")
        await answer(bot, game, "Zoë", with_answer=Answer.MAYBE)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        [direct], [public] = dms_to(bot, "Mia"), channel_messages(bot)
        assert names(bot, public) == {"Jonas", "Aiko"}
        assert labels(direct) == labels(public) == ["Join", "Maybe", "Can't"]
        assert nudged(bot) == {"Mia", "Jonas", "Aiko"}

    async def test_only_direct_messages_leave_the_channel_alone(self, bot: Bot) -> None:
        await over(bot, "Mia")
        await request_dms(bot, "Mia")
        _, row = await nudge(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert len(dms_to(bot, "Mia")) == 1 and channel_messages(bot) == []

    async def test_of_others_games_and_other_servers_and_long_ago_nobody_is_asked(self, bot: Bot) -> None:
        await over(bot, "Mia", host_id=user(bot, "Ben"))
        await over(bot, "Jonas", guild_id=77)
        await over(bot, "Zoë", ago=61 * DAY)
        await bot.game(("Oskar",), host_id=user(bot, "Priya"))  # it is not over
        await over(bot, "Aiko", ago=59 * DAY)
        _, row = await nudge(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert nudged(bot) == {"Aiko"}

    async def test_the_last_five_games_of_the_host_count(self, bot: Bot) -> None:
        for days, player in enumerate(("Mia", "Jonas", "Ben", "Zoë", "Aiko", "Oskar"), start=1):
            await over(bot, player, ago=days * DAY)
        _, row = await nudge(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert nudged(bot) == {"Mia", "Jonas", "Ben", "Zoë", "Aiko"}

    async def test_in_a_series_only_its_own_games_count(self, bot: Bot) -> None:
        await over(bot, "Mia")
        game, row = await nudge(bot)
        async with db.transaction(bot.database.sessions) as session:
            series = await start_series(session, await lock_game(session, game.id), Rule(frequency=Frequency.DAILY))
            series_id = series.id
        earlier = await over(bot, "Jonas", ago=2 * DAY)
        async with db.transaction(bot.database.sessions) as session:
            await allow_any_change(session)
            of_series = {"series_id": series_id, "occurrence": earlier.local_time}
            await session.execute(update(Game).where(Game.id == earlier.id).values(**of_series))
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert nudged(bot) == {"Jonas"}

    async def test_nobody_to_ask_settles_it_without_a_message(self, bot: Bot) -> None:
        await over(bot, "Mia")
        _, row = await nudge(bot, "Mia")
        assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
        assert await detail_of(bot.database, row) == "there is nobody to nudge"
        assert bot.sent() == []

    @pytest.mark.parametrize("with_answer", [Answer.GOING, Answer.MAYBE, Answer.DECLINED])
    async def test_who_answers_while_it_is_sent_is_not_asked(self, bot: Bot, with_answer: Answer) -> None:
        await over(bot, "Mia", "Jonas")
        await request_dms(bot, "Mia", "Jonas")
        game, row = await nudge(bot)
        bot.discord.faults.add(Status(503), match=dm_request(bot, "Jonas"), times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        await answer(bot, game, "Jonas", with_answer=with_answer)
        await age(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert nudged(bot) == {"Mia"}

    async def test_it_was_delivered_if_all_have_answered_before_the_last_of_them_is_sent_one(self, bot: Bot) -> None:
        await over(bot, "Mia", "Jonas")
        await request_dms(bot, "Mia", "Jonas")
        game, row = await nudge(bot)
        bot.discord.faults.add(Status(429), match=dm_request(bot, "Jonas"), times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        for name in ("Mia", "Jonas"):
            await answer(bot, game, name, with_answer=Answer.GOING)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert nudged(bot) == {"Mia"}

    async def test_who_is_to_be_mentioned_and_answers_first_is_not_mentioned(self, bot: Bot) -> None:
        await over(bot, "Mia", "Jonas")
        await request_dms(bot, "Mia")
        game, row = await nudge(bot)
        bot.discord.faults.add(Status(503), match=CREATE, times=2)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        await answer(bot, game, "Jonas", with_answer=Answer.GOING)
        await age(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert len(dms_to(bot, "Mia")) == 1 and channel_messages(bot) == []

    async def test_the_only_one_who_answers_before_the_message_is_sent_gets_none(self, bot: Bot) -> None:
        await over(bot, "Mia")
        game, row = await nudge(bot)
        bot.discord.faults.add(Status(429), match=CREATE, times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        await answer(bot, game, "Mia", with_answer=Answer.DECLINED)
        assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
        assert await detail_of(bot.database, row) == "there is nobody to nudge"
        assert bot.sent() == []

    async def test_the_only_one_who_answers_a_message_whose_response_is_lost_was_nudged(self, bot: Bot) -> None:
        await over(bot, "Mia")
        game, row = await nudge(bot)
        bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        await answer(bot, game, "Mia", with_answer=Answer.GOING)
        await age(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert len(bot.sent()) == 1

    async def test_one_that_was_never_sent_is_not_sent_after_the_host_has_removed_it(self, bot: Bot) -> None:
        await over(bot, "Mia")
        game, row = await nudge(bot)
        bot.discord.faults.add(Status(502), match=CREATE, times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        async with db.transaction(bot.database.sessions) as session:
            await edit_game(session, game.id, GameEdit(nudge_minutes=0))
        assert await bot.outcome(row) is None
        await age(bot)
        assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
        assert await detail_of(bot.database, row) == "the game has no nudge any more"
        assert bot.sent() == []

    async def test_closed_dms_lead_to_the_channel(self, bot: Bot) -> None:
        await over(bot, "Mia")
        await request_dms(bot, "Mia")
        bot.discord.world.close_dms("Mia")
        _, row = await nudge(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        [message] = channel_messages(bot)
        assert names(bot, message) == {"Mia"}

    async def test_a_message_whose_response_is_lost_is_not_repeated(self, bot: Bot) -> None:
        await over(bot, "Mia", "Jonas")
        _, row = await nudge(bot)
        bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
        with pytest.raises(TransientError):
            await bot.deliver(row)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        assert len(channel_messages(bot)) == 1

    async def test_many_are_asked_in_groups(self, bot: Bot) -> None:
        earlier = await over(bot)
        async with db.transaction(bot.database.sessions) as session:
            session.add_all(Participant(game_id=earlier.id, user_id=player) for player in range(1, 101))
        _, row = await nudge(bot)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        mentions = [delivery.mentions for delivery in await bot.ledger(row)]
        assert [len(users) for users in mentions] == [75, 25]
        assert {user for users in mentions for user in users} == set(range(1, 101))


@pytest.mark.parametrize("by", ["role", "mention", "DM"])
async def test_from_the_command_to_the_answer(bot: Bot, by: str) -> None:
    settings = DiscordSettings(token=SecretStr(bot.discord.token), api_url=bot.discord.url)
    await over(bot, "Mia", guild_id=next(iter(bot.discord.world.guilds)))
    if by == "DM":
        await request_dms(bot, "Mia")
    options = {"title": "Tomb", "when": "in 120 hours", "players": 4, "nudge": "1d"}
    options |= {"nudge-role": "Players"} if by == "role" else {}
    async with running_bot(settings, bot.database.sessions):
        assert "I'll nudge" in await reply_text(plan_and_post(bot.discord, "Priya", **options))
        async with db.transaction(bot.database.sessions) as session:
            game = (await session.scalars(select(Game).where(Game.title == "Tomb"))).one()
        [row] = await rows_of(bot.database.sessions, game, NUDGE)
        assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
        [message] = [it for it in bot.sent() if it.visible_to is None]
        assert (message.recipient_id is not None) == (by == "DM")
        assert message.pinged_roles == ((players_role(bot),) if by == "role" else ())
        join = message.components[0]["components"][0]["custom_id"]
        assert "You're in!" in await reply_text(bot.discord.click("Mia", message.message_id, join))
    async with db.transaction(bot.database.sessions) as session:
        assert await list_players(session, game.id) == [user(bot, "Mia")]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("moved", "the game changed"),
        ("cancelled", "the game changed"),
        ("no nudge", "the game changed"),
        ("full", "the game is full"),
        ("closed", "sign-ups are closed"),
        ("started", "sign-ups are closed"),
        ("not announced", "the game is not announced yet"),
    ],
)
async def test_a_useless_nudge_is_not_sent(bot: Bot, change: str, detail: str) -> None:
    await over(bot, "Mia")
    fields: dict[str, Any] = {}
    async with db.transaction(bot.database.sessions) as session:
        now = await db.now(session)
    if change == "full":
        fields = {"capacity": 1}
    elif change == "closed":
        fields = {"closes_minutes": 1440}
    elif change == "not announced":
        fields = {"announce_at": now + 2.5 * DAY}
    game, row = await nudge(bot, "Ben", **fields)
    async with db.transaction(bot.database.sessions) as session:
        match change:
            case "moved":
                await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + DAY))
            case "cancelled":
                await cancel_game(session, game.id)
            case "no nudge":
                await edit_game(session, game.id, GameEdit(nudge_minutes=0))
            case "closed":
                await allow_any_change(session)
                await session.execute(update(Game).where(Game.id == game.id).values(closes_minutes=3 * 1440))
            case "started":
                await allow_any_change(session)
                await session.execute(update(Game).where(Game.id == game.id).values(status=GameStatus.IN_PROGRESS))
    if change == "not announced":
        await make_due(bot.database.sessions, row)
    assert await bot.deliver_until_settled(row) is Outcome.SUPERSEDED
    assert (await detail_of(bot.database, row) or "").startswith(detail)
    assert bot.sent() == []


async def test_a_nudge_that_comes_after_the_start_expires(bot: Bot) -> None:
    await over(bot, "Mia")
    game, row = await nudge(bot)
    async with db.transaction(bot.database.sessions) as session:
        await allow_any_change(session)
        begun = await db.now(session) - timedelta(minutes=2)
        await session.execute(update(Game).where(Game.id == game.id).values(scheduled_at=begun))
        of_row = NotificationSchedule.id == row.id
        await session.execute(update(NotificationSchedule).where(of_row).values(game_scheduled_at=begun))
    assert await bot.deliver_until_settled(row) is Outcome.EXPIRED
    assert bot.sent() == []


async def test_one_that_was_sent_to_some_is_not_sent_to_them_again_at_another_time(bot: Bot) -> None:
    await over(bot, "Mia", "Jonas")
    await request_dms(bot, "Mia", "Jonas")
    game, row = await nudge(bot)
    bot.discord.faults.add(Status(429), match=dm_request(bot, "Jonas"), times=1)
    with pytest.raises(TransientError):
        await bot.deliver(row)
    assert [it.state for it in await bot.ledger(row) if it.state is DeliveryState.SENT] == [DeliveryState.SENT]
    async with db.transaction(bot.database.sessions) as session:
        await edit_game(session, game.id, GameEdit(nudge_minutes=60))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    assert len(dms_to(bot, "Mia")) == len(dms_to(bot, "Jonas")) == 1
