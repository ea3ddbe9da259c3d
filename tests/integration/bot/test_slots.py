"""Slots, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

import asyncio
from typing import Any

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.models import Game, Slot
from shared.signup import join_game, read_seats, read_waitlist
from tests.integration.bot.conftest import StartBot, message_of, plan_and_post, post, reply_text
from tests.integration.bot.test_commands import HOST, OTHER, PLAYER, all_games, create, only_game, plan_game, press
from tests.support.announcements import announcement
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT

SLOTS = (Slot("Tank", 1, "🛡️"), Slot("Healer", 2), Slot("DPS"))


async def seats_of(database: Database, game: Game) -> dict[int, str | None]:
    async with db.transaction(database.sessions) as session:
        return await read_seats(session, game.id)


async def announce(sandbox: SandboxDiscord, game: Game, nonce: str = "") -> int:
    return await post(sandbox, game.channel_id, announcement(game, (), nonce=nonce))


async def choose(sandbox: SandboxDiscord, who: str, message: int, slot: str, game: Game) -> str:
    return await reply_text(sandbox.click(who, message, f"questbell:slot:{game.id}", values=[slot]))


async def edit(sandbox: SandboxDiscord, game: Game, **options: Any) -> str:
    return await reply_text(sandbox.slash(HOST, "game edit", game=str(game.id), **options))


async def test_slots_are_entered_as_text_and_shown_in_the_preview(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    await reply_text(create(sandbox, slots="1 🛡️ Tank, Healer x2, DPS"))
    assert (await only_game(database)).slots == SLOTS
    shown = await sandbox.slash(HOST, "game create", title="Raid", when="in 2 hours", slots="2 tank, 2 TANK")
    assert "two slots called “TANK”" in (await shown.done()).content


async def test_a_player_chooses_and_changes_the_slot_in_the_menu(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)
    message = await announce(sandbox, game)
    aiko, ben = (sandbox.world.user(who).id for who in (PLAYER, OTHER))
    assert "as **🛡️ Tank**! " in await choose(sandbox, PLAYER, message, "Tank", game)
    text = await choose(sandbox, OTHER, message, "Tank", game)
    assert text.startswith("**🛡️ Tank** in **Curse of Strahd** is full. You're number 1 on the waitlist for **🛡️ Tank**.")
    assert "You play as **DPS** in" in await choose(sandbox, PLAYER, message, "DPS", game)
    assert await seats_of(database, game) == {aiko: "DPS", ben: "Tank"}
    assert "You keep your seat as **DPS**" in await choose(sandbox, PLAYER, message, "Tank", game)
    history = await (await sandbox.slash(HOST, "game history", game=str(game.id))).done()
    assert f"<@{aiko}> changed from Tank to the slot DPS" in history.content


async def test_join_asks_for_the_slot_with_a_menu_that_only_the_user_sees(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)
    message = await announce(sandbox, game)
    asked = await sandbox.click(PLAYER, message, f"questbell:join:{game.id}")
    assert "Choose yours below." in (await asked.done()).content
    assert await seats_of(database, game) == {}
    assert asked.message is not None and asked.message.visible_to == sandbox.world.user(PLAYER).id
    await (await sandbox.click(PLAYER, message_of(asked), f"questbell:slot:{game.id}", values=["Healer"])).done()
    await sandbox.wait_for(lambda: "as **Healer**! " in asked.content, timeout=WAIT_TIMEOUT)
    assert asked.message.components == []
    assert await seats_of(database, game) == {sandbox.world.user(PLAYER).id: "Healer"}
    assert "already in as **Healer**" in await press(sandbox, PLAYER, message, "join", game)


async def test_join_takes_the_only_slot(sandbox: SandboxDiscord, bot: None, database: Database) -> None:
    game = await plan_game(database, sandbox, slots=[Slot("Adventurer", 4)])
    message = await announce(sandbox, game)
    assert "You're in as **Adventurer**!" in await press(sandbox, PLAYER, message, "join", game)


async def test_the_menu_works_after_a_restart_and_an_edit_of_the_slots(
    sandbox: SandboxDiscord, start_bot: StartBot, database: Database
) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)
    message = await announce(sandbox, game, nonce="n" * 22)
    async with start_bot(database.sessions):
        assert "is changed" in await edit(sandbox, game, slots="1 tank, bard")
    async with start_bot(database.sessions):
        assert "as **tank**! " in await choose(sandbox, PLAYER, message, "Tank", game)
        assert "have changed. Press Join" in await choose(sandbox, OTHER, message, "Healer", game)


async def test_a_slot_with_players_is_neither_removed_nor_made_too_small(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)
    async with db.transaction(database.sessions) as session:
        for user, slot in ((1, "Healer"), (2, "Healer"), (3, "Healer")):
            await join_game(session, game.id, user_id=user, slot=slot)
    assert "**Healer** has 2 players, so it can't go. Keep it" in await edit(sandbox, game, slots="1 tank")
    assert "Give it at least 2 seats, or ask" in await edit(sandbox, game, slots="1 healer")
    assert "is changed" in await edit(sandbox, game, slots="3 healer")
    assert await seats_of(database, game) == dict.fromkeys((1, 2, 3), "healer")
    assert "is changed" in await edit(sandbox, game, slots="none")
    assert await seats_of(database, game) == dict.fromkeys((1, 2, 3))


async def test_a_host_adds_players_to_slots_and_moves_them(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)

    async def add(**options: Any) -> str:
        return await reply_text(sandbox.slash(HOST, "game add", player=PLAYER, game=str(game.id), **options))

    assert "Enter one of them for `slot`: “Tank”, “Healer” and “DPS”" in await add()
    assert "is in **Curse of Strahd**" in await add(slot="tank")
    assert "plays as **DPS** in" in await add(slot="dps")
    assert await seats_of(database, game) == {sandbox.world.user(PLAYER).id: "DPS"}


async def test_clones_and_templates_have_the_slots(sandbox: SandboxDiscord, bot: None, database: Database) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)
    shown = await sandbox.slash(HOST, "game clone", game=str(game.id), when="in 72 hours")
    assert shown.message is not None
    assert "🛡️ Tank 0/1" in str((await shown.done()).message)
    await reply_text(sandbox.slash("Jonas", "template save", game=str(game.id), name="Raid", lock="slots"))
    await reply_text(plan_and_post(sandbox, HOST, template="Raid", when="in 2 hours"))
    assert (await all_games(database))[1].slots == SLOTS


async def test_a_choice_that_is_delivered_to_two_replicas_counts_once(
    sandbox: SandboxDiscord, start_bot: StartBot, database: Database
) -> None:
    game = await plan_game(database, sandbox, slots=SLOTS)
    message = await announce(sandbox, game)
    async with start_bot(database.sessions), start_bot(database.sessions):
        await asyncio.gather(*(choose(sandbox, who, message, "Tank", game) for who in (PLAYER, OTHER)))
    async with db.transaction(database.sessions) as session:
        assert len(await read_seats(session, game.id)) == len(await read_waitlist(session, game.id)) == 1
