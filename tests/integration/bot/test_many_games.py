"""A server with many games: searches stay small, and quotas leave room for everyone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from pydantic import SecretStr
from sqlalchemy import event, select, text

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.games import cancel_game
from shared.models import Game
from shared.settings import DiscordSettings, GameSettings
from tests.integration.bot.conftest import StartBot, plan_and_post, reply_text, running_bot
from tests.integration.bot.test_commands import HOST, MANAGER, PLAYER, all_games, cancel, create, plan_game
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

GAMES, PLAYERS = 200, 50


@asynccontextmanager
async def counted(database: Database) -> AsyncIterator[list[int]]:
    """Count the rows that each statement returns or changes in a block."""
    rows: list[int] = []

    def note(_connection: object, cursor: object, *_arguments: object) -> None:
        rows.append(max(0, int(getattr(cursor, "rowcount", 0))))

    event.listen(database.engine.sync_engine, "after_cursor_execute", note)
    try:
        yield rows
    finally:
        event.remove(database.engine.sync_engine, "after_cursor_execute", note)


async def fill(database: Database, sandbox: SandboxDiscord) -> None:
    """Fill a server with games and players."""
    first = await plan_game(database, sandbox, title="Strahd 0")
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(
            text(
                "INSERT INTO game (id, guild_id, channel_id, host_id, title, scheduled_at, zone, local_time, duration) "
                "SELECT gen_random_uuid(), guild_id, channel_id, host_id, 'Strahd ' || number, "
                "scheduled_at + number * interval '1 minute', zone, local_time, duration "
                "FROM game, generate_series(1, :games) AS number WHERE id = :id"
            ),
            {"id": first.id, "games": GAMES - 1},
        )
        await session.execute(
            text("INSERT INTO participant SELECT id, number, now() FROM game, generate_series(1, :players) AS number"),
            {"players": PLAYERS},
        )


@pytest.mark.usefixtures("bot")
async def test_a_keystroke_reads_a_few_rows_in_one_search(sandbox: SandboxDiscord, database: Database) -> None:
    await fill(database, sandbox)
    async with counted(database) as rows:
        for command in ("game show", "game edit", "game cancel"):
            result = await sandbox.autocomplete(HOST, command, "game", game="STRAHD 1")
            assert len(result.choices) == 25
            assert result.choices[0]["name"].startswith("Strahd 1 ")  # the exact title
    assert len(rows) <= 3 * 3
    assert sum(rows) <= 3 * (25 + 2)  # the games, the server's settings and the user's zone


@pytest.mark.usefixtures("bot")
async def test_the_list_counts_players_without_reading_them(sandbox: SandboxDiscord, database: Database) -> None:
    await fill(database, sandbox)
    async with counted(database) as rows:
        result = await sandbox.slash(PLAYER, "game list")
        await result.done()
    assert f"{PLAYERS} players" in result.message.embeds[0]["description"]
    assert sum(rows) <= 30


@pytest.mark.usefixtures("bot")
async def test_one_game_of_many_is_shown_with_only_its_own_players(sandbox: SandboxDiscord, database: Database) -> None:
    await fill(database, sandbox)
    async with counted(database) as rows:
        result = await sandbox.slash(PLAYER, "game show", game="strahd 77")
        await result.done()
    assert "Strahd 77" in result.message.embeds[0]["title"]
    assert sum(rows) <= PLAYERS + 30


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("title", ["100%", "a_b", "back\\slash", "Straße"])
async def test_signs_of_patterns_mean_themselves(sandbox: SandboxDiscord, database: Database, title: str) -> None:
    await plan_game(database, sandbox, title=title)
    await plan_game(database, sandbox, title="1000 axb backslash")
    result = await sandbox.autocomplete(PLAYER, "game show", "game", game=title)
    assert [choice["name"].split(" · ")[0] for choice in result.choices] == [title]


class TestQuotas:
    @pytest.fixture
    async def limited(self, sandbox: SandboxDiscord, database: Database) -> AsyncIterator[None]:
        settings = DiscordSettings(token=SecretStr(sandbox.token), api_url=sandbox.url)
        async with running_bot(settings, database.sessions, limits=GameSettings(per_host=2, per_server=3)):
            yield

    @pytest.mark.usefixtures("limited")
    async def test_one_host_cannot_crowd_out_the_others(self, sandbox: SandboxDiscord, database: Database) -> None:
        for _ in range(2):
            assert "is set for" in await reply_text(create(sandbox))
        assert "`/game cancel`" in await reply_text(create(sandbox))
        assert "is set for" in await reply_text(plan_and_post(sandbox, PLAYER, title="Another", when="in 2 hours"))
        refused = await reply_text(plan_and_post(sandbox, MANAGER, title="Full", when="in 2 hours"))
        assert "This server would have 4 open games, and the limit is 3." in refused
        assert len(await all_games(database)) == 3

    @pytest.mark.usefixtures("limited")
    async def test_games_that_are_over_or_cancelled_do_not_count(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await plan_game(database, sandbox, scheduled_at=datetime.now(UTC) - timedelta(days=3))
        await plan_game(database, sandbox, guild_id=999)
        async with db.transaction(database.sessions) as session:
            await cancel_game(session, game.id)
        for text_ in ("is set for", "is set for", "the limit is 2 for one host"):
            assert text_ in await reply_text(create(sandbox))

    @pytest.mark.usefixtures("limited")
    async def test_a_game_of_several_days_counts_and_is_listed_until_it_is_over(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        started = datetime.now(UTC) - timedelta(days=4)
        await plan_game(database, sandbox, title="A week away", scheduled_at=started, duration=timedelta(days=7))
        assert "is set for" in await reply_text(create(sandbox))
        assert "the limit is 2 for one host" in await reply_text(create(sandbox))
        listed = await (await sandbox.slash(HOST, "game list")).done()
        assert listed.message is not None
        assert "A week away" in str(listed.message.embeds)

    @pytest.mark.usefixtures("limited")
    async def test_games_that_are_created_at_once_share_the_quota(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        texts = await asyncio.gather(*(reply_text(create(sandbox)) for _ in range(6)))
        assert sum("is set for" in shown for shown in texts) == 2
        assert len(await all_games(database)) == 2

    @pytest.mark.usefixtures("limited")
    async def test_a_series_cannot_open_more_games_at_once_than_fit(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await reply_text(create(sandbox, repeat="daily"))
        change = partial(sandbox.slash, HOST, "series edit", series="strahd")
        refused = await reply_text(change(**{"open-at-once": 3}))
        assert "You would have 3 open games on this server, and the limit is 2 for one host." in refused
        assert "Or enter a smaller number for `open-at-once`." in refused
        assert len(await all_games(database)) == 1
        assert "is changed" in await reply_text(change(**{"open-at-once": 2}))
        assert len(await all_games(database)) == 2
        assert "is changed" in await reply_text(change(**{"open-at-once": 1}))

    @pytest.mark.usefixtures("limited")
    async def test_a_series_is_resumed_only_within_the_quotas(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        async def resume(who: str) -> str:
            return await reply_text(sandbox.slash(who, "series resume", series="strahd"))

        await reply_text(create(sandbox, repeat="daily"))
        [first] = await all_games(database)
        await reply_text(sandbox.slash(HOST, "series pause", series="strahd"))
        await cancel(sandbox, HOST, first)
        for _ in range(2):
            await reply_text(create(sandbox))
        assert "You would have 3 open games on this server, and the limit is 2" in await resume(HOST)
        assert f"<@{sandbox.world.user(HOST).id}> would have 3 open games" in await resume(MANAGER)
        assert len(await all_games(database)) == 3
        open_game = next(game for game in await all_games(database) if not game.status.is_final)
        await cancel(sandbox, HOST, open_game)
        assert "goes on. I'm announcing the next game" in await resume(HOST)
        assert "goes on" in await resume(HOST)
        assert len(await all_games(database)) == 4


async def test_by_default_a_host_may_plan_a_game_for_every_evening_of_two_weeks(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    assert (GameSettings().per_host, GameSettings().per_server) == (20, 200)
    async with start_bot(database.sessions):
        for _ in range(14):
            await plan_game(database, sandbox)
        assert "is set for" in await reply_text(create(sandbox))
        async with db.transaction(database.sessions) as session:
            assert len((await session.execute(select(Game.id))).all()) == 15
