"""The preview of a game and its form: nothing is posted before the host confirms it, and then once."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.interactions.interaction import AnswerKind, InteractionResult
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.messages import walk_components
from shared import database as db
from shared.drafts import RETENTION, first_draft_id_at, save_draft
from shared.models import Draft, Game, NotificationKind
from shared.schedule.notices import find_announcement_time
from tests.integration.bot.conftest import StartBot, find_button, press_button, reply_text
from tests.integration.bot.test_commands import (
    CHANNEL,
    HOST,
    FailingSessions,
    all_games,
    cancel,
    notifications,
    only_game,
    plan_game,
)
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT


async def preview(sandbox: SandboxDiscord, **options: Any) -> InteractionResult:
    filled = {"title": "Curse of Strahd", "when": "in 2 hours"} | options
    return await (await sandbox.slash(HOST, "game create", **filled)).done()


async def open_form(sandbox: SandboxDiscord, **options: Any) -> InteractionResult:
    opened = await sandbox.slash(HOST, "game create", **options)
    assert opened.kind is AnswerKind.MODAL
    return opened


def shown_values(opened: InteractionResult) -> dict[str, str]:
    """What the fields of an open form contain."""
    assert opened.modal is not None
    parts = walk_components(opened.modal["components"])
    return {part["custom_id"]: part.get("value") or "" for part in parts if "custom_id" in part}


async def submit(sandbox: SandboxDiscord, opened: InteractionResult, **values: str) -> InteractionResult:
    return await (await sandbox.submit_modal(HOST, opened.id, values)).done()


async def count_drafts(database: Database) -> int:
    async with db.transaction(database.sessions) as session:
        return (await session.execute(select(func.count()).select_from(Draft))).scalar_one()


@pytest.mark.usefixtures("bot")
class TestPreview:
    async def test_it_shows_the_announcement_the_start_and_the_reminders_to_the_host_alone(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox, players=5, reminders="1h, 10m", description="Bring dice.")
        assert shown.message is not None
        assert shown.ephemeral
        [embed] = shown.message.embeds
        assert "Curse of Strahd" in embed["title"]
        assert "Bring dice." in embed["description"]
        assert "“in 2 hours” is <t:" in shown.content
        assert "1 hour before: <t:" in shown.content
        assert await all_games(database) == []
        assert sandbox.messages(CHANNEL) == []

    async def test_it_becomes_one_game_however_often_post_is_pressed(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox)
        await asyncio.gather(*(press_button(sandbox, HOST, shown, "Post it") for _ in range(4)))
        await sandbox.wait_for(lambda: find_button(shown, "Post it") is None, timeout=WAIT_TIMEOUT)
        await sandbox.wait_for(
            lambda: [record.kind for record in sandbox.evidence].count("edit") == 5, timeout=WAIT_TIMEOUT
        )
        game = await only_game(database)
        assert len(await notifications(database, game)) == 3
        assert "is set for" in shown.content
        assert shown.message is not None
        assert shown.message.embeds == []

    async def test_the_times_that_it_shows_stay_when_the_host_chooses_another_zone(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox, when="2027-01-15 20:00", offer="1h")
        assert "I read times in UTC" in shown.content
        await (await sandbox.slash(HOST, "settings me", zone="Asia/Tokyo")).done()
        await submit(sandbox, await press_button(sandbox, HOST, shown, "More"), place="Library")
        await sandbox.wait_for(lambda: "Library" in str(shown.message.embeds), timeout=WAIT_TIMEOUT)
        await (await press_button(sandbox, HOST, shown, "Post it")).done()
        await sandbox.wait_for(lambda: "is set for" in shown.content, timeout=WAIT_TIMEOUT)
        game = await only_game(database)
        assert (game.scheduled_at, game.zone) == (datetime(2027, 1, 15, 20, tzinfo=UTC), "UTC")

    async def test_the_form_reads_the_times_in_the_zone_that_was_chosen_since(self, sandbox: SandboxDiscord) -> None:
        shown = await preview(sandbox, when="2027-01-15 20:00")
        await (await sandbox.slash(HOST, "settings me", zone="Asia/Tokyo")).done()
        await submit(sandbox, await press_button(sandbox, HOST, shown, "Edit"), title="Dragons")
        start = int(datetime(2027, 1, 15, 11, tzinfo=UTC).timestamp())
        await sandbox.wait_for(lambda: f"<t:{start}:F>" in shown.content, timeout=WAIT_TIMEOUT)
        assert "I read times in UTC" not in shown.content

    async def test_a_discarded_game_is_never_posted(self, sandbox: SandboxDiscord, database: Database) -> None:
        shown = await preview(sandbox)
        post = find_button(shown, "Post it")
        assert post is not None
        await (await press_button(sandbox, HOST, shown, "Discard")).done()
        await sandbox.wait_for(lambda: "Discarded" in shown.content, timeout=WAIT_TIMEOUT)
        assert find_button(shown, "Post it") is None
        assert await count_drafts(database) == 0
        assert await all_games(database) == []

    async def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox, when="whenever", description="Bring dice.")
        assert "`tomorrow 8pm`" in shown.content
        assert find_button(shown, "Post it") is None
        opened = await press_button(sandbox, HOST, shown, "Edit")
        assert shown_values(opened) == {
            "title": "Curse of Strahd",
            "when": "whenever",
            "duration": "",
            "players": "",
            "description": "Bring dice.",
        }
        await submit(sandbox, opened, when="in 3 hours")
        await sandbox.wait_for(lambda: find_button(shown, "Post it") is not None, timeout=WAIT_TIMEOUT)
        assert "is set for" in await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        assert (await only_game(database)).description == "Bring dice."

    async def test_a_time_that_passed_meanwhile_is_refused_and_can_be_changed(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox)
        async with db.transaction(database.sessions) as session:
            await session.execute(
                text("""UPDATE draft SET options = jsonb_set(options, '{when}', '"2025-01-01 20:00"')""")
            )
        assert "is in the past" in await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        await sandbox.wait_for(lambda: find_button(shown, "Post it") is None, timeout=WAIT_TIMEOUT)
        assert find_button(shown, "Edit") is not None
        assert await all_games(database) == []

    async def test_a_time_from_now_on_stays_the_one_that_was_shown(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox, when="in 2 hours")
        await self.wait_long(database, hours=1)
        await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        async with db.transaction(database.sessions) as session:
            left = (await only_game(database)).scheduled_at - await db.now(session)
        assert timedelta(minutes=55) < left <= timedelta(hours=1)

    async def test_a_time_from_now_on_passes_too(self, sandbox: SandboxDiscord, database: Database) -> None:
        shown = await preview(sandbox, when="in 2 hours")
        await self.wait_long(database, hours=3)
        assert "has passed meanwhile" in await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        assert await all_games(database) == []

    async def wait_long(self, database: Database, *, hours: int) -> None:
        """Let the preview be older."""
        async with db.transaction(database.sessions) as session:
            draft = (await session.execute(select(Draft))).scalar_one()
            entered_at = datetime.fromisoformat(draft.options["entered_at"]) - timedelta(hours=hours)
            draft.options = {**draft.options, "entered_at": entered_at.isoformat()}

    async def test_an_edit_after_posting_changes_nothing(self, sandbox: SandboxDiscord, database: Database) -> None:
        shown = await preview(sandbox)
        opened = await press_button(sandbox, HOST, shown, "Edit")
        await (await press_button(sandbox, HOST, shown, "Post it")).done()
        await sandbox.wait_for(lambda: "is set for" in shown.content, timeout=WAIT_TIMEOUT)
        await submit(sandbox, opened, title="Something else")
        await sandbox.wait_for(lambda: "already posted" in shown.content, timeout=WAIT_TIMEOUT)
        assert (await only_game(database)).title == "Curse of Strahd"


@pytest.mark.usefixtures("bot")
class TestSecondForm:
    async def test_more_options_are_entered_there_and_what_is_on_the_first_form_stays(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox, description="Bring dice.", reminders="2h")
        opened = await press_button(sandbox, HOST, shown, "More")
        assert shown_values(opened)["reminders"] == "2h"
        start = re.search(r"<t:(\d+):F>", shown.content)
        await submit(sandbox, opened, place="<#123>", repeat="daily", reminders="1h", announce="in 1 hour")
        await sandbox.wait_for(lambda: "🔁 Every day" in shown.content, timeout=WAIT_TIMEOUT)
        assert start is not None and start[0] in shown.content
        await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        await sandbox.wait_for(lambda: "is set for" in shown.content, timeout=WAIT_TIMEOUT)
        game = await only_game(database)
        assert (game.place, game.description, game.reminder_offsets) == ("<#123>", "Bring dice.", [60])
        assert game.series_id is not None
        async with db.transaction(database.sessions) as session:
            assert await find_announcement_time(session, game.id) is not None

    async def test_a_mistake_is_explained_and_the_form_opens_with_it(self, sandbox: SandboxDiscord) -> None:
        shown = await preview(sandbox)
        await submit(sandbox, await press_button(sandbox, HOST, shown, "More"), repeat="sometimes")
        await sandbox.wait_for(lambda: "isn't a way to repeat" in shown.content, timeout=WAIT_TIMEOUT)
        assert shown_values(await press_button(sandbox, HOST, shown, "More"))["repeat"] == "sometimes"

    async def test_a_draft_that_is_discarded_or_posted_meanwhile_is_not_changed(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        for button, hint in (("Discard", "draft is gone"), ("Post it", "already posted")):
            shown = await preview(sandbox)
            opened = await press_button(sandbox, HOST, shown, "More")
            await (await press_button(sandbox, HOST, shown, button)).done()
            await submit(sandbox, opened, place="Library")
            await sandbox.wait_for(lambda shown=shown, hint=hint: hint in shown.content, timeout=WAIT_TIMEOUT)
        assert (await only_game(database)).place == ""


@pytest.mark.usefixtures("bot")
class TestSignUpsForm:
    async def test_slots_and_limits_are_entered_there(self, sandbox: SandboxDiscord, database: Database) -> None:
        shown = await preview(sandbox, when="in 72 hours", players=1, minimum=2)
        assert "only 1 can join" in shown.content
        opened = await press_button(sandbox, HOST, shown, "Sign-ups")
        assert shown_values(opened)["minimum"] == "2"
        await submit(sandbox, opened, slots="1 GM", closes="2h", offer="30m", minimum="1", minimum_check="1d")
        await sandbox.wait_for(lambda: "has 30 minutes to take a free seat" in shown.content, timeout=WAIT_TIMEOUT)
        await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        await sandbox.wait_for(lambda: "is set for" in shown.content, timeout=WAIT_TIMEOUT)
        game = await only_game(database)
        assert ([slot.name for slot in game.slots], game.capacity) == (["GM"], 1)
        assert (game.closes_minutes, game.offer_minutes) == (120, 30)
        assert (game.minimum_players, game.minimum_minutes) == (1, 1440)

    @pytest.mark.parametrize("entered", ["many", "-1", "9999"])
    async def test_a_minimum_must_be_a_number(self, sandbox: SandboxDiscord, entered: str) -> None:
        shown = await preview(sandbox)
        await submit(sandbox, await press_button(sandbox, HOST, shown, "Sign-ups"), minimum=entered)
        await sandbox.wait_for(lambda: "or leave it out for no minimum" in shown.content, timeout=WAIT_TIMEOUT)
        assert find_button(shown, "Post it") is None
        assert find_button(shown, "Sign-ups") is not None


@pytest.mark.usefixtures("bot")
class TestForm:
    async def test_a_command_without_title_and_time_opens_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        opened = await open_form(sandbox)
        shown = await submit(
            sandbox,
            opened,
            title="Dragons",
            when="in 2 hours",
            duration="90m",
            players="4",
            description="**Bring** dice.\nAnd snacks.",
        )
        assert shown.ephemeral
        assert "is set for" in await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        game = await only_game(database)
        assert (game.title, game.duration, game.capacity) == ("Dragons", timedelta(minutes=90), 4)
        assert game.description == "**Bring** dice.\nAnd snacks."

    async def test_it_starts_with_the_options_and_keeps_those_that_are_not_on_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        opened = await open_form(sandbox, when="in 2 hours", players=3, reminders="10m")
        assert shown_values(opened)["when"] == "in 2 hours"
        assert shown_values(opened)["players"] == "3"
        shown = await submit(sandbox, opened, title="Dragons")
        await (await press_button(sandbox, HOST, shown, "Post it")).done()
        await sandbox.wait_for(lambda: "is set for" in shown.content, timeout=WAIT_TIMEOUT)
        game = await only_game(database)
        assert (game.capacity, game.reminder_offsets) == (3, [10])

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [({"players": "five"}, "from 1 to 500"), ({"when": "8ish"}, "ish"), ({"duration": "90"}, "`90m`")],
    )
    async def test_a_mistake_in_it_is_explained_and_keeps_what_was_typed(
        self, sandbox: SandboxDiscord, database: Database, wrong: dict[str, str], hint: str
    ) -> None:
        values = {"title": "Dragons", "when": "in 2 hours", "description": "One\nTwo"} | wrong
        shown = await submit(sandbox, await open_form(sandbox), **values)
        assert hint in shown.content
        again = await press_button(sandbox, HOST, shown, "Edit")
        assert shown_values(again).items() >= values.items()
        assert await all_games(database) == []

    async def test_a_submission_that_arrives_twice_makes_one_draft(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        opened = await open_form(sandbox)
        sandbox.faults.add(DuplicateInteraction(), times=1)
        await submit(sandbox, opened, title="Dragons", when="in 2 hours")
        await sandbox.wait_for(
            lambda: [record.kind for record in sandbox.evidence].count("edit") == 2, timeout=WAIT_TIMEOUT
        )
        assert await count_drafts(database) == 1


@pytest.mark.usefixtures("bot")
class TestAnnouncement:
    async def plan(self, sandbox: SandboxDiscord, database: Database) -> Game:
        shown = await preview(sandbox, when="in 72 hours", announce="in 24 hours")
        assert " on <t:" in shown.content
        assert "I'll post it" in await reply_text(press_button(sandbox, HOST, shown, "Post it"))
        return await only_game(database)

    async def due_times(self, database: Database, game: Game) -> list[datetime]:
        """When open announcements of the game are due."""
        rows = await notifications(database, game)
        return [row.due_at for row in rows if row.kind is NotificationKind.ANNOUNCEMENT and row.settled_at is None]

    async def test_it_waits_for_its_time_also_when_the_game_changes_before(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await self.plan(sandbox, database)
        [due_at] = await self.due_times(database, game)
        assert timedelta(hours=47) < game.scheduled_at - due_at < timedelta(hours=49)
        await reply_text(
            sandbox.slash(HOST, "game edit", game=str(game.id), title="Something else", when="in 60 hours")
        )
        assert await self.due_times(database, game) == [due_at]

    async def test_a_game_that_now_starts_before_is_announced_at_once(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await self.plan(sandbox, database)
        await reply_text(sandbox.slash(HOST, "game edit", game=str(game.id), when="in 2 hours"))
        [due_at] = await self.due_times(database, game)
        async with db.transaction(database.sessions) as session:
            assert due_at <= await db.now(session)

    async def test_a_game_that_is_cancelled_before_is_never_announced(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await self.plan(sandbox, database)
        await cancel(sandbox, HOST, game)
        assert await self.due_times(database, game) == []
        assert NotificationKind.CANCELLATION not in {row.kind for row in await notifications(database, game)}

    async def test_reminders_before_it_are_not_promised(self, sandbox: SandboxDiscord) -> None:
        options = {"when": "in 72 hours", "announce": "in 24 hours", "reminders": "3d, 60h, 1h"}
        posted = await reply_text(press_button(sandbox, HOST, await preview(sandbox, **options), "Post it"))
        assert "🔔 1 hour before" in posted
        assert "🔕 Not sent, because the game isn't announced by then: " in posted
        assert "🔔 2 days and 12 hours before" not in posted

    async def test_it_must_be_before_the_start(self, sandbox: SandboxDiscord) -> None:
        shown = await preview(sandbox, when="in 2 hours", announce="in 3 hours")
        assert "Enter an earlier time for `announce`" in shown.content


class TestRestart:
    async def test_the_second_form_works_after_the_bot_has_restarted(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(database.sessions):
            shown = await preview(sandbox)
        async with start_bot(database.sessions):
            opened = await press_button(sandbox, HOST, shown, "More")
        async with start_bot(database.sessions):
            await submit(sandbox, opened, place="Library")
            await sandbox.wait_for(lambda: "Library" in str(shown.message.embeds), timeout=WAIT_TIMEOUT)

    async def test_the_preview_and_the_open_form_work_after_the_bot_has_restarted(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(database.sessions):
            shown = await preview(sandbox)
            opened = await press_button(sandbox, HOST, shown, "Edit")
            new = await open_form(sandbox)
        async with start_bot(database.sessions):
            await submit(sandbox, opened, title="Dragons")
            await sandbox.wait_for(lambda: "Dragons" in str(shown.message.embeds), timeout=WAIT_TIMEOUT)
            other = await submit(sandbox, new, title="Goblins", when="in 3 hours")
        async with start_bot(database.sessions):
            for result in (shown, other):
                await (await press_button(sandbox, HOST, result, "Post it")).done()
                await sandbox.wait_for(lambda result=result: "is set for" in result.content, timeout=WAIT_TIMEOUT)
        assert [game.title for game in await all_games(database)] == ["Dragons", "Goblins"]

    async def test_the_question_before_cancelling_works_after_the_bot_has_restarted(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        game = await plan_game(database, sandbox)
        async with start_bot(database.sessions):
            asked = await (await sandbox.slash(HOST, "game cancel", game=str(game.id))).done()
        async with start_bot(database.sessions):
            await (await press_button(sandbox, HOST, asked, "Cancel the game")).done()
            await sandbox.wait_for(lambda: "is cancelled" in asked.content, timeout=WAIT_TIMEOUT)


class TestOutages:
    async def test_the_form_opens_without_the_database(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(FailingSessions(database.sessions, ConnectionRefusedError(), times=100)):
            await open_form(sandbox, title="Dragons")

    @pytest.mark.usefixtures("bot")
    async def test_a_database_that_needs_longer_than_discord_waits_is_said_in_time(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        shown = await preview(sandbox)
        async with database.engine.begin() as connection:
            await connection.execute(text("LOCK TABLE draft IN ACCESS EXCLUSIVE MODE"))
            refused = await press_button(sandbox, HOST, shown, "Edit")
            assert refused.kind is AnswerKind.MESSAGE
            assert "my database is slow" in refused.content
            assert (await open_form(sandbox)).answered
        assert (await press_button(sandbox, HOST, shown, "Edit")).kind is AnswerKind.MODAL

    async def test_an_outage_while_posting_leaves_the_preview_as_it_is(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        sessions = FailingSessions(database.sessions, ConnectionRefusedError(), times=0)
        async with start_bot(sessions):
            shown = await preview(sandbox)
            sessions.times = 4
            await press_button(sandbox, HOST, shown, "Post it")
            await sandbox.wait_for(lambda: "my database is unavailable" in shown.content, timeout=WAIT_TIMEOUT)
            assert shown.message is not None
            assert len(shown.message.embeds) == 1
            sessions.times = 0
            await press_button(sandbox, HOST, shown, "Post it")
            await sandbox.wait_for(lambda: "is set for" in shown.content, timeout=WAIT_TIMEOUT)
        assert len(await all_games(database)) == 1


async def test_old_drafts_are_forgotten(database: Database) -> None:
    fields: dict[str, Any] = {"user_id": 1, "guild_id": 2, "channel_id": 3, "options": {}}
    async with db.transaction(database.sessions) as session:
        now = await db.now(session)
        for number in range(12):
            old = first_draft_id_at(now - RETENTION - timedelta(minutes=number + 1))
            session.add(Draft(id=UUID(int=old.int + number), interaction_id=number, **fields))
    for number in range(2):
        async with db.transaction(database.sessions) as session:
            new = UUID(int=first_draft_id_at(now).int + number)
            await save_draft(session, new, interaction_id=100 + number, **fields)
    assert await count_drafts(database) == 2
