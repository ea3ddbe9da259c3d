"""The button Edit on an announcement and its form, with unmodified discord.py and a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, event, func, select, text

from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.interactions.interaction import AnswerKind, InteractionResult
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.messages import walk_components
from shared import database as db
from shared.audit import list_game_entries
from shared.games import cancel_game
from shared.models import Draft, Game, NotificationKind, Participant
from shared.signup import join_game
from shared.users import change_own_settings
from tests.integration.bot.conftest import StartBot, find_button, post, post_announcement, press_button
from tests.integration.bot.test_commands import HOST, MANAGER, OTHER, PLAYER, notifications, only_game, plan_game
from tests.integration.bot.test_drafts import shown_values
from tests.integration.bot.test_rights import run
from tests.support.announcements import announcement
from tests.support.builders import change_game
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT


async def press_edit(sandbox: SandboxDiscord, game: Game, *, who: str = HOST) -> InteractionResult:
    message_id = await post_announcement(sandbox, game)
    return await sandbox.click(who, message_id, f"questbell:edit:{game.id}")


async def open_form(sandbox: SandboxDiscord, game: Game, *, who: str = HOST) -> InteractionResult:
    """Press the button until the form opens: on a busy machine the database may be slow."""
    while "my database is slow" in (opened := await press_edit(sandbox, game, who=who)).content:
        pass
    assert opened.kind is AnswerKind.MODAL
    return opened


async def submit(
    sandbox: SandboxDiscord, opened: InteractionResult, *, who: str = HOST, **values: str
) -> InteractionResult:
    answer = await (await sandbox.submit_modal(who, opened.id, values)).done()
    assert answer.ephemeral
    return answer


async def edits_of(database: Database, game: Game) -> list[dict[str, object]]:
    """What edits have changed, the latest first."""
    async with db.transaction(database.sessions) as session:
        entries = await list_game_entries(session, game.id, limit=9)
    return [entry.detail["changed"] for entry in entries if entry.action == "edited"]


async def make_mistake(
    sandbox: SandboxDiscord, game: Game, *, who: str = HOST, opened: InteractionResult | None = None, **values: str
) -> InteractionResult:
    """Submit a form with a number of players that is none."""
    opened = opened or await open_form(sandbox, game, who=who)
    answer = await submit(sandbox, opened, who=who, **({"players": "many"} | values))
    assert "I don't understand the number of players “many”" in answer.content
    return answer


async def open_again(sandbox: SandboxDiscord, refused: InteractionResult, *, who: str = HOST) -> InteractionResult:
    """Press Edit under a refusal until the form opens: on a busy machine the database may be slow."""
    while "my database is slow" in (opened := await press_button(sandbox, who, refused, "Edit")).content:
        pass
    return opened


def next_repeated_times() -> tuple[str, list[datetime]]:
    """The next two instants at which the clocks of a zone show the same, and the zone."""
    now = datetime.now(UTC).replace(minute=30, second=0, microsecond=0)
    zones = ("Europe/Berlin", "Australia/Sydney")  # in one of them it is less than a year ahead
    instants = (now + timedelta(hours=hours) for hours in count(3))
    return next(
        (zone, [at - timedelta(hours=1), at]) for at in instants for zone in zones if at.astimezone(ZoneInfo(zone)).fold
    )


@pytest.mark.usefixtures("bot")
class TestForm:
    async def test_it_shows_what_the_game_is_like_and_changes_it_as_the_command_does(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, capacity=3, description="Bring dice.\nAnd snacks.", place="Den")
        opened = await open_form(sandbox, game)
        assert shown_values(opened) == {
            "title": "Curse of Strahd",
            "when": f"{game.scheduled_at:%Y-%m-%d %H:%M:%S}".removesuffix(":00"),
            "players": "3",
            "reminders": "1h, 0",
            "description": "Bring dice.\nAnd snacks.",
        }
        answer = await submit(
            sandbox, opened, title="Tomb", when="in 5 hours", players="", reminders="2h", description=""
        )
        assert "**Tomb** is changed." in answer.content and "everyone know the new time" in answer.content
        changed = await only_game(database)
        assert (changed.title, changed.capacity, changed.reminder_offsets) == ("Tomb", None, [120])
        assert (changed.description, changed.place, changed.duration) == ("", "Den", game.duration)
        assert (changed.version, changed.revision) == (game.version + 1, game.revision + 1)
        kinds = [row.kind for row in await notifications(database, game) if row.settled_at is None]
        assert kinds.count(NotificationKind.CHANGE) == 1

    async def test_the_players_are_asked_to_confirm_a_new_time_if_its_host_wants(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        for who in (HOST, PLAYER):
            async with db.transaction(database.sessions) as session:
                await join_game(session, game.id, user_id=sandbox.world.user(who).id)
        answer = await submit(sandbox, await open_form(sandbox, game), title="Tomb")
        assert find_button(answer, "Ask players to confirm") is None
        answer = await submit(sandbox, await open_form(sandbox, game), when="in 5 hours")
        first, second = [await press_button(sandbox, HOST, answer, "Ask players to confirm") for _ in range(2)]
        for text_ in ("I'm asking the players of **Tomb**", "has to be asked"):
            await sandbox.wait_for(
                lambda text_=text_: any(text_ in record.content for record in sandbox.evidence), timeout=WAIT_TIMEOUT
            )
        assert first.answered and second.answered and find_button(answer, "Ask players to confirm") is None
        found = await only_game(database)
        async with db.transaction(database.sessions) as session:
            seats = {seat.user_id: seat.is_confirmed for seat in await session.scalars(select(Participant))}
        assert seats == {sandbox.world.user(HOST).id: True, sandbox.world.user(PLAYER).id: False}
        changes = [row for row in await notifications(database, found) if row.kind is NotificationKind.CHANGE]
        assert sorted(row.outcome or "open" for row in changes) == ["open", "superseded"]

    async def test_what_its_user_leaves_alone_stays_as_somebody_else_has_changed_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, description="Bring dice.  ")
        opened = await open_form(sandbox, game)
        moved = game.scheduled_at + timedelta(hours=1)
        await change_game(database.sessions, game, actor_id=1, scheduled_at=moved, title="Tomb", capacity=9)
        await submit(sandbox, opened, players="5")
        changed = await only_game(database)
        assert (changed.scheduled_at, changed.title, changed.capacity) == (moved, "Tomb", 5)
        assert list((await edits_of(database, game))[0]) == ["capacity"]

    async def test_a_form_that_was_not_changed_changes_nothing(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        start = (await plan_game(database, sandbox)).scheduled_at.replace(second=17, microsecond=250)
        game = await plan_game(database, sandbox, scheduled_at=start, reminder_offsets=())
        answer = await submit(sandbox, await open_form(sandbox, game))
        assert "You changed nothing on the form" in answer.content
        assert await edits_of(database, game) == []

    async def test_times_are_in_the_zone_of_the_game_which_it_names(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, zone="America/New_York")
        async with db.transaction(database.sessions) as session:
            await change_own_settings(session, sandbox.world.user(HOST).id, zone="Asia/Tokyo")
        opened = await open_form(sandbox, game)
        assert opened.modal is not None
        [named] = [part["description"] for part in walk_components(opened.modal["components"]) if "description" in part]
        assert named == "Times are in America/New_York"
        local = game.scheduled_at.astimezone(ZoneInfo("America/New_York"))
        assert shown_values(opened)["when"] == f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
        await submit(sandbox, opened, when=f"{local + timedelta(days=40):%Y-%m-%d} 13:05")
        moved = (await only_game(database)).scheduled_at.astimezone(local.tzinfo)
        assert f"{moved:%Y-%m-%d %H:%M}" == f"{local + timedelta(days=40):%Y-%m-%d} 13:05"

    async def test_a_time_that_the_clocks_show_twice_means_what_it_was_shown_for(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        zone, times = next_repeated_times()
        games = [await plan_game(database, sandbox, zone=zone, scheduled_at=at) for at in times]
        forms = [await open_form(sandbox, game) for game in games]
        first, second = [shown_values(opened)["when"] for opened in forms]
        for opened, swapped in zip(forms, (second, first), strict=True):
            assert "is changed" in (await submit(sandbox, opened, when=swapped)).content
        async with db.transaction(database.sessions) as session:
            starts = {game.id: game.scheduled_at for game in await session.scalars(select(Game))}
        assert [starts[game.id] for game in games] == times[::-1]

    @pytest.mark.parametrize(
        ("values", "hint"),
        [
            ({"when": "whenever"}, "`tomorrow 8pm`"),
            ({"when": "2025-01-01 20:00"}, "is in the past"),
            ({"players": "many"}, "Enter a number from 1 to 500"),
            ({"players": "1"}, "already has 2 players"),
            ({"reminders": "often"}, "often"),
        ],
    )
    async def test_a_mistake_is_explained_and_nothing_is_saved(
        self, sandbox: SandboxDiscord, database: Database, values: dict[str, str], hint: str
    ) -> None:
        game = await plan_game(database, sandbox)
        for who in (PLAYER, OTHER):
            async with db.transaction(database.sessions) as session:
                await join_game(session, game.id, user_id=sandbox.world.user(who).id)
        answer = await submit(sandbox, await open_form(sandbox, game), title="Tomb", **values)
        assert hint in answer.content
        assert await edits_of(database, game) == []
        assert shown_values(await open_again(sandbox, answer)).items() >= ({"title": "Tomb"} | values).items()

    async def test_the_host_co_hosts_and_managers_get_it_and_others_a_sentence(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        for who in (HOST, OTHER, MANAGER):
            opened = await open_form(sandbox, game, who=who)
        refused = await press_edit(sandbox, game, who=PLAYER)
        assert (refused.kind, refused.ephemeral) == (AnswerKind.MESSAGE, True)
        assert "Only the host and co-hosts can change this game. Ask <@" in refused.content
        opened = await open_form(sandbox, game, who=OTHER)
        await run(sandbox, HOST, "game co-host remove", game, user=OTHER)
        answer = await submit(sandbox, opened, who=OTHER, title="Mine")
        assert "Only the host and co-hosts can change this game" in answer.content
        assert find_button(answer, "Edit") is None

    async def test_a_game_that_is_cancelled_cannot_be_changed(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        opened = await open_form(sandbox, game)
        async with db.transaction(database.sessions) as session:
            await cancel_game(session, game.id)
        answer = await submit(sandbox, opened, title="Tomb")
        assert "is cancelled, so it can't be changed" in answer.content and find_button(answer, "Edit") is None
        refused = await press_edit(sandbox, game)
        assert "is cancelled, so it can't be changed" in refused.content

    async def test_a_database_that_needs_longer_than_discord_waits_is_said_in_time(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        async with database.engine.begin() as connection:
            await connection.execute(text("LOCK TABLE game IN ACCESS EXCLUSIVE MODE"))
            refused = await press_edit(sandbox, game)
            assert refused.kind is AnswerKind.MESSAGE
            assert "my database is slow" in refused.content
        assert (await press_edit(sandbox, game)).kind is AnswerKind.MODAL

    async def test_it_reads_no_roster(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        async with db.transaction(database.sessions) as session:
            for user in range(1, 60):
                await join_game(session, game.id, user_id=user)
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        await open_form(sandbox, game)
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        assert statements
        assert not [statement for statement in statements if "participant" in statement or "response" in statement]


@pytest.mark.usefixtures("bot")
class TestAfterAMistake:
    async def test_the_form_opens_with_what_was_entered_and_its_answer_replaces_the_refusal(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        entered = {"title": "Tomb @everyone", "when": "in 5 hours", "description": "Bring dice.\n**And** snacks."}
        refused = await make_mistake(sandbox, game, **entered)
        opened = await open_again(sandbox, refused)
        assert shown_values(opened) == entered | {"players": "many", "reminders": "1h, 0"}
        again = await make_mistake(sandbox, game, opened=opened, description="No snacks.")
        assert again.message is refused.message
        opened = await open_again(sandbox, again)
        assert shown_values(opened)["description"] == "No snacks."
        answer = await submit(sandbox, opened, players="4")
        assert answer.message is refused.message
        assert "is changed" in answer.content and find_button(answer, "Edit") is None
        changed = await only_game(database)
        assert (changed.title, changed.description, changed.capacity) == (entered["title"], "No snacks.", 4)
        assert changed.scheduled_at > game.scheduled_at

    async def test_what_its_user_leaves_alone_stays_as_somebody_else_has_changed_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        refused = await make_mistake(sandbox, game, reminders="2h")
        moved = game.scheduled_at + timedelta(hours=1)
        await change_game(database.sessions, game, actor_id=1, scheduled_at=moved, title="Tomb")
        await submit(sandbox, await open_again(sandbox, refused), players="5")
        assert set((await edits_of(database, game))[0]) == {"capacity", "reminder_offsets"}
        changed = await only_game(database)
        assert (changed.scheduled_at, changed.title) == (moved, "Tomb")

    async def test_nobody_else_gets_what_was_entered(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        refused = await make_mistake(sandbox, game)
        assert refused.message is not None
        shared_with_all = await post(sandbox, game.channel_id, {"components": refused.message.components})
        button = find_button(refused, "Edit")
        assert button is not None
        answer = await sandbox.click(MANAGER, shared_with_all, button)
        assert (answer.kind, answer.ephemeral) == (AnswerKind.MESSAGE, True)
        assert answer.content == "What you entered is gone. To change the game, press Edit on its announcement."

    async def test_who_may_change_the_game_is_asked_when_the_form_opens_and_when_it_is_submitted(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await run(sandbox, HOST, "game co-host add", game, user=OTHER)
        refused = await make_mistake(sandbox, game, who=OTHER)
        opened = await open_again(sandbox, refused, who=OTHER)
        await run(sandbox, HOST, "game co-host remove", game, user=OTHER)
        for answer in (
            await open_again(sandbox, refused, who=OTHER),
            await submit(sandbox, opened, who=OTHER, players="4"),
        ):
            assert "Only the host and co-hosts can change this game" in answer.content
        assert find_button(refused, "Edit") is None
        assert await edits_of(database, game) == []

    async def test_what_was_entered_too_long_ago_is_gone(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        refused = await make_mistake(sandbox, game)
        async with db.transaction(database.sessions) as session:
            await session.execute(delete(Draft))
        assert "What you entered is gone" in (await open_again(sandbox, refused)).content


async def test_a_delivered_announcement_and_an_open_form_survive_a_restart(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    nonce = "n" * 22
    message_id = await post(sandbox, game.channel_id, announcement(game, [], nonce=nonce))
    async with start_bot(database.sessions):
        opened = await sandbox.click(HOST, message_id, f"questbell:edit:{game.id}:{nonce}")
    async with start_bot(database.sessions):
        assert "is changed" in (await submit(sandbox, opened, title="Tomb")).content
        again = await sandbox.click(HOST, message_id, f"questbell:edit:{game.id}:{nonce}")
        assert shown_values(again)["title"] == "Tomb"


async def test_what_was_entered_survives_a_restart(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions):
        refused = await make_mistake(sandbox, game, title="Tomb")
    async with start_bot(database.sessions):
        opened = await open_again(sandbox, refused)
    async with start_bot(database.sessions):
        assert "**Tomb** is changed" in (await submit(sandbox, opened, players="4")).content


async def test_a_mistake_that_is_delivered_twice_is_kept_once(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions), start_bot(database.sessions):
        opened = await open_form(sandbox, game)
        sandbox.faults.add(DuplicateInteraction(), times=1)
        refused = await make_mistake(sandbox, game, opened=opened, title="Tomb")
        await sandbox.wait_for(
            lambda: sum(record.kind == "edit" for record in sandbox.evidence) >= 4, timeout=WAIT_TIMEOUT
        )
        assert shown_values(await open_again(sandbox, refused))["title"] == "Tomb"
    async with db.transaction(database.sessions) as session:
        assert await session.scalar(select(func.count()).select_from(Draft)) == 1


async def test_a_form_that_is_delivered_twice_changes_the_game_once(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions), start_bot(database.sessions):
        sandbox.faults.add(DuplicateInteraction(), times=1)
        opened = await open_form(sandbox, game)
        sandbox.faults.add(DuplicateInteraction(), times=1)
        answer = await submit(sandbox, opened, title="Tomb", when="in 5 hours")
        await sandbox.wait_for(
            lambda: sum(record.kind == "edit" for record in sandbox.evidence) >= 4, timeout=WAIT_TIMEOUT
        )
    assert "is changed" in answer.content
    assert len(await edits_of(database, game)) == 1
    rows = await notifications(database, game)
    assert sum(row.kind is NotificationKind.CHANGE for row in rows) == 1
