"""The `/game` commands and the buttons, through discord.py as it is, a Discord of our own and a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from sandbox.discord.faults.model import Drop, DuplicateInteraction, Match, Refuse, Status
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.permissions import TALK, Overwrite, Permission
from shared import database as db
from shared.database import Sessions
from shared.games import NewGame, create_game, list_players
from shared.models import Game, GameStatus, NotificationKind, NotificationSchedule, Outcome, User
from tests.integration.bot.conftest import StartBot, post_announcement, said
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT

CHANNEL = "game-night"
OWNER, KEEPER, HOST, PLAYER, OTHER = "Mia", "Jonas", "Priya", "Aiko", "Ben"


class Failing:
    """Sessions that cannot be had, for a number of times."""

    def __init__(self, sessions: Sessions, error: Exception, *, times: int) -> None:
        self._sessions, self._error, self.times = sessions, error, times

    def __call__(self) -> AsyncSession:
        if self.times > 0:
            self.times -= 1
            raise self._error
        return self._sessions()


async def all_games(database: Database) -> list[Game]:
    async with db.transaction(database.sessions) as session:
        return list((await session.execute(select(Game).order_by(Game.created_at))).scalars())


async def only_game(database: Database) -> Game:
    [game] = await all_games(database)
    return game


async def players_of(database: Database, game: Game) -> list[int]:
    async with db.transaction(database.sessions) as session:
        return await list_players(session, game.id)


async def notifications(database: Database, game: Game) -> list[NotificationSchedule]:
    async with db.transaction(database.sessions) as session:
        statement = select(NotificationSchedule).where(NotificationSchedule.game_id == game.id)
        return list((await session.execute(statement)).scalars())


async def planned(database: Database, sandbox: SandboxDiscord, **fields: Any) -> Game:
    """A session of Priya's in #game-night, in two hours, that was planned before the test."""
    channel = sandbox.world.channel(CHANNEL)
    told = {
        "guild_id": channel.guild_id,
        "channel_id": channel.id,
        "host_id": sandbox.world.user(HOST).id,
        "title": "Curse of Strahd",
        "zone": "UTC",
        "scheduled_at": datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2),
        "duration": timedelta(hours=3),
        "reminder_offsets": (60, 0),
    }
    async with db.transaction(database.sessions) as session:
        return await create_game(session, NewGame(**(told | fields)))


def create(sandbox: SandboxDiscord, **options: Any) -> Any:
    return sandbox.slash(HOST, "game create", **({"title": "Curse of Strahd", "when": "in 2 hours"} | options))


async def press(sandbox: SandboxDiscord, who: str, message_id: int, button: str, game: Game) -> str:
    return await said(sandbox.click(who, message_id, f"questbell:{button}:{game.id}"))


@pytest.mark.usefixtures("bot")
class TestCreate:
    async def test_a_session_is_saved_as_its_host_described_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await said(create(sandbox, duration="1h30m", players=5, reminders="1h, 10m", description="Bring dice."))
        game = await only_game(database)
        assert (game.title, game.description, game.capacity) == ("Curse of Strahd", "Bring dice.", 5)
        assert (game.duration, game.reminder_offsets) == (timedelta(minutes=90), [60, 10])
        assert abs(game.scheduled_at - datetime.now(UTC) - timedelta(hours=2)) < timedelta(seconds=10)
        assert game.host_id == sandbox.world.user(HOST).id
        assert game.channel_id == sandbox.world.channel(CHANNEL).id

    async def test_its_reminders_and_its_announcement_are_rows_and_nothing_is_posted_here(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await said(create(sandbox, reminders="1h, 0"))
        rows = await notifications(database, await only_game(database))
        assert {(row.kind, row.offset_minutes) for row in rows} == {
            (NotificationKind.ANNOUNCEMENT, None),
            (NotificationKind.REMINDER, 60),
            (NotificationKind.REMINDER, 0),
        }
        assert sandbox.messages(CHANNEL) == []

    async def test_its_host_reads_when_it_is_and_which_reminders_come_or_are_too_late(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        text = await said(create(sandbox, when="in 30 minutes", reminders="1d, 1h, 10m, 0"))
        start = int((await only_game(database)).scheduled_at.timestamp())
        assert f"<t:{start}:F> (<t:{start}:R>)" in text
        assert f"10 minutes before: <t:{start - 600}:f>" in text
        assert f"At the start: <t:{start}:f>" in text
        assert "Too late to send: 1 day before and 1 hour before." in text

    async def test_the_answer_is_for_the_host_alone_and_pings_nobody(self, sandbox: SandboxDiscord) -> None:
        result = await create(sandbox, title="@everyone <@1>")
        await result.done()
        assert result.ephemeral
        assert not any(accepted.pings_everyone or accepted.pinged_users for accepted in sandbox.evidence)

    async def test_times_are_read_by_the_servers_clocks(self, sandbox: SandboxDiscord, database: Database) -> None:
        await said(sandbox.slash(OWNER, "game timezone", zone="Asia/Tokyo"))
        await said(create(sandbox, when="tomorrow 8pm"))
        game = await only_game(database)
        assert game.zone == "Asia/Tokyo"
        assert game.local_time.strftime("%H:%M") == "20:00"
        assert game.scheduled_at.astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None) == game.local_time

    async def test_a_request_that_arrives_twice_makes_one_session(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(DuplicateInteraction(), times=1)
        await said(create(sandbox))
        await sandbox.wait_for(
            lambda: [record.kind for record in sandbox.evidence].count("edit") == 2, timeout=WAIT_TIMEOUT
        )
        assert len(await all_games(database)) == 1

    @pytest.mark.parametrize(
        ("wrong", "said_instead"),
        [
            ({"when": "whenever"}, "`tomorrow 8pm`"),
            ({"when": "2025-01-01 20:00"}, "is in the past"),
            ({"duration": "90"}, "`3h`"),
            ({"reminders": "1h, 24"}, "`24m` or `24h`"),
            ({"title": " \u202e\u200b "}, "`Curse of Strahd`"),
        ],
    )
    async def test_what_cannot_be_read_is_answered_with_what_to_write_and_nothing_is_saved(
        self, sandbox: SandboxDiscord, database: Database, wrong: dict[str, str], said_instead: str
    ) -> None:
        assert said_instead in await said(create(sandbox, **wrong))
        assert await all_games(database) == []

    async def test_in_a_channel_where_the_bot_may_not_post_the_host_is_told_so(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        silent = Overwrite(
            sandbox.world.bot.id, for_member=True, deny=Permission.SEND_MESSAGES | Permission.EMBED_LINKS
        )
        sandbox.world.channel(CHANNEL).overwrites.append(silent)
        assert "I'm missing the Send Messages and Embed Links permissions" in await said(
            create(sandbox, in_channel=CHANNEL)
        )
        assert await all_games(database) == []

    async def test_an_answer_that_discord_drops_is_sent_again(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(Drop(), Match(method="PATCH", route="@original"), times=1)
        assert "is set for" in await said(create(sandbox))

    async def test_an_acknowledgement_whose_answer_was_lost_is_taken_as_made(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(Status(502, accepted=True), Match(route="callback"), times=1)
        assert "is set for" in await said(create(sandbox))
        assert len(await all_games(database)) == 1

    async def test_an_interaction_that_cannot_be_acknowledged_changes_nothing(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(Drop(), Match(route="callback"))
        with capture_logs() as logs:
            assert not (await create(sandbox)).answered
        assert "interaction_lost" in {entry["action"] for entry in logs}
        assert await all_games(database) == []


class TestTrouble:
    async def test_a_database_that_is_away_is_a_polite_answer_and_nothing_is_saved(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(Failing(database.sessions, ConnectionRefusedError(), times=100)):
            assert "couldn't complete that right now" in await said(create(sandbox))
        assert await all_games(database) == []

    async def test_a_short_failure_of_the_database_goes_unnoticed(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(Failing(database.sessions, ConnectionRefusedError(), times=2)):
            assert "is set for" in await said(create(sandbox))
        assert len(await all_games(database)) == 1

    async def test_a_bug_is_an_apology_whose_reference_is_in_the_log(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        bug = RuntimeError("a bug")
        async with start_bot(Failing(database.sessions, bug, times=1)):
            with capture_logs() as logs:
                text = await said(create(sandbox))
        [entry] = [entry for entry in logs if entry["action"] == "interaction_failed"]
        assert f"`{entry['reference']}`" in text
        assert entry["exc_info"] is bug

    async def test_without_a_database_nothing_is_suggested(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(Failing(database.sessions, ConnectionRefusedError(), times=100)):
            asked = await sandbox.autocomplete(HOST, "game show", "game", game="")
        assert asked.answered
        assert asked.choices == []


@pytest.mark.usefixtures("bot")
class TestListAndShow:
    async def test_coming_sessions_are_listed_soonest_first(self, sandbox: SandboxDiscord, database: Database) -> None:
        await planned(database, sandbox, title="Later", scheduled_at=datetime.now(UTC) + timedelta(days=2))
        await planned(database, sandbox, title="Sooner")
        result = await sandbox.slash(PLAYER, "game list")
        await result.done()
        shown = result.message.embeds[0]["description"]
        assert shown.index("Sooner") < shown.index("Later")

    async def test_a_session_is_shown_with_its_players_and_a_way_to_join(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await planned(database, sandbox)
        result = await sandbox.slash(PLAYER, "game show", game=str(game.id))
        await result.done()
        assert "You're in" in await press(sandbox, PLAYER, result.message.id, "join", game)
        again = await sandbox.slash(PLAYER, "game show", game="strahd")
        await again.done()
        assert f"<@{sandbox.world.user(PLAYER).id}>" in str(again.message.embeds)

    async def test_a_title_that_fits_several_sessions_asks_for_a_choice(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await planned(database, sandbox, title="Strahd I")
        await planned(database, sandbox, title="Strahd II")
        assert "2 games match" in await said(sandbox.slash(PLAYER, "game show", game="strahd"))
        one = await sandbox.slash(PLAYER, "game show", game="STRAHD I")
        await one.done()
        assert "Strahd I" in one.message.embeds[0]["title"]

    async def test_another_servers_session_does_not_exist_here(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        elsewhere = await planned(database, sandbox, guild_id=999)
        text = await said(sandbox.slash(PLAYER, "game show", game=str(elsewhere.id)))
        assert "I can't find an upcoming game" in text

    async def test_suggestions_name_coming_sessions_with_their_local_time(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        game = await planned(database, sandbox, scheduled_at=start)
        await planned(database, sandbox, title="Another")
        asked = await sandbox.autocomplete(PLAYER, "game show", "game", game="str")
        assert asked.choices == [
            {"name": f"Curse of Strahd · {start:%a} {start.day} {start:%b %Y, %H:%M} (UTC)", "value": str(game.id)}
        ]


@pytest.mark.usefixtures("bot")
class TestCancel:
    async def test_a_cancelled_session_tells_its_players_and_reminds_nobody(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await planned(database, sandbox)
        assert "is cancelled" in await said(sandbox.slash(HOST, "game cancel", game=str(game.id)))
        assert (await only_game(database)).status is GameStatus.CANCELLED
        rows = await notifications(database, game)
        assert NotificationKind.CANCELLATION in {row.kind for row in rows if row.settled_at is None}
        reminders = [row for row in rows if row.kind is NotificationKind.REMINDER]
        assert {row.outcome for row in reminders} == {Outcome.SUPERSEDED}

    async def test_nobody_else_may_cancel_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await planned(database, sandbox)
        assert "Only the host" in await said(sandbox.slash(OTHER, "game cancel", game=str(game.id)))
        assert (await only_game(database)).status is GameStatus.SCHEDULED

    @pytest.mark.parametrize(
        "permission", [Permission.MANAGE_EVENTS, Permission.MANAGE_GUILD, Permission.ADMINISTRATOR]
    )
    async def test_who_manages_events_or_the_server_may(
        self, sandbox: SandboxDiscord, database: Database, permission: Permission
    ) -> None:
        guild = next(iter(sandbox.world.guilds.values()))
        role = sandbox.world.add_role(guild, "Stewards", TALK | permission)
        guild.members[sandbox.world.user(OTHER).id].role_ids.append(role.id)
        game = await planned(database, sandbox)
        assert "is cancelled" in await said(sandbox.slash(OTHER, "game cancel", game=str(game.id)))

    async def test_a_second_time_says_that_it_was_cancelled_already(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await planned(database, sandbox)
        await said(sandbox.slash(HOST, "game cancel", game=str(game.id)))
        assert "already cancelled" in await said(sandbox.slash(HOST, "game cancel", game=str(game.id)))

    async def test_only_sessions_that_one_may_cancel_are_suggested(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await planned(database, sandbox)
        suggested = {
            who: len((await sandbox.autocomplete(who, "game cancel", "game", game="")).choices)
            for who in (HOST, KEEPER, OTHER)
        }
        assert suggested == {HOST: 1, KEEPER: 1, OTHER: 0}


@pytest.mark.usefixtures("bot")
class TestRemindMe:
    async def test_direct_messages_are_opened_when_they_are_asked_for(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        assert "by DM" in await said(sandbox.slash(PLAYER, "game remind-me", where="By DM"))
        person = await the_person(database, sandbox)
        channel = sandbox.world.dm(PLAYER)
        assert channel is not None
        assert (person.wants_dm, person.dm_channel_id) == (True, channel.id)

    async def test_who_changes_their_mind_is_mentioned_again(self, sandbox: SandboxDiscord, database: Database) -> None:
        await said(sandbox.slash(PLAYER, "game remind-me", where="By DM"))
        await said(sandbox.slash(PLAYER, "game remind-me", where="In the channel"))
        assert (await the_person(database, sandbox)).wants_dm is False

    async def test_a_discord_that_opens_none_now_changes_nothing_about_the_wish(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(Refuse(40003), Match(method="POST", route=r"^/users/@me/channels$"))
        await said(sandbox.slash(PLAYER, "game remind-me", where="By DM"))
        person = await the_person(database, sandbox)
        assert (person.wants_dm, person.dm_channel_id) == (True, None)


async def the_person(database: Database, sandbox: SandboxDiscord) -> User:
    async with db.transaction(database.sessions) as session:
        person = await session.get(User, sandbox.world.user(PLAYER).id)
    assert person is not None
    return person


@pytest.mark.usefixtures("bot")
class TestTimezone:
    async def test_sessions_already_planned_keep_their_times(self, sandbox: SandboxDiscord, database: Database) -> None:
        before = await planned(database, sandbox)
        assert "Europe/Berlin" in await said(sandbox.slash(KEEPER, "game timezone", zone="berlin"))
        after = await only_game(database)
        assert (after.scheduled_at, after.zone) == (before.scheduled_at, "UTC")

    async def test_only_who_manages_the_server_may_set_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        assert "Manage Server" in await said(sandbox.slash(HOST, "game timezone", zone="Asia/Tokyo"))
        await said(create(sandbox))
        assert (await only_game(database)).zone == "UTC"

    async def test_an_unknown_zone_is_answered_with_the_nearest(self, sandbox: SandboxDiscord) -> None:
        assert "`Europe/Berlin`" in await said(sandbox.slash(OWNER, "game timezone", zone="Europe/Berlinn"))

    async def test_zones_are_suggested(self, sandbox: SandboxDiscord) -> None:
        asked = await sandbox.autocomplete(OWNER, "game timezone", "zone", zone="lond")
        assert asked.choices[0]["value"] == "Europe/London"

    async def test_a_time_is_shown_as_it_would_be_read_while_it_is_typed(self, sandbox: SandboxDiscord) -> None:
        await said(sandbox.slash(OWNER, "game timezone", zone="Asia/Tokyo"))
        asked = await sandbox.autocomplete(HOST, "game create", "when", when="2027-01-05 8pm")
        assert asked.choices == [
            {"name": "2027-01-05 8pm · Tue 5 Jan 2027, 20:00 (Asia/Tokyo)", "value": "2027-01-05 8pm"}
        ]


@pytest.mark.usefixtures("bot")
class TestButtons:
    async def test_joining_and_leaving_change_the_roster_and_ask_for_a_new_announcement(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await planned(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        assert "You're in" in await press(sandbox, PLAYER, message_id, "join", game)
        assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]
        assert (await only_game(database)).revision == game.revision + 1
        assert "You've left" in await press(sandbox, PLAYER, message_id, "leave", game)
        assert await players_of(database, game) == []

    async def test_pressing_twice_changes_nothing(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await planned(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        assert "You're not in" in await press(sandbox, PLAYER, message_id, "leave", game)
        await press(sandbox, PLAYER, message_id, "join", game)
        assert "already" in await press(sandbox, PLAYER, message_id, "join", game)
        assert len(await players_of(database, game)) == 1

    async def test_one_of_many_gets_the_last_seat(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await planned(database, sandbox, capacity=1)
        message_id = await post_announcement(sandbox, game)
        people = (OWNER, KEEPER, PLAYER, OTHER)
        texts = await asyncio.gather(*(press(sandbox, who, message_id, "join", game) for who in people))
        assert sorted("is full" in text for text in texts) == [False, True, True, True]
        assert len(await players_of(database, game)) == 1

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (GameStatus.IN_PROGRESS, "has started"),
            (GameStatus.COMPLETED, "is over"),
            (GameStatus.CANCELLED, "is cancelled"),
        ],
    )
    async def test_a_session_that_is_not_open_says_why(
        self, sandbox: SandboxDiscord, database: Database, status: GameStatus, reason: str
    ) -> None:
        game = await planned(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        async with db.transaction(database.sessions) as session:
            await session.execute(update(Game).values(status=status))
        assert reason in await press(sandbox, PLAYER, message_id, "join", game)
        assert await players_of(database, game) == []

    async def test_a_session_that_is_gone_says_so(self, sandbox: SandboxDiscord, database: Database) -> None:
        gone = await planned(database, sandbox)
        message_id = await post_announcement(sandbox, gone)
        async with db.transaction(database.sessions) as session:
            await session.delete(await session.get_one(Game, gone.id))
        assert "no longer exists" in await press(sandbox, PLAYER, message_id, "join", gone)


async def test_buttons_work_after_the_bot_has_restarted(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await planned(database, sandbox)
    async with start_bot(database.sessions):
        message_id = await post_announcement(sandbox, game)
    async with start_bot(database.sessions):
        assert "You're in" in await press(sandbox, PLAYER, message_id, "join", game)


@pytest.mark.usefixtures("bot")
def test_the_commands_are_for_servers_alone(sandbox: SandboxDiscord) -> None:
    [command] = sandbox.world.commands.all(None)
    assert (command["name"], command["contexts"], command["integration_types"]) == ("game", [0], [0])
