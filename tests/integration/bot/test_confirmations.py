"""Players confirm a new time if the host wishes it, and keep their seats until they say no."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.rendering.payload import CONFIRM_ID, confirm_buttons
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.models import Game, NotificationKind, Participant
from shared.signup import join_game
from tests.integration.bot.conftest import post, reply_text
from tests.integration.bot.test_commands import (
    HOST,
    OTHER,
    PLAYER,
    notifications,
    only_game,
    plan_game,
    players_of,
    press,
)
from tests.integration.bot.test_editing import edit
from tests.support.announcements import announcement
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")

NONCE = "A" * 22


async def plan_with_players(sandbox: SandboxDiscord, database: Database) -> Game:
    game = await plan_game(database, sandbox)
    for who in (HOST, PLAYER, OTHER):
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=sandbox.world.user(who).id)
    return game


async def unconfirmed(database: Database) -> set[int]:
    async with db.transaction(database.sessions) as session:
        statement = select(Participant.user_id).where(Participant.is_confirmed.is_(False))
        return set((await session.execute(statement)).scalars())


def ids(sandbox: SandboxDiscord, *names: str) -> set[int]:
    return {sandbox.world.user(name).id for name in names}


async def test_all_players_but_the_host_are_asked_and_nobody_loses_a_seat(
    sandbox: SandboxDiscord, database: Database
) -> None:
    game = await plan_with_players(sandbox, database)
    assert "is changed" in await edit(sandbox, game, when="in 5 hours", confirm=True)
    assert await unconfirmed(database) == ids(sandbox, PLAYER, OTHER)
    assert set(await players_of(database, game)) == ids(sandbox, HOST, PLAYER, OTHER)
    details = await (await sandbox.slash(HOST, "game show", game=str(game.id))).done()
    assert details.message is not None
    [embed] = details.message.embeds
    [roster] = [field["value"] for field in embed["fields"] if field["name"].startswith("Players")]
    for who, mark in ((HOST, ""), (PLAYER, " ❔"), (OTHER, " ❔")):
        assert f"<@{sandbox.world.user(who).id}>{mark}" in roster.splitlines()
    assert "2 players yet to confirm" in embed["description"]


async def test_the_button_confirms_once_and_pressing_join_does_too(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_with_players(sandbox, database)
    await edit(sandbox, game, when="in 5 hours", confirm=True)
    revision = (await only_game(database)).revision
    channel = game.channel_id
    notice = await post(
        sandbox, channel, {"content": "A new time", "components": confirm_buttons(game.id, nonce=NONCE)}
    )
    button = f"{CONFIRM_ID}{game.id}:{NONCE}"
    assert "you can make it" in await reply_text(sandbox.click(PLAYER, notice, button))
    assert await unconfirmed(database) == ids(sandbox, OTHER)
    assert (await only_game(database)).revision == revision + 1
    assert "nothing is left to confirm" in await reply_text(sandbox.click(PLAYER, notice, button))
    assert (await only_game(database)).revision == revision + 1
    message = await post(sandbox, channel, announcement(game, ()))
    assert "already in" in await press(sandbox, OTHER, message, "join", game)
    assert await unconfirmed(database) == set()
    assert "confirmed the new time" in await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))


async def test_who_has_no_seat_has_nothing_to_confirm(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox)
    notice = await post(
        sandbox, game.channel_id, {"content": "A new time", "components": confirm_buttons(game.id, nonce=NONCE)}
    )
    assert "have no seat" in await reply_text(sandbox.click(PLAYER, notice, f"{CONFIRM_ID}{game.id}:{NONCE}"))
    assert await players_of(database, game) == []


async def test_a_later_move_leaves_who_has_confirmed(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_with_players(sandbox, database)
    await edit(sandbox, game, when="in 5 hours")
    assert await unconfirmed(database) == set()
    await edit(sandbox, game, when="in 6 hours", confirm=True)
    await edit(sandbox, game, when="in 7 hours")
    assert await unconfirmed(database) == ids(sandbox, PLAYER, OTHER)


async def test_only_a_new_time_is_confirmed(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_with_players(sandbox, database)
    assert "Fill in `when` too" in await edit(sandbox, game, title="Dragons", confirm=True)
    assert (await only_game(database)).title == game.title
    assert NotificationKind.CHANGE not in {row.kind for row in await notifications(database, game)}
