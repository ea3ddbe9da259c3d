"""The options of a nudge and its buttons, with unmodified discord.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.rendering import nudge_buttons, nudge_message
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.models import Answer, Game, NotificationKind, Response
from shared.signup import list_players
from tests.integration.bot.conftest import plan_and_post, post, press_button, reply_text
from tests.integration.bot.test_commands import CHANNEL, HOST, OWNER, PLAYER, all_games, create, only_game, plan_game
from tests.integration.bot.test_editing import edit
from tests.integration.bot.test_templates import save
from tests.support.builders import rows_of
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")

NONCE = "abcdefghijklmnopqrstuv"
IN_FIVE_DAYS = "in 120 hours"


def role_of(sandbox: SandboxDiscord, name: str = "Players") -> int:
    """Everybody may mention Players, and only some may mention Keepers."""
    [guild] = sandbox.world.guilds.values()
    return next(role.id for role in guild.roles.values() if role.name == name)


async def nudge_of(database: Database, game: Game) -> datetime:
    [row] = await rows_of(database.sessions, game, NotificationKind.NUDGE)
    return row.due_at


class TestOptions:
    async def test_the_host_nudges_earlier_players(self, sandbox: SandboxDiscord, database: Database) -> None:
        text = await reply_text(create(sandbox, when=IN_FIVE_DAYS, nudge="2d"))
        game = await only_game(database)
        assert (game.nudge_minutes, game.nudge_role_id) == (2880, None)
        at = await nudge_of(database, game)
        assert at == game.scheduled_at - timedelta(days=2)
        assert f"I'll nudge players of earlier games who haven't answered: <t:{int(at.timestamp())}:f>" in text

    async def test_the_host_nudges_a_role(self, sandbox: SandboxDiscord, database: Database) -> None:
        role = role_of(sandbox)
        text = await reply_text(create(sandbox, when=IN_FIVE_DAYS, nudge="1d", **{"nudge-role": "Players"}))
        assert (await only_game(database)).nudge_role_id == role
        assert f"I'll nudge <@&{role}>" in text

    @pytest.mark.parametrize(
        ("options", "hint"),
        [
            ({"nudge": "soon"}, "such as `1d` or `2h`"),
            ({"nudge": "31d"}, "up to 30 days before"),
            ({"nudge-role": "Players"}, "Enter `nudge` too"),
            ({"nudge": "2h", "closes": "1d"}, "Sign-ups close 1d before the start, so nudge earlier"),
            ({"nudge": "1d", "nudge-role": "Keepers"}, "You can't mention"),
        ],
    )
    async def test_a_wrong_one_is_explained(
        self, sandbox: SandboxDiscord, database: Database, options: dict[str, Any], hint: str
    ) -> None:
        assert hint in await reply_text(create(sandbox, when=IN_FIVE_DAYS, **options))
        assert await all_games(database) == []

    async def test_who_may_mention_everyone_nudges_any_role(self, sandbox: SandboxDiscord, database: Database) -> None:
        options = {"title": "Tomb", "when": IN_FIVE_DAYS, "nudge": "1d", "nudge-role": "Keepers"}
        await reply_text(plan_and_post(sandbox, OWNER, **options))
        game = await only_game(database)
        assert game.nudge_role_id == role_of(sandbox, "Keepers")
        copy = await (await sandbox.slash(HOST, "game clone", game=str(game.id), when="in 72 hours")).done()
        assert "You can't mention" in copy.content

    @pytest.mark.parametrize(
        ("options", "line"),
        [
            ({"when": "in 5 hours", "nudge": "1d"}, "Too late to nudge"),
            ({"when": IN_FIVE_DAYS, "nudge": "2d", "announce": "in 100 hours"}, "I'll nudge nobody"),
        ],
    )
    async def test_the_host_learns_that_nobody_is_nudged(
        self, sandbox: SandboxDiscord, database: Database, options: dict[str, Any], line: str
    ) -> None:
        assert line in await reply_text(create(sandbox, **options))

    async def test_it_can_be_changed_and_removed(self, sandbox: SandboxDiscord, database: Database) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
        game = await plan_game(database, sandbox, scheduled_at=start)
        assert "Enter `nudge` too" in await edit(sandbox, game, **{"nudge-role": "Players"})
        assert "I'll nudge players of earlier games" in await edit(sandbox, game, nudge="2d")
        assert "You can't mention" in await edit(sandbox, game, **{"nudge-role": "Keepers"})
        assert f"I'll nudge <@&{role_of(sandbox)}>" in await edit(sandbox, game, **{"nudge-role": "Players"})
        assert "so nudge earlier" in await edit(sandbox, game, closes="3d")
        assert "I'll nudge players of earlier" in await edit(
            sandbox, game, **{"nudge-role": str(role_of(sandbox, "@everyone"))}
        )
        await edit(sandbox, game, **{"nudge-role": "Players"})
        assert await nudge_of(database, game) == start - timedelta(days=2)
        assert "nudge" not in await edit(sandbox, game, nudge="none")
        changed = await only_game(database)
        assert (changed.nudge_minutes, changed.nudge_role_id) == (None, None)
        history = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
        assert "changed the nudge from 2 days before to none" in history
        assert f"the role to nudge from none to <@&{role_of(sandbox)}>" in history

    async def test_a_series_changes_it_in_all_games(self, sandbox: SandboxDiscord, database: Database) -> None:
        await reply_text(create(sandbox, when=IN_FIVE_DAYS, nudge="1d", repeat="daily"))
        game = await only_game(database)

        async def edit_series(**options: Any) -> str:
            return await reply_text(sandbox.slash(HOST, "series edit", series=game.title, **options))

        assert "You can't mention" in await edit_series(**{"nudge-role": "Keepers"})
        assert "so nudge earlier" in await edit_series(closes="2d")
        assert "is changed" in await edit_series(nudge="2d", **{"nudge-role": "Players"})
        changed = await only_game(database)
        assert (changed.nudge_minutes, changed.nudge_role_id) == (2880, role_of(sandbox))
        assert await nudge_of(database, game) == game.scheduled_at - timedelta(days=2)

    async def test_copies_and_templates_have_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=5)
        nudge = {"nudge_minutes": 90, "nudge_role_id": role_of(sandbox)}
        game = await plan_game(database, sandbox, scheduled_at=start, **nudge)
        shown = await (await sandbox.slash(PLAYER, "game clone", game=str(game.id), when="in 72 hours")).done()
        await reply_text(press_button(sandbox, PLAYER, shown, "Post it"))
        assert "is saved" in await save(sandbox, game, lock="nudge, nudge-role")
        await reply_text(plan_and_post(sandbox, HOST, when="in 48 hours", template="Weekly"))
        copies = await all_games(database)
        assert [(copy.nudge_minutes, copy.nudge_role_id) for copy in copies] == [tuple(nudge.values())] * 3
        refusal = await reply_text(create(sandbox, title="Tomb", template="Weekly", nudge="1h"))
        assert "says what `nudge` (1h30m) is" in refusal


@pytest.mark.parametrize("by_dm", [False, True], ids=["channel", "DM"])
async def test_the_buttons_answer_the_game(sandbox: SandboxDiscord, database: Database, by_dm: bool) -> None:
    game = await plan_game(database, sandbox)
    channel_id = sandbox.world.open_dm(PLAYER).id if by_dm else sandbox.world.channel(CHANNEL).id
    payload = nudge_message(game, free_seats=None)
    message = await post(sandbox, channel_id, {**payload, "components": nudge_buttons(game.id, nonce=NONCE)})

    async def press(button: str) -> str:
        return await reply_text(sandbox.click(PLAYER, message, f"questbell:{button}:{game.id}:{NONCE}"))

    assert "You're in!" in await press("join")
    async with db.transaction(database.sessions) as session:
        assert await list_players(session, game.id) == [sandbox.world.user(PLAYER).id]
    assert "a maybe" in await press("maybe")
    assert "can't make it" in await press("leave")
    async with db.transaction(database.sessions) as session:
        answers = await session.get(Response, (game.id, sandbox.world.user(PLAYER).id))
        assert answers is not None and answers.answer is Answer.DECLINED
