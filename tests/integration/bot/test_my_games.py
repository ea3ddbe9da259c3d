"""`/my-games`, on a server and in direct messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.confirmations import confirm_attendance
from shared.games import NewGame, cancel_game, create_game, remember_guild_name
from shared.guild_settings import change_guild_settings
from shared.models import Answer, Game
from shared.signup import join_game, leave_game
from tests.integration.bot.conftest import post_announcement
from tests.integration.bot.test_commands import HOST, OTHER, PLAYER, plan_game
from tests.support.builders import new_game
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")


async def shown(sandbox: SandboxDiscord, who: str = PLAYER, **where: Any) -> str:
    result = await (await sandbox.slash(who, "my-games", **where)).done()
    assert result.message is not None
    [embed] = result.message.embeds
    return str(embed["description"])


async def join(database: Database, sandbox: SandboxDiscord, game: Game, who: str = PLAYER) -> None:
    async with db.transaction(database.sessions) as session:
        await join_game(session, game.id, user_id=sandbox.world.user(who).id)


async def test_it_shows_the_users_games_soonest_first_with_links_and_relative_times(
    sandbox: SandboxDiscord, database: Database
) -> None:
    later = await plan_game(database, sandbox, title="Later")
    later = await plan_game(database, sandbox, title="Later", scheduled_at=later.scheduled_at + timedelta(days=1))
    sooner = await plan_game(database, sandbox, title="Sooner *rather*")
    await plan_game(database, sandbox, title="Of others")
    cancelled = await plan_game(database, sandbox, title="Cancelled")
    for game in (later, sooner, cancelled):
        await join(database, sandbox, game)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, cancelled.id)
        parameters = {"id": sooner.id, "message_id": await post_announcement(sandbox, sooner)}
        await session.execute(text("UPDATE game SET message_id = :message_id WHERE id = :id"), parameters)
    first, second = (await shown(sandbox)).split("\n\n")
    assert r"Sooner \*rather\*](https://discord.com/channels/" in first
    assert f"<t:{int(sooner.scheduled_at.timestamp())}:R>" in first
    assert "You're going" in first
    assert "Players: 1" in first
    assert "Later" in second


async def test_it_tells_a_seat_that_is_only_offered_from_one_that_is_taken(
    sandbox: SandboxDiscord, database: Database
) -> None:
    game = await plan_game(database, sandbox, capacity=1, offer_minutes=30)
    await join(database, sandbox, game, OTHER)
    await join(database, sandbox, game)
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=sandbox.world.user(OTHER).id)
    assert "A seat is offered to you. To take it, press Join" in await shown(sandbox)
    async with db.transaction(database.sessions) as session:
        await confirm_attendance(session, game.id, user_id=sandbox.world.user(PLAYER).id)
    assert "You're going" in await shown(sandbox)
    async with db.transaction(database.sessions) as session:
        await session.execute(text("UPDATE participant SET is_confirmed = false"))
    assert "You haven't confirmed the new time" in await shown(sandbox)


async def test_a_host_sees_the_games_that_they_host(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, capacity=4)
    assert "You're the host" in await shown(sandbox, HOST)
    assert "going" not in await shown(sandbox, HOST)
    await join(database, sandbox, game, HOST)
    assert "You're the host · ✅ You're going · Players: 1/4" in await shown(sandbox, HOST)


async def test_direct_messages_show_all_servers_and_name_them(sandbox: SandboxDiscord, database: Database) -> None:
    here = await plan_game(database, sandbox, title="Here")
    async with db.transaction(database.sessions) as session:
        await change_guild_settings(session, 77, {"zone": "UTC"}, actor_id=1)
        await remember_guild_name(session, 77, name="Another *table*")
    there = await new_game(database.sessions, guild_id=77, title="There", starts_in=timedelta(hours=9))
    for game in (here, there):
        await join(database, sandbox, game)
    assert "There" not in await shown(sandbox)
    dm = await shown(sandbox, in_channel=sandbox.world.open_dm(PLAYER).id)
    assert dm.index("Here") < dm.index("There")
    assert r"Another \*table\*" in dm


async def test_every_answer_is_shown(sandbox: SandboxDiscord, database: Database) -> None:
    player, taken = sandbox.world.user(PLAYER).id, sandbox.world.user(OTHER).id
    for title, answer in (("Perhaps", Answer.MAYBE), ("Not this time", Answer.DECLINED)):
        game = await plan_game(database, sandbox, title=title)
        async with db.transaction(database.sessions) as session:
            await leave_game(session, game.id, user_id=player, answer=answer)
    full = await plan_game(database, sandbox, title="Full", capacity=1)
    async with db.transaction(database.sessions) as session:
        for user in (taken, player):
            await join_game(session, full.id, user_id=user)
    text = await shown(sandbox)
    for words in ("Maybe", "You can't make it", "On the waitlist · Players: 1/1"):
        assert words in text


async def test_a_user_without_games_is_told_where_to_look(sandbox: SandboxDiscord) -> None:
    assert "`/game list`" in await shown(sandbox, OTHER)


async def test_at_most_25_games_are_shown_and_all_fit(sandbox: SandboxDiscord, database: Database) -> None:
    channel, player = sandbox.world.channel("game-night"), sandbox.world.user(PLAYER).id
    async with db.transaction(database.sessions) as session:
        now = await db.now(session)
        for hours in range(1, 31):
            game = await create_game(
                session,
                NewGame(
                    guild_id=channel.guild_id or 0,
                    channel_id=channel.id,
                    host_id=1,
                    title="x" * 100,
                    scheduled_at=now + timedelta(hours=hours),
                    zone="UTC",
                    duration=timedelta(hours=1),
                ),
            )
            await join_game(session, game.id, user_id=player)
    assert (await shown(sandbox)).count("You're going") >= 15
