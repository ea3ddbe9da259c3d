"""Who can join and until when, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.permissions import TALK
from shared import database as db
from shared.editing import GameEdit, edit_game
from shared.models import Game
from shared.signup import JoinResult, join_game, list_waitlist
from tests.integration.bot.conftest import plan_and_post, post, post_announcement, press_button, reply_text
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
from tests.support.announcements import announcement
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


def add_role(sandbox: SandboxDiscord, name: str, *members: str) -> int:
    """Give members a new role, and return its id."""
    guild = next(iter(sandbox.world.guilds.values()))
    role = sandbox.world.add_role(guild, name, TALK)
    for member in members:
        guild.members[sandbox.world.user(member).id].role_ids.append(role.id)
    return role.id


class TestDeadline:
    async def test_the_host_chooses_it_and_everyone_sees_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        text = await reply_text(create(sandbox, when="in 5 hours", closes="2 hours before"))
        game = await only_game(database)
        assert game.closes_minutes == 120
        closes = int(game.scheduled_at.timestamp()) - 7200
        assert f"Sign-ups close: <t:{closes}:f>" in text
        await post_announcement(sandbox, game)
        assert fields_of(sandbox)["Sign-ups"] == f"until <t:{closes}:f> (<t:{closes}:R>)"

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


class TestRole:
    async def test_only_members_with_it_join_and_the_refusal_names_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        role = add_role(sandbox, "Veterans", PLAYER)
        await reply_text(create(sandbox, role="Veterans"))
        game = await only_game(database)
        assert game.required_role_id == role
        message = await post_announcement(sandbox, game)
        assert f"for members with the role <@&{role}>" in await press(sandbox, OTHER, message, "join", game)
        assert "You're in!" in await press(sandbox, PLAYER, message, "join", game)
        assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]

    async def test_the_preview_and_the_announcement_name_it_without_a_ping(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        role = add_role(sandbox, "Veterans")
        options = {"title": "Tomb", "when": "in 2 hours", "role": "Veterans"}
        preview = await (await sandbox.slash(HOST, "game create", **options)).done()
        assert preview.message is not None
        assert {"name": "Only for", "value": f"<@&{role}>", "inline": True} in preview.message.embeds[0]["fields"]
        await reply_text(press_button(sandbox, HOST, preview, "Post it"))
        await post_announcement(sandbox, await only_game(database))
        assert fields_of(sandbox)["Only for"] == f"<@&{role}>"
        assert not any(accepted.pinged_roles for accepted in sandbox.evidence)

    async def test_players_are_added_only_if_they_have_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        role = add_role(sandbox, "Veterans", PLAYER)
        game = await plan_game(database, sandbox, required_role_id=role)
        refusal = await reply_text(sandbox.slash(HOST, "game add", player=OTHER, game=str(game.id)))
        assert f"the role <@&{role}>. Give it to <@{sandbox.world.user(OTHER).id}> first." in refusal
        await reply_text(sandbox.slash(HOST, "game add", player=PLAYER, game=str(game.id)))
        assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]

    async def test_a_full_game_has_a_waitlist_for_the_role_alone(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        role = add_role(sandbox, "Veterans", HOST, PLAYER)
        game = await plan_game(database, sandbox, capacity=1, required_role_id=role)
        message = await post_announcement(sandbox, game)
        for who in (HOST, PLAYER, OTHER):
            await press(sandbox, who, message, "join", game)
        assert await waitlist_of(database, game) == [sandbox.world.user(PLAYER).id]

    async def test_a_button_in_a_direct_message_leads_to_the_announcement(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, required_role_id=add_role(sandbox, "Veterans", PLAYER))
        dm = sandbox.world.open_dm(PLAYER)
        message = await post(sandbox, dm.id, announcement(game, []))
        assert "Press Join on its announcement" in await press(sandbox, PLAYER, message, "join", game)
        assert await players_of(database, game) == []

    async def test_it_can_be_changed_and_removed(self, sandbox: SandboxDiscord, database: Database) -> None:
        role = add_role(sandbox, "Veterans")
        game = await plan_game(database, sandbox)
        message = await post_announcement(sandbox, game)
        await press(sandbox, PLAYER, message, "join", game)
        await edit(sandbox, game, role="Veterans")
        assert "You're already in" in await press(sandbox, PLAYER, message, "join", game)
        assert "with the role" in await press(sandbox, OTHER, message, "join", game)
        await edit(sandbox, game, role=str(game.guild_id))
        assert (await only_game(database)).required_role_id is None
        assert "You're in!" in await press(sandbox, OTHER, message, "join", game)
        history = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
        assert f"changed the required role from <@&{role}> to none" in history

    async def test_copies_and_templates_have_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, required_role_id=add_role(sandbox, "Veterans"))
        other = add_role(sandbox, "Novices")
        assert "is saved" in await save(sandbox, game, lock="role")
        await reply_text(plan_and_post(sandbox, HOST, when="in 2 hours", template="Weekly"))
        assert [copy.required_role_id for copy in await all_games(database)] == [game.required_role_id] * 2
        refusal = await reply_text(create(sandbox, template="Weekly", role=str(other)))
        assert f"says what `role` (<@&{game.required_role_id}>) is" in refusal
