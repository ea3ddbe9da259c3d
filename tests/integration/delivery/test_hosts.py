"""Hosts are reminded of their games, and learn who has left."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from sandbox.discord.faults.model import Match, Status
from sandbox.discord.world.evidence import Accepted
from shared import database as db
from shared.errors import TransientError
from shared.games import cancel_game
from shared.models import Game, Guild, NotificationKind, Outcome
from shared.signup import join_game, leave_game
from tests.integration.delivery.conftest import Bot
from tests.integration.delivery.test_direct_messages import channel_messages, dms_to, request_dms
from tests.support.builders import rows_of

DROP_OUT = NotificationKind.DROP_OUT
CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


async def hosted(bot: Bot, players: tuple[str, ...] = ("Mia", "Jonas")) -> Game:
    """Create a game of Priya's."""
    game = await bot.game(players, host_id=bot.discord.world.user("Priya").id, capacity=5)
    async with db.transaction(bot.database.sessions) as session:
        await session.execute(update(Guild).values(name="The **Den**"))
    return game


async def leave(bot: Bot, game: Game, *names: str) -> None:
    for name in names:
        async with db.transaction(bot.database.sessions) as session:
            await leave_game(session, game.id, user_id=bot.discord.world.user(name).id)


def names(bot: Bot, message: Accepted) -> set[str]:
    """The names of those whom a message pings, which it does once each."""
    assert len(set(message.pinged_users)) == len(message.pinged_users)
    return {bot.discord.world.user(user).display_name for user in message.pinged_users}


def button(message: Accepted) -> tuple[str, bool]:
    """Return the last button of a message, after those that snooze it."""
    [row] = message.components
    last = row["components"][-1]
    return last["label"], last.get("disabled", False)


async def test_a_host_without_a_seat_is_reminded_with_the_players(bot: Bot) -> None:
    row = await bot.row(await hosted(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public] = channel_messages(bot)
    assert names(bot, public) == {"Mia", "Jonas", "Priya"}
    assert button(public) == ("Can't make it", False)


async def test_a_host_who_plays_is_mentioned_once(bot: Bot) -> None:
    row = await bot.row(await hosted(bot, ("Priya", "Mia")))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public] = channel_messages(bot)
    assert names(bot, public) == {"Priya", "Mia"}
    assert public.content.count(f"<@{bot.discord.world.user('Priya').id}>") == 1


async def test_a_host_gets_a_dm_that_names_the_server_and_has_nothing_to_leave(bot: Bot) -> None:
    await request_dms(bot, "Priya", "Mia")
    row = await bot.row(await hosted(bot))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public], [to_host], [to_player] = channel_messages(bot), dms_to(bot, "Priya"), dms_to(bot, "Mia")
    assert names(bot, public) == {"Jonas"}
    assert r"Server: The \*\*Den\*\*" in to_host.content and r"Server: The \*\*Den\*\*" in to_player.content
    assert "Server" not in public.content
    assert (button(to_host), button(to_player)) == (("You're the host", True), ("Can't make it", False))


async def test_a_reminder_for_nobody_pings_the_host_without_a_button_to_press(bot: Bot) -> None:
    row = await bot.row(await hosted(bot, ()))
    assert await bot.deliver_until_settled(row) is Outcome.DELIVERED
    [public] = channel_messages(bot)
    assert names(bot, public) == {"Priya"}
    assert "Nobody has signed up yet." in public.content
    assert button(public) == ("Nobody has signed up", True)


async def test_drop_outs_before_the_notice_is_sent_share_one_dm(bot: Bot) -> None:
    game = await hosted(bot, ("Mia", "Jonas", "Ben"))
    await leave(bot, game, "Mia", "Jonas")
    first, second = await rows_of(bot.database.sessions, game, DROP_OUT)
    assert await bot.outcome(first) is Outcome.SUPERSEDED
    assert await bot.deliver_until_settled(second) is Outcome.DELIVERED
    await leave(bot, game, "Ben")
    assert await bot.deliver_until_settled(await bot.row(game, DROP_OUT)) is Outcome.DELIVERED
    users = bot.discord.world.user
    together, alone = dms_to(bot, "Priya")
    assert f"<@{users('Mia').id}> and <@{users('Jonas').id}> can't make it" in together.content
    assert "Players: 1/5" in together.content
    assert f"👋 <@{users('Ben').id}> can't make it" in alone.content
    assert channel_messages(bot) == []


async def test_players_who_leave_at_once_are_all_named(bot: Bot) -> None:
    players = ("Mia", "Jonas", "Ben", "Aiko")
    game = await hosted(bot, players)
    await asyncio.gather(*(leave(bot, game, name) for name in players))
    assert await bot.deliver_until_settled(await bot.row(game, DROP_OUT)) is Outcome.DELIVERED
    [only] = dms_to(bot, "Priya")
    assert all(f"<@{bot.discord.world.user(name).id}>" in only.content for name in players)


async def test_a_player_who_is_back_is_no_drop_out(bot: Bot) -> None:
    game = await hosted(bot, ("Mia", "Jonas"))
    await leave(bot, game, "Mia", "Jonas")
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert (await bot.row(game, DROP_OUT)).user_ids == [bot.discord.world.user("Jonas").id]
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Jonas").id)
    assert {row.outcome for row in await rows_of(bot.database.sessions, game, DROP_OUT)} == {Outcome.SUPERSEDED}


async def test_a_player_who_leaves_while_a_notice_may_be_sent_is_in_the_next_one(bot: Bot) -> None:
    game = await hosted(bot, ("Mia", "Jonas", "Ben"))
    await leave(bot, game, "Mia")
    first = await bot.row(game, DROP_OUT)
    bot.discord.faults.add(Status(502, accepted=True), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await bot.deliver(first)
    await leave(bot, game, "Jonas", "Ben")
    async with db.transaction(bot.database.sessions) as session:
        await join_game(session, game.id, user_id=bot.discord.world.user("Ben").id)
    assert await bot.deliver_until_settled(first) is Outcome.DELIVERED
    following = await bot.row(game, DROP_OUT)
    assert following.user_ids == [bot.discord.world.user("Jonas").id]
    assert await bot.deliver_until_settled(following) is Outcome.DELIVERED
    for name, message in zip(("Mia", "Jonas"), dms_to(bot, "Priya"), strict=True):
        assert f"<@{bot.discord.world.user(name).id}>" in message.content


async def test_a_host_with_closed_dms_learns_of_drop_outs_in_the_channel(bot: Bot) -> None:
    bot.discord.world.close_dms("Priya")
    game = await hosted(bot, ("Mia", "Jonas"))
    for player in ("Mia", "Jonas"):  # the first finds out that they are closed
        await leave(bot, game, player)
        assert await bot.deliver_until_settled(await bot.row(game, DROP_OUT)) is Outcome.DELIVERED
    assert [names(bot, message) for message in channel_messages(bot)] == [{"Priya"}, {"Priya"}]


async def test_the_host_who_leaves_and_a_cancelled_game_give_no_notice(bot: Bot) -> None:
    game = await hosted(bot, ("Priya", "Mia"))
    await leave(bot, game, "Priya")
    assert await rows_of(bot.database.sessions, game, DROP_OUT) == []
    await leave(bot, game, "Mia")
    async with db.transaction(bot.database.sessions) as session:
        await cancel_game(session, game.id)
    assert await bot.outcome(await bot.row(game, DROP_OUT)) is Outcome.SUPERSEDED
