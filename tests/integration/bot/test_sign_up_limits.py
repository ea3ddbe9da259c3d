"""Until when users can join, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.models import Game
from shared.signup import JoinResult, join_game, list_waitlist
from tests.integration.bot.conftest import plan_and_post, post_announcement, press_button, reply_text
from tests.integration.bot.test_commands import (
    CHANNEL,
    HOST,
    OTHER,
    PLAYER,
    all_games,
    create,
    only_game,
    plan_game,
    players_of,
    press,
)
from tests.integration.bot.test_editing import edit
from tests.integration.bot.test_templates import save
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")


async def join(database: Database, sandbox: SandboxDiscord, game: Game, *names: str, by: int | None = None) -> None:
    for name in names:
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=sandbox.world.user(name).id, by=by)


async def waitlist_of(database: Database, game: Game) -> list[int]:
    async with db.transaction(database.sessions) as session:
        return await list_waitlist(session, game.id)


def fields_of(sandbox: SandboxDiscord) -> dict[str, str]:
    """Return the fields of the announcement in the channel."""
    [message] = sandbox.messages(CHANNEL)
    return {field["name"]: field["value"] for field in message.embeds[0]["fields"]}


class TestDeadline:
    async def test_the_host_chooses_it_and_everyone_sees_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        text = await reply_text(create(sandbox, when="in 5 hours", closes="2 hours before"))
        game = await only_game(database)
        assert game.closes_minutes == 120
        closes = int(game.scheduled_at.timestamp()) - 7200
        assert f"Sign-ups close: <t:{closes}:f>" in text
        await post_announcement(sandbox, game)
        assert fields_of(sandbox)["Sign-ups"] == f"until <t:{closes}:f>\n<t:{closes}:R>"

    @pytest.mark.parametrize(
        ("entered", "hint"),
        [
            ("1d", "Enter a shorter time for `closes`"),
            ("2", "Try `2h` or `2m`"),
            ("soon", "such as `1d` or `2h`"),
            ("90s", "must be whole minutes"),
            ("31d", "up to 30 days before"),
        ],
    )
    async def test_a_wrong_one_is_explained(
        self, sandbox: SandboxDiscord, database: Database, entered: str, hint: str
    ) -> None:
        assert hint in await reply_text(create(sandbox, closes=entered))
        assert await all_games(database) == []

    async def test_nobody_joins_after_it_and_the_refusal_says_whom_to_ask(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, closes_minutes=180)
        message = await post_announcement(sandbox, game)
        await join(database, sandbox, game, PLAYER, by=game.host_id)
        for who in (OTHER, HOST):
            refusal = await press(sandbox, who, message, "join", game)
            assert "closed on" in refusal and f"Ask <@{game.host_id}>" in refusal
        assert "You're already in" in await press(sandbox, PLAYER, message, "join", game)
        assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]

    async def test_after_it_players_leave_others_are_promoted_and_the_host_adds_players(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, capacity=1, closes_minutes=180)
        message = await post_announcement(sandbox, game)
        await join(database, sandbox, game, PLAYER, OTHER, by=game.host_id)
        waiting = await press(sandbox, OTHER, message, "join", game)
        assert "closed on" in waiting and "You stay on the waitlist" in waiting
        assert "You've left" in await press(sandbox, PLAYER, message, "leave", game)
        assert await players_of(database, game) == [sandbox.world.user(OTHER).id]
        assert "closed on" in await press(sandbox, PLAYER, message, "join", game)
        assert await waitlist_of(database, game) == []
        added = await reply_text(sandbox.slash(HOST, "game add", player=PLAYER, game=str(game.id)))
        assert "is on the waitlist" in added

    async def test_it_moves_with_the_game_and_can_be_removed(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, closes_minutes=180)
        async with db.transaction(database.sessions) as session:
            await edit_game(session, game.id, GameEdit(scheduled_at=game.scheduled_at + timedelta(hours=2)))
            assert await join_game(session, game.id, user_id=7) is JoinResult.JOINED
        assert "have been closed since" in await edit(sandbox, game, closes="10h")
        async with db.transaction(database.sessions) as session:
            assert await join_game(session, game.id, user_id=8) is JoinResult.SIGN_UPS_CLOSED
        assert "Sign-ups" not in await edit(sandbox, game, closes="0")
        assert (await only_game(database)).closes_minutes is None
        async with db.transaction(database.sessions) as session:
            assert await join_game(session, game.id, user_id=8) is JoinResult.JOINED
        history = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
        assert "changed the end of sign-ups from 10 hours before to at the start" in history

    async def test_copies_and_templates_have_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, closes_minutes=90)
        shown = await (await sandbox.slash(PLAYER, "game clone", game=str(game.id), when="in 72 hours")).done()
        await reply_text(press_button(sandbox, PLAYER, shown, "Post it"))
        assert "is saved" in await save(sandbox, game, lock="closes")
        await reply_text(plan_and_post(sandbox, HOST, when="in 2 hours", template="Weekly"))
        assert [copy.closes_minutes for copy in await all_games(database)] == [90, 90, 90]
        refusal = await reply_text(create(sandbox, title="Tomb", template="Weekly", closes="1h"))
        assert "says what `closes` (1h30m) is" in refusal
