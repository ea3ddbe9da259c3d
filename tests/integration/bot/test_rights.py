"""Who may create, change and see games, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.permissions import TALK, Permission
from shared import database as db
from shared.co_hosts import list_co_hosts
from shared.models import Game, GameStatus, NotificationKind, NotificationSchedule, Slot
from shared.signup import join_game
from tests.integration.bot.conftest import StartBot, plan_and_post, post_announcement, reply_text
from tests.integration.bot.test_commands import (
    HOST,
    MANAGER,
    OTHER,
    OWNER,
    PLAYER,
    all_games,
    cancel,
    create,
    only_game,
    plan_game,
    players_of,
    press,
)
from tests.support.database import Database

COMMANDS = ("game edit", "game cancel", "game add", "game remove", "game move-up", "game history")


async def run(sandbox: SandboxDiscord, who: str, command: str, game: Game, **options: Any) -> str:
    if command == "game cancel":
        return await cancel(sandbox, who, game)
    return await reply_text(sandbox.slash(who, command, game=str(game.id), **options))


def options_of(command: str) -> dict[str, Any]:
    """What a command needs beside the game."""
    player = {f"game {name}": {"player": PLAYER} for name in ("add", "remove", "move-up")}
    return {"game edit": {"title": "Tomb"}, **player}.get(command, {})


def add_roles(sandbox: SandboxDiscord, **roles: tuple[str, Permission]) -> None:
    """Give members a role each, before the bot connects."""
    guild = next(iter(sandbox.world.guilds.values()))
    for name, (who, permissions) in roles.items():
        role = sandbox.world.add_role(guild, name, TALK | permissions)
        guild.members[sandbox.world.user(who).id].role_ids.append(role.id)


async def suggested(sandbox: SandboxDiscord, who: str, command: str = "game edit") -> int:
    return len((await sandbox.autocomplete(who, command, "game", game="")).choices)


class TestRoles:
    async def test_only_members_with_the_creator_role_and_managers_create_games(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        add_roles(sandbox, Hosts=(HOST, Permission(0)), Events=(PLAYER, Permission.MANAGE_EVENTS))
        async with start_bot(database.sessions):
            await reply_text(sandbox.slash(OWNER, "settings server", **{"creator-role": "Hosts"}))
            for who in (HOST, PLAYER, MANAGER, OWNER):
                text = await reply_text(plan_and_post(sandbox, who, title="Keep", when="in 2 hours"))
                assert "is set for" in text, who
            refusal = await reply_text(plan_and_post(sandbox, OTHER, title="Keep", when="in 2 hours"))
            assert "can create games on this server. Ask a server admin" in refusal
            assert len(await all_games(database)) == 4
            await reply_text(sandbox.slash(OWNER, "settings server", reset="Creator role"))
            assert "is set for" in await reply_text(plan_and_post(sandbox, OTHER, title="Keep", when="in 2 hours"))

    @pytest.mark.parametrize("command", COMMANDS)
    async def test_a_manager_role_replaces_manage_events(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot, command: str
    ) -> None:
        add_roles(sandbox, Stewards=(OTHER, Permission(0)), Events=(PLAYER, Permission.MANAGE_EVENTS))
        game = await plan_game(database, sandbox)
        async with start_bot(database.sessions):
            assert (await suggested(sandbox, OTHER), await suggested(sandbox, PLAYER)) == (0, 1)
            assert "Only the host" in await run(sandbox, OTHER, command, game, **options_of(command))
            await reply_text(sandbox.slash(OWNER, "settings server", **{"manager-role": "Stewards"}))
            assert (await suggested(sandbox, OTHER), await suggested(sandbox, PLAYER)) == (1, 0)
            refusal = await run(sandbox, PLAYER, command, game, **options_of(command))
            assert "Only the host" in refusal and "someone with the role <@&" in refusal
            assert "Only the host" not in await run(sandbox, OTHER, command, game, **options_of(command))

    async def test_everyone_may_not_manage_all_games(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(database.sessions):
            everyone = str(next(iter(sandbox.world.guilds)))
            text = await reply_text(sandbox.slash(OWNER, "settings server", **{"manager-role": everyone}))
            assert "Choose a role that only some members have" in text
            text = await reply_text(sandbox.slash(OWNER, "settings server", **{"creator-role": everyone}))
            assert "everyone can create games" in text


@pytest.mark.usefixtures("bot")
class TestCoHosts:
    @pytest.mark.parametrize("command", COMMANDS)
    async def test_a_co_host_may_do_what_the_host_may(
        self, sandbox: SandboxDiscord, database: Database, command: str
    ) -> None:
        game = await plan_game(database, sandbox)
        assert "Only the host" in await run(sandbox, OTHER, command, game, **options_of(command))
        assert "is now a co-host" in await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        assert await suggested(sandbox, OTHER, command) == 1
        assert "Only the host" not in await run(sandbox, OTHER, command, game, **options_of(command))
        await run(sandbox, HOST, "game co-host remove", game, user=OTHER)
        assert "Only the host" in await run(sandbox, OTHER, command, game, **options_of(command))
        assert await suggested(sandbox, OTHER, command) == 0

    async def test_a_game_shows_its_co_hosts(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        shown = await (await sandbox.slash(PLAYER, "game show", game=str(game.id))).done()
        assert shown.message is not None
        fields = {field["name"]: field["value"] for field in shown.message.embeds[0]["fields"]}
        assert fields["Co-host"] == f"<@{sandbox.world.user(OTHER).id}>"

    async def test_only_the_host_and_managers_choose_co_hosts(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, MANAGER, "game co-host add", game, user=OTHER)
        assert "Only the host can choose co-hosts" in await run(sandbox, OTHER, "game co-host add", game, user=PLAYER)
        assert "Only the host can choose co-hosts" in await run(
            sandbox, PLAYER, "game co-host remove", game, user=OTHER
        )
        assert await co_hosts_of(database, game) == [sandbox.world.user(OTHER).id]
        assert "no longer a co-host" in await run(sandbox, OTHER, "game co-host remove", game, user=OTHER)
        assert await co_hosts_of(database, game) == []

    async def test_the_same_twice_says_so_and_bots_and_the_host_are_refused(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        assert "already a co-host" in await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        assert "isn't a co-host" in await run(sandbox, HOST, "game co-host remove", game, user=PLAYER)
        assert "is the host of" in await run(sandbox, HOST, "game co-host add", game, user=HOST)
        bot = sandbox.world.bot.id
        assert "is a bot, which can't" in await run(sandbox, HOST, "game co-host add", game, user=bot)
        assert await co_hosts_of(database, game) == [sandbox.world.user(OTHER).id]


async def co_hosts_of(database: Database, game: Game) -> list[int]:
    async with db.transaction(database.sessions) as session:
        return await list_co_hosts(session, game.id)


@pytest.mark.usefixtures("bot")
class TestAddingAndRemoving:
    async def test_a_player_is_added_and_removed(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        player = sandbox.world.user(PLAYER).id
        assert f"<@{player}> is in" in await run(sandbox, HOST, "game add", game, player=PLAYER)
        assert "is already in" in await run(sandbox, HOST, "game add", game, player=PLAYER)
        assert await players_of(database, game) == [player]
        assert "is no longer in" in await run(sandbox, HOST, "game remove", game, player=PLAYER)
        assert "isn't in" in await run(sandbox, HOST, "game remove", game, player=PLAYER)
        assert await players_of(database, game) == []
        assert (await only_game(database)).revision == game.revision + 2

    @pytest.mark.parametrize(("who", "is_told"), [(HOST, False), (MANAGER, True)])
    async def test_the_host_is_told_of_players_whom_others_remove(
        self, sandbox: SandboxDiscord, database: Database, who: str, is_told: bool
    ) -> None:
        game = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        for name in (PLAYER, OTHER):
            await press(sandbox, name, message_id, "join", game)
        await run(sandbox, who, "game remove", game, player=PLAYER)
        assert await drop_outs(database) == ([sandbox.world.user(PLAYER).id] if is_told else [])
        await press(sandbox, OTHER, message_id, "leave", game)
        assert sandbox.world.user(OTHER).id in await drop_outs(database)

    async def test_the_same_limits_apply_as_to_players(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, capacity=1)
        await run(sandbox, HOST, "game add", game, player=PLAYER)
        assert "is full" in await run(sandbox, HOST, "game add", game, player=OTHER)
        bot = sandbox.world.bot.id
        sandbox.world.add_user("Nina")
        assert "isn't on this server" in await run(sandbox, HOST, "game add", game, player="Nina")
        assert "is a bot, which can't play" in await run(sandbox, HOST, "game add", game, player=bot)
        await run(sandbox, HOST, "game cancel", game)
        assert (await only_game(database)).status is GameStatus.CANCELLED
        assert "nobody can be added" in await run(sandbox, HOST, "game add", game, player=OTHER)
        assert "nobody can be removed" in await run(sandbox, HOST, "game remove", game, player=PLAYER)
        assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]

    async def test_a_player_is_put_first_on_the_waitlist(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, capacity=1)
        for player in (MANAGER, PLAYER, OTHER):
            await run(sandbox, HOST, "game add", game, player=player)
        other = sandbox.world.user(OTHER).id
        text = await run(sandbox, HOST, "game move-up", game, player=OTHER)
        assert f"<@{other}> is now first on the waitlist of **Curse of Strahd**, and gets the next seat" in text
        assert "is already first on" in await run(sandbox, HOST, "game move-up", game, player=OTHER)
        assert "isn't on the waitlist" in await run(sandbox, HOST, "game move-up", game, player=MANAGER)
        await run(sandbox, HOST, "game remove", game, player=MANAGER)
        assert await players_of(database, game) == [other]
        assert f"moved <@{other}> to the front" in await run(sandbox, HOST, "game history", game)
        await run(sandbox, HOST, "game cancel", game)
        assert "has started or is over" in await run(sandbox, HOST, "game move-up", game, player=PLAYER)

    async def test_a_player_is_put_first_among_those_who_wait_for_a_slot(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, slots=(Slot("Tank", 1), Slot("Healer", 1)))
        for player in (MANAGER, PLAYER, OTHER):
            await run(sandbox, HOST, "game add", game, player=player, slot="tank")
        text = await run(sandbox, HOST, "game move-up", game, player=OTHER)
        assert "is now first on the waitlist of **Curse of Strahd** for **Tank**" in text


async def drop_outs(database: Database) -> list[int]:
    """Who the open notices to hosts are about."""
    is_open = (NotificationSchedule.kind == NotificationKind.DROP_OUT, NotificationSchedule.settled_at.is_(None))
    async with db.transaction(database.sessions) as session:
        rows = await session.execute(select(NotificationSchedule.user_ids).where(*is_open))
        return [user for users in rows.scalars() for user in users]


@pytest.mark.usefixtures("bot")
class TestHistory:
    async def test_it_says_who_did_what_the_latest_first(self, sandbox: SandboxDiscord, database: Database) -> None:
        await reply_text(create(sandbox, players=4))
        game = await only_game(database)
        message_id = await post_announcement(sandbox, game)
        await press(sandbox, PLAYER, message_id, "join", game)
        await press(sandbox, PLAYER, message_id, "join", game)
        await press(sandbox, PLAYER, message_id, "leave", game)
        await run(sandbox, MANAGER, "game edit", game, title="*Tomb*", players=0, description="Bring dice.")
        await run(sandbox, HOST, "game add", game, player=OTHER)
        await run(sandbox, HOST, "game remove", game, player=OTHER)
        await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        await run(sandbox, OTHER, "game cancel", game)
        await run(sandbox, OTHER, "game cancel", game)
        text = await run(sandbox, HOST, "game history", game)
        host, manager, player, other = (f"<@{sandbox.world.user(who).id}>" for who in (HOST, MANAGER, PLAYER, OTHER))
        title, *lines = text.splitlines()
        assert title == "**\\*Tomb\\***"
        assert all(line.startswith("<t:") for line in lines)
        assert [line.partition(":R>: ")[2] for line in lines] == [
            f"{other} cancelled the game",
            f"{host} made {other} a co-host",
            f"{host} removed {other}",
            f"{host} added {other}",
            f"{manager} changed the title from “Curse of Strahd” to “\\*Tomb\\*”, "
            "changed the number of seats from 4 to no limit and changed the description",
            f"{player} left",
            f"{player} joined",
            f"{host} created the game",
        ]

    async def test_a_seat_that_goes_to_the_waitlist_follows_what_freed_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, capacity=1)
        for player in (PLAYER, OTHER, MANAGER):
            await run(sandbox, HOST, "game add", game, player=player)
        message_id = await post_announcement(sandbox, game)
        await press(sandbox, PLAYER, message_id, "leave", game)
        await run(sandbox, HOST, "game edit", game, players=2)
        await run(sandbox, HOST, "game remove", game, player=OTHER)
        host, manager, player, other = (f"<@{sandbox.world.user(who).id}>" for who in (HOST, MANAGER, PLAYER, OTHER))
        _title, *lines = (await run(sandbox, HOST, "game history", game)).splitlines()
        assert [line.partition(":R>: ")[2] for line in lines[:5]] == [
            f"{host} removed {other}",
            f"Questbell gave a free seat to {manager}",
            f"{host} changed the number of seats from 1 to 2",
            f"Questbell gave a free seat to {other}",
            f"{player} left",
        ]

    async def test_a_cancelled_game_can_still_be_found(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, HOST, "game cancel", game)
        assert await suggested(sandbox, HOST) == 0
        assert await suggested(sandbox, HOST, "game history") == 1
        text = await reply_text(sandbox.slash(HOST, "game history", game="strahd"))
        assert "cancelled the game" in text

    async def test_a_refused_change_leaves_no_trace(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, OTHER, "game edit", game, title="Mine")
        await run(sandbox, HOST, "game edit", game, when="2025-01-01 20:00")
        await run(sandbox, HOST, "game edit", game, title="Curse of Strahd")
        assert len((await run(sandbox, HOST, "game history", game)).splitlines()) == 2

    async def test_other_members_do_not_see_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=sandbox.world.user(PLAYER).id)
        assert "Only the host and co-hosts can see" in await run(sandbox, PLAYER, "game history", game)
