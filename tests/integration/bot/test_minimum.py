"""A minimum of players and its buttons, with unmodified discord.py, also after a restart of the bot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bot.rendering import minimum_buttons, minimum_message
from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.models import Game, GameStatus, NotificationKind
from shared.signup import join_game
from tests.integration.bot.conftest import StartBot, plan_and_post, post, post_announcement, press_button, reply_text
from tests.integration.bot.test_commands import HOST, OTHER, PLAYER, all_games, create, only_game, plan_game
from tests.integration.bot.test_delivered_twice import wait_for_answers
from tests.integration.bot.test_editing import edit
from tests.integration.bot.test_sign_up_limits import fields_of, join
from tests.integration.bot.test_templates import save
from tests.support.builders import rows_of
from tests.support.database import Database

NONCE = "abcdefghijklmnopqrstuv"
CANCEL, KEEP = "minimum-cancel", "minimum-keep"


async def ask(sandbox: SandboxDiscord, game: Game, *, by_dm: bool = True) -> int:
    """Post the question as the delivery code does, and return the message's id."""
    channel_id = sandbox.world.open_dm(HOST).id if by_dm else game.channel_id
    payload = minimum_message(game, players=[], mentions=[])
    return await post(sandbox, channel_id, {**payload, "components": minimum_buttons(game.id, nonce=NONCE)})


async def press(sandbox: SandboxDiscord, who: str, message_id: int, button: str, game: Game) -> str:
    return await reply_text(sandbox.click(who, message_id, f"questbell:{button}:{game.id}:{NONCE}"))


async def cancellations(database: Database, game: Game) -> int:
    return len(await rows_of(database.sessions, game, NotificationKind.CANCELLATION))


@pytest.mark.usefixtures("bot")
class TestOptions:
    async def test_the_host_chooses_it_and_everyone_sees_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        text = await reply_text(create(sandbox, when="in 120 hours", minimum=3, **{"minimum-check": "12h"}))
        game = await only_game(database)
        assert (game.minimum_players, game.minimum_minutes) == (3, 720)
        counted = int(game.scheduled_at.timestamp()) - 43200
        assert f"With fewer than 3 players, I'll ask the host on <t:{counted}:f>" in text
        [row] = await rows_of(database.sessions, game, NotificationKind.MINIMUM)
        assert int(row.due_at.timestamp()) == counted
        await post_announcement(sandbox, game)
        assert fields_of(sandbox)["Needs"] == "at least 3 players"

    @pytest.mark.parametrize("template", [False, True], ids=["options", "template"])
    @pytest.mark.parametrize("repeat", [{}, {"repeat": "every week"}], ids=["once", "series"])
    async def test_the_host_learns_that_players_are_counted_after_the_announcement(
        self, sandbox: SandboxDiscord, database: Database, template: bool, repeat: dict[str, str]
    ) -> None:
        wanted: dict[str, Any] = {"minimum": 3, "minimum-check": "1d"}
        known = set()
        if template:
            original = await plan_game(database, sandbox, minimum_players=3, minimum_minutes=1440)
            await save(sandbox, original, lock="minimum, minimum-check")
            wanted, known = {"template": "Weekly"}, {original.id}
        options = {"when": "in 120 hours", "announce": "in 110 hours"} | wanted | repeat
        shown = await (await sandbox.slash(HOST, "game create", title="Tomb", **options)).done()
        posted = await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        game = min((it for it in await all_games(database) if it.id not in known), key=lambda it: it.scheduled_at)
        rows = await rows_of(database.sessions, game, NotificationKind.MINIMUM)
        assert [game.scheduled_at - row.due_at for row in rows] == [timedelta(hours=5)]
        counted = f"I'll ask the host on <t:{int(rows[0].due_at.timestamp())}:f>"
        changed = await edit(sandbox, game, title="Keep")
        for text in (shown.content, posted, changed):
            assert counted in text and "halfway between the announcement and the start" in text
        moved = await edit(sandbox, game, when="in 100 hours")
        assert "I'll ask the host on" in moved and "halfway" not in moved

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            ({"minimum-check": "1d"}, "Enter `minimum` too"),
            ({"minimum": 3, "minimum-check": "0"}, "is too late to count"),
            ({"minimum": 3, "minimum-check": "soon"}, "such as `1d` or `2h`"),
            ({"minimum": 3, "players": 2}, "needs 3 players, but only 2 can join"),
            ({"minimum": 4, "slots": "1 tank, 2 dps"}, "needs 4 players, but only 3 can join"),
        ],
    )
    async def test_a_wrong_one_is_explained(
        self, sandbox: SandboxDiscord, database: Database, options: dict[str, Any], hint: str
    ) -> None:
        assert hint in await reply_text(create(sandbox, **options))
        assert await all_games(database) == []

    async def test_it_can_be_changed_and_removed(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, capacity=4)
        assert "needs 5 players, but only 4" in await edit(sandbox, game, minimum=5)
        assert "Enter `minimum` too" in await edit(sandbox, game, **{"minimum-check": "1h"})
        assert "With fewer than 4 players" in await edit(sandbox, game, minimum=4, **{"minimum-check": "1h"})
        assert "needs 4 players, but only 3" in await edit(sandbox, game, players=3)
        assert "needs 4 players, but only 3" in await edit(sandbox, game, slots="1 tank, 2 dps")
        assert "With fewer" not in await edit(sandbox, game, minimum=0)
        assert (await only_game(database)).minimum_players is None
        history = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
        assert "changed the minimum of players from 4 to none" in history

    async def test_copies_and_templates_have_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, minimum_players=3, minimum_minutes=90)
        assert "is saved" in await save(sandbox, game, lock="minimum, minimum-check")
        await reply_text(plan_and_post(sandbox, HOST, when="in 2 hours", template="Weekly"))
        assert [(copy.minimum_players, copy.minimum_minutes) for copy in await all_games(database)] == [(3, 90)] * 2
        refusal = await reply_text(create(sandbox, template="Weekly", **{"minimum-check": "1h"}))
        assert "says what `minimum-check` (1h30m) is" in refusal


@pytest.mark.usefixtures("bot")
class TestButtons:
    @pytest.mark.parametrize("by_dm", [False, True], ids=["channel", "DM"])
    async def test_the_host_cancels_once(self, sandbox: SandboxDiscord, database: Database, by_dm: bool) -> None:
        game = await plan_game(database, sandbox, minimum_players=3)
        await join(database, sandbox, game, PLAYER)
        message = await ask(sandbox, game, by_dm=by_dm)
        assert "is cancelled" in await press(sandbox, HOST, message, CANCEL, game)
        assert "is already cancelled" in await press(sandbox, HOST, message, CANCEL, game)
        assert "is already cancelled" in await press(sandbox, HOST, message, KEEP, game)
        assert (await only_game(database)).status is GameStatus.CANCELLED
        assert await cancellations(database, game) == 1

    async def test_the_host_keeps_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, minimum_players=3)
        assert "stays as it is" in await press(sandbox, HOST, await ask(sandbox, game), KEEP, game)
        assert (await only_game(database)).status is GameStatus.SCHEDULED

    async def test_others_may_not(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, minimum_players=3)
        message = await ask(sandbox, game, by_dm=False)
        for button in (CANCEL, KEEP):
            assert "Only the host" in await press(sandbox, OTHER, message, button, game)
        assert (await only_game(database)).status is GameStatus.SCHEDULED

    async def test_a_game_that_has_enough_players_by_now_is_not_cancelled(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, minimum_players=2)
        message = await ask(sandbox, game)
        await join(database, sandbox, game, PLAYER, OTHER)
        text = await press(sandbox, HOST, message, CANCEL, game)
        assert "has 2 players now, which is enough" in text and "`/game cancel`" in text
        assert (await only_game(database)).status is GameStatus.SCHEDULED


async def test_a_press_after_a_restart_that_is_delivered_twice_cancels_once(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox, minimum_players=3)
    async with db.transaction(database.sessions) as session:
        await join_game(session, game.id, user_id=sandbox.world.user(PLAYER).id)
    message = await ask(sandbox, game)
    async with start_bot(database.sessions), start_bot(database.sessions):
        sandbox.faults.add(DuplicateInteraction(), times=1)
        result = await sandbox.click(HOST, message, f"questbell:{CANCEL}:{game.id}:{NONCE}")
        await wait_for_answers(sandbox, result, 2)
    assert await cancellations(database, game) == 1
