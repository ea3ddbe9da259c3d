"""Templates and games that are planned like an earlier one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.games import cancel_game
from shared.models import Game, GameSeries, GameTemplate
from shared.templates import MOST_TEMPLATES
from tests.integration.bot.conftest import find_button, plan_and_post, press_button, reply_text
from tests.integration.bot.test_commands import HOST, MANAGER, PLAYER, all_games, plan_game
from tests.integration.bot.test_drafts import open_form, preview, shown_values, submit
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")


async def save(sandbox: SandboxDiscord, game: Game, *, who: str = MANAGER, **options: Any) -> str:
    filled = {"name": "Weekly"} | options
    return await reply_text(sandbox.slash(who, "template save", game=str(game.id), **filled))


async def plan_original(sandbox: SandboxDiscord, database: Database) -> Game:
    return await plan_game(
        database,
        sandbox,
        title="Strahd, again",
        duration=timedelta(minutes=150),
        capacity=4,
        reminder_offsets=(1440, 10, 0),
        description="*Bring* dice.\nAnd snacks.",
    )


def common(game: Game) -> tuple[object, ...]:
    return (game.title, game.duration, game.capacity, game.reminder_offsets, game.description)


class TestClone:
    async def test_everything_but_the_time_is_copied_also_from_a_game_that_is_over(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        original = await plan_original(sandbox, database)
        async with db.transaction(database.sessions) as session:
            await cancel_game(session, original.id)
        [choice] = (await sandbox.autocomplete(PLAYER, "game clone", "game", game="strahd")).choices
        shown = await (await sandbox.slash(PLAYER, "game clone", game=choice["value"], when="in 72 hours")).done()
        assert len(await all_games(database)) == 1
        assert "is set for" in await reply_text(press_button(sandbox, PLAYER, shown, "Post it"))
        _, copy = await all_games(database)
        assert common(copy) == common(original)
        assert copy.scheduled_at > original.scheduled_at + timedelta(days=2)
        assert copy.host_id == sandbox.world.user(PLAYER).id

    async def test_a_game_without_limit_or_reminders_is_copied_as_such(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        original = await plan_game(database, sandbox, reminder_offsets=())
        shown = await (await sandbox.slash(HOST, "game clone", game=str(original.id), when="in 72 hours")).done()
        await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        assert common((await all_games(database))[1]) == common(original)


class TestTemplates:
    async def test_it_fills_in_what_the_host_leaves_out(self, sandbox: SandboxDiscord, database: Database) -> None:
        original = await plan_original(sandbox, database)
        assert "is saved" in await save(sandbox, original)
        [choice] = (await sandbox.autocomplete(HOST, "game create", "template", template="week")).choices
        await reply_text(plan_and_post(sandbox, HOST, when="in 2 hours", template=choice["value"], players=6))
        game = (await all_games(database))[1]
        assert (game.title, game.capacity, game.description) == (original.title, 6, original.description)
        assert game.reminder_offsets == original.reminder_offsets

    async def test_one_of_a_game_that_repeats_makes_a_series_unless_the_host_says_once(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        start = (datetime.now(UTC) + timedelta(days=2)).replace(hour=12, minute=0)
        first, second = (f"{start + timedelta(days=days):%Y-%m-%d %H:%M}" for days in (0, 1))
        await reply_text(plan_and_post(sandbox, HOST, title="Strahd", when=first, repeat="every 2 days, 5 times"))
        [game] = await all_games(database)
        assert "is saved" in await save(sandbox, game)
        text = await reply_text(plan_and_post(sandbox, HOST, when=second, template="Weekly"))
        assert "🔁 Every 2 days, 5 times" in text
        await reply_text(plan_and_post(sandbox, HOST, when=second, template="Weekly", repeat="once"))
        _, repeated, alone = sorted(await all_games(database), key=lambda game: game.created_at)
        async with db.transaction(database.sessions) as session:
            rules = (await session.execute(select(GameSeries.id, GameSeries.rule))).all()
        assert repeated.series_id not in (None, game.series_id)
        assert alone.series_id is None
        assert {rule for _, rule in rules} == {"FREQ=DAILY;INTERVAL=2;COUNT=5"}
        assert len(rules) == 2

    async def test_the_form_starts_with_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        await save(sandbox, await plan_original(sandbox, database))
        opened = await open_form(sandbox, template="weekly")
        assert shown_values(opened)["title"] == "Strahd, again"
        shown = await submit(sandbox, opened, when="in 2 hours")
        await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        assert len(await all_games(database)) == 2

    async def test_a_locked_option_cannot_be_changed_by_command_or_form(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await save(sandbox, await plan_original(sandbox, database), lock="players, reminders")
        shown = await preview(sandbox, template="Weekly", players=9, reminders="none")
        assert "says what `players` (4) and `reminders` (1d, 10m, 0) are" in shown.content
        assert find_button(shown, "Post it") is None
        opened = await press_button(sandbox, HOST, await preview(sandbox, template="Weekly"), "Edit")
        changed = await submit(sandbox, opened, players="9")
        assert "`players` (4) is" in changed.content
        assert "is set for" in await reply_text(plan_and_post(sandbox, HOST, template="Weekly", when="in 2 hours"))
        assert (await all_games(database))[1].capacity == 4

    async def test_only_those_who_manage_events_change_templates(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_original(sandbox, database)
        assert "can change templates" in await save(sandbox, game, who=HOST)
        await save(sandbox, game)
        assert "can change templates" in await reply_text(sandbox.slash(HOST, "template delete", name="Weekly"))
        assert "is deleted" in await reply_text(sandbox.slash(MANAGER, "template delete", name="weekly"))
        assert "no template called" in await reply_text(sandbox.slash(MANAGER, "template delete", name="weekly"))
        assert "no template called" in (await preview(sandbox, template="weekly")).content

    async def test_saving_under_a_known_name_replaces_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_original(sandbox, database)
        await save(sandbox, game)
        assert "is replaced" in await save(sandbox, game, name="WEEKLY", lock="title")
        listed = await (await sandbox.slash(PLAYER, "template list")).done()
        assert listed.message is not None
        [embed] = listed.message.embeds
        assert embed["description"] == "**WEEKLY**: Strahd, again · locked: title"

    @pytest.mark.parametrize(
        ("options", "hint"),
        [({"lock": "seats"}, "It can lock `title`"), ({"name": "\u3164"}, "The name is empty")],
    )
    async def test_a_mistake_is_explained(
        self, sandbox: SandboxDiscord, database: Database, options: dict[str, str], hint: str
    ) -> None:
        assert hint in await save(sandbox, await plan_original(sandbox, database), **options)

    async def test_a_server_has_as_many_as_discord_suggests(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_original(sandbox, database)
        async with db.transaction(database.sessions) as session:
            await session.execute(
                text(
                    "INSERT INTO game_template (id, guild_id, key, name, defaults, created_by) "
                    "SELECT gen_random_uuid(), :guild, number, repeat('*', 50), "
                    "jsonb_build_object('title', repeat('_', 100)), 1 FROM generate_series(1, :most) AS number"
                ),
                {"guild": game.guild_id, "most": MOST_TEMPLATES},
            )
        assert "which is the limit" in await save(sandbox, game)
        async with db.transaction(database.sessions) as session:
            assert (
                await session.execute(select(func.count()).select_from(GameTemplate))
            ).scalar_one() == MOST_TEMPLATES
        assert (await (await sandbox.slash(PLAYER, "template list")).done()).message is not None

    async def test_an_empty_list_says_how_to_save_one(self, sandbox: SandboxDiscord) -> None:
        assert "`/template save`" in await reply_text(sandbox.slash(PLAYER, "template list"))
