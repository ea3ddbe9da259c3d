"""`/game host`, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from bot.features import interactions
from sandbox.discord.faults.model import Drop, DuplicateInteraction, Match, Status
from sandbox.discord.interactions.interaction import AnswerKind, InteractionResult
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.audit import list_game_entries
from shared.models import Game
from shared.settings import DiscordSettings, GameSettings
from tests.integration.bot.conftest import StartBot, reply_text, running_bot
from tests.integration.bot.test_commands import HOST, MANAGER, OTHER, PLAYER, all_games, only_game, plan_game
from tests.integration.bot.test_rights import suggested
from tests.integration.bot.test_series import only_series, open_games, repeat, series
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT


async def hand_over(sandbox: SandboxDiscord, game: Game, user: Any, *, who: str = HOST, **options: Any) -> str:
    return (await answer(sandbox, game, user, who=who, **options)).content


def notified(sandbox: SandboxDiscord) -> list[int]:
    """Return whom messages have notified, as often as they did."""
    assert not any(record.pinged_roles or record.pings_everyone for record in sandbox.evidence)
    return [user for record in sandbox.evidence for user in record.pinged_users]


async def answer(
    sandbox: SandboxDiscord, game: Game, user: Any, *, who: str = HOST, **options: Any
) -> InteractionResult:
    return await (await sandbox.slash(who, "game host", game=str(game.id), user=user, **options)).done()


@pytest.mark.usefixtures("bot")
class TestHandover:
    async def test_everyone_reads_who_is_the_host_now_and_only_that_user_is_notified_once(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, title="<@1> @everyone")
        result = await answer(sandbox, game, PLAYER)
        player = sandbox.world.user(PLAYER).id
        assert f"<@{player}> is now the host of" in result.content and not result.ephemeral
        assert notified(sandbox) == [player]
        assert (await only_game(database)).host_id == player
        assert await suggested(sandbox, PLAYER) == 1 and await suggested(sandbox, HOST) == 0
        assert "Only the host can hand over" in await hand_over(sandbox, game, HOST)
        history = await reply_text(sandbox.slash(PLAYER, "game history", game=str(game.id)))
        assert f"<@{sandbox.world.user(HOST).id}> made <@{player}> the host" in history

    async def test_the_host_and_managers_can_and_co_hosts_cannot(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await reply_text(sandbox.slash(HOST, "game co-host add", game=str(game.id), user=OTHER))
        for who in (OTHER, PLAYER):
            result = await answer(sandbox, game, OTHER, who=who)
            assert "Only the host can hand over this game. Ask <@" in result.content
        assert f"Ask <@{game.host_id}>" in await hand_over(sandbox, game, HOST, who=PLAYER)
        assert notified(sandbox) == []
        assert "is now the host" in await hand_over(sandbox, game, OTHER, who=MANAGER)

    async def test_an_answer_that_takes_long_is_shown_all_the_same(
        self, sandbox: SandboxDiscord, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(interactions, "FIRST_ANSWER_TIMEOUT", 0.0)
        game = await plan_game(database, sandbox)
        result = await answer(sandbox, game, PLAYER)
        assert result.kind is AnswerKind.DEFERRED_MESSAGE and not result.ephemeral
        assert "is now the host" in result.content

    @pytest.mark.parametrize("fault", [Drop(accepted=True), Status(502, accepted=True), Status(502)])
    async def test_an_answer_of_which_the_result_is_lost_notifies_once(
        self, sandbox: SandboxDiscord, database: Database, fault: Drop | Status
    ) -> None:
        game = await plan_game(database, sandbox)
        sandbox.faults.add(fault, Match(route="callback"), times=1)
        result = await answer(sandbox, game, PLAYER)
        assert "is now the host" in result.content and not result.ephemeral
        assert notified(sandbox) == [sandbox.world.user(PLAYER).id]

    async def test_bots_strangers_and_the_host_are_refused(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        sandbox.world.add_user("Nina")
        assert "is a bot, which can't be a host" in await hand_over(sandbox, game, sandbox.world.bot.id)
        assert "isn't on this server" in await hand_over(sandbox, game, "Nina")
        assert "is the host of **Curse of Strahd** already" in await hand_over(sandbox, game, HOST)
        assert "isn't part of a series" in await hand_over(sandbox, game, PLAYER, following=True)
        await reply_text(sandbox.slash(MANAGER, "game host", game="no such game", user=PLAYER))
        assert notified(sandbox) == []
        assert (await only_game(database)).host_id == game.host_id

    async def test_a_series_is_handed_over_with_the_games_that_follow(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await repeat(sandbox)
        await series(sandbox, "edit", **{"open-at-once": 2})
        first, second = await open_games(database)
        text = await hand_over(sandbox, first, PLAYER)
        assert "Only of this game. To hand over the series too, use `following`." in text
        player, other = sandbox.world.user(PLAYER).id, sandbox.world.user(OTHER).id
        assert [game.host_id for game in await open_games(database)] == [player, second.host_id]
        assert "Only the host can hand over this series" in await hand_over(
            sandbox, first, OTHER, who=PLAYER, following=True
        )
        text = await hand_over(sandbox, first, OTHER, who=MANAGER, following=True)
        assert "and of all games that follow in its series" in text
        assert [game.host_id for game in await open_games(database)] == [other, other]
        assert (await only_series(database)).host_id == other


async def test_it_happens_once_when_discord_delivers_it_twice(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions), start_bot(database.sessions):
        sandbox.faults.add(DuplicateInteraction(), times=1)
        result = await answer(sandbox, game, PLAYER)
        await sandbox.wait_for(
            lambda: sum(record.kind == "edit" for record in sandbox.evidence) >= 3, timeout=WAIT_TIMEOUT
        )
    assert "is now the host" in result.content
    assert notified(sandbox) == [sandbox.world.user(PLAYER).id]
    async with db.transaction(database.sessions) as session:
        actions = [entry.action for entry in await list_game_entries(session, game.id, limit=9)]
    assert actions == ["handed over", "created"]


async def test_the_new_host_has_no_more_games_than_allowed(sandbox: SandboxDiscord, database: Database) -> None:
    settings = DiscordSettings(token=SecretStr(sandbox.token), api_url=sandbox.url)
    # A server that is full is no obstacle, because it gets no more games.
    async with running_bot(settings, database.sessions, limits=GameSettings(per_host=2, per_server=3)):
        games = [await plan_game(database, sandbox) for _ in range(3)]
        for game in games[:2]:
            assert "is now the host" in await hand_over(sandbox, game, PLAYER)
        refused = await hand_over(sandbox, games[2], PLAYER)
        assert f"<@{sandbox.world.user(PLAYER).id}> would have 3 open games on this server" in refused
        assert "the limit is 2 for one host" in refused and "Or choose somebody else." in refused
        assert len(notified(sandbox)) == 2
    assert [game.host_id for game in await all_games(database)].count(sandbox.world.user(PLAYER).id) == 2
