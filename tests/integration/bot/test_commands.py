"""The `/game` commands and the buttons, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from bot.rendering import leave_button
from sandbox.discord.faults.model import Drop, DuplicateInteraction, Match, Status
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.permissions import TALK, Overwrite, Permission
from sandbox.servers.postgres import Postgres
from shared import database as db
from shared.database import Sessions
from shared.games import NewGame, create_game
from shared.models import (
    DeliveryState,
    Game,
    GameStatus,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    RecipientKind,
    delivery_id,
)
from shared.schedule.settle import settle_and_log
from shared.schedule.warnings import warn_hosts
from shared.signup import join_game, list_players
from shared.users import mark_dms_closed
from tests.integration.bot.conftest import (
    StartBot,
    find_button,
    plan_and_post,
    post,
    post_announcement,
    press_button,
    reply_text,
)
from tests.support.database import Database
from tests.support.transition_check import allow_any_change
from tests.support.waiting import WAIT_TIMEOUT, eventually

CHANNEL = "game-night"
OWNER, MANAGER, HOST, PLAYER, OTHER = "Mia", "Jonas", "Priya", "Aiko", "Ben"


class FailingSessions:
    """A session factory that fails a number of times."""

    def __init__(self, sessions: Sessions, error: Exception, *, times: int) -> None:
        self._sessions, self._error, self.times = sessions, error, times

    def __call__(self) -> AsyncSession:
        if self.times > 0:
            self.times -= 1
            raise self._error
        return self._sessions()


async def write_unseen_warning(database: Database, game: Game) -> NotificationSchedule:
    """Write a warning that could not be sent to the host, whose direct messages are closed."""
    async with db.transaction(database.sessions) as session:
        rows = await session.execute(
            select(NotificationSchedule.id).where(NotificationSchedule.game_id == game.id).limit(1)
        )
        await warn_hosts(session, [(rows.scalar_one(), "Discord says: the channel was deleted.")])
        kind = NotificationSchedule.kind == NotificationKind.WARNING
        warning = (await session.execute(select(NotificationSchedule).where(kind))).scalar_one()
        host = (RecipientKind.USER, game.host_id)
        delivery = NotificationDelivery(
            id=delivery_id(warning.id, *host), notification_id=warning.id, recipient_kind=host[0], recipient_id=host[1]
        )
        session.add(delivery)
        await session.flush()
        await settle_and_log(session, NotificationSchedule, [warning.id], outcome=Outcome.UNDELIVERABLE)
    return warning


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


async def plan_game(database: Database, sandbox: SandboxDiscord, **fields: Any) -> Game:
    """Create a game of Priya's in #game-night that starts in two hours."""
    channel = sandbox.world.channel(CHANNEL)
    defaults = {
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
        return await create_game(session, NewGame(**(defaults | fields)))


def create(sandbox: SandboxDiscord, **options: Any) -> Any:
    return plan_and_post(sandbox, HOST, **({"title": "Curse of Strahd", "when": "in 2 hours"} | options))


async def press(sandbox: SandboxDiscord, who: str, message_id: int, button: str, game: Game) -> str:
    return await reply_text(sandbox.click(who, message_id, f"questbell:{button}:{game.id}"))


async def test_a_warning_that_could_not_be_sent_is_shown_with_the_hosts_next_answer_once(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    await reply_text(create(sandbox))
    warning = await write_unseen_warning(database, await only_game(database))
    others = await reply_text(sandbox.slash(OTHER, "game list", in_channel=CHANNEL))
    first = await reply_text(sandbox.slash(HOST, "game list", in_channel=CHANNEL))

    async def find_sent() -> NotificationDelivery | None:
        async with db.transaction(database.sessions) as session:
            statement = select(NotificationDelivery).where(NotificationDelivery.notification_id == warning.id)
            delivery = (await session.execute(statement)).scalar_one_or_none()
        return delivery if delivery is not None and delivery.state is DeliveryState.SENT else None

    delivery = await eventually(find_sent)  # recorded after the answer
    second = await reply_text(sandbox.slash(HOST, "game list", in_channel=CHANNEL))
    assert ["the channel was deleted" in text for text in (others, first, second)] == [False, True, False]
    assert delivery is not None and delivery.message_id is not None


@pytest.mark.usefixtures("bot")
class TestCreate:
    async def test_a_game_is_saved_as_its_host_described_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        await reply_text(create(sandbox, duration="1h30m", players=5, reminders="1h, 10m", description="Bring dice."))
        game = await only_game(database)
        assert (game.title, game.description, game.capacity) == ("Curse of Strahd", "Bring dice.", 5)
        assert (game.duration, game.reminder_offsets) == (timedelta(minutes=90), [60, 10])
        assert abs(game.scheduled_at - datetime.now(UTC) - timedelta(hours=2)) < timedelta(seconds=10)
        assert game.host_id == sandbox.world.user(HOST).id
        assert game.channel_id == sandbox.world.channel(CHANNEL).id

    async def test_reminders_and_the_announcement_are_scheduled_and_nothing_is_posted_yet(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await reply_text(create(sandbox, reminders="1h, 0"))
        rows = await notifications(database, await only_game(database))
        assert {(row.kind, row.offset_minutes) for row in rows} == {
            (NotificationKind.ANNOUNCEMENT, None),
            (NotificationKind.REMINDER, 60),
            (NotificationKind.REMINDER, 0),
        }
        assert sandbox.messages(CHANNEL) == []

    async def test_the_host_sees_the_start_and_which_reminders_are_sent_or_too_late(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        text = await reply_text(create(sandbox, when="in 30 minutes", reminders="1d, 1h, 10m, 0"))
        start = int((await only_game(database)).scheduled_at.timestamp())
        assert f"<t:{start}:F> (<t:{start}:R>)" in text
        assert f"10 minutes before: <t:{start - 600}:f>" in text
        assert f"At the start: <t:{start}:f>" in text
        assert "Too late to send: 1 day before and 1 hour before." in text

    async def test_the_reply_is_visible_to_the_host_only_and_pings_nobody(self, sandbox: SandboxDiscord) -> None:
        result = await create(sandbox, title="@everyone <@1>")
        await result.done()
        assert result.ephemeral
        assert not any(accepted.pings_everyone or accepted.pinged_users for accepted in sandbox.evidence)

    async def test_times_are_in_the_servers_time_zone(self, sandbox: SandboxDiscord, database: Database) -> None:
        await reply_text(sandbox.slash(OWNER, "settings server", zone="Asia/Tokyo"))
        await reply_text(create(sandbox, when="tomorrow 8pm"))
        game = await only_game(database)
        assert game.zone == "Asia/Tokyo"
        assert game.local_time.strftime("%H:%M") == "20:00"
        assert game.scheduled_at.astimezone(ZoneInfo("Asia/Tokyo")).replace(tzinfo=None) == game.local_time

    @pytest.mark.parametrize(
        ("options", "duration"),
        [
            ({"when": "tomorrow 8-11pm"}, timedelta(hours=3)),
            ({"when": "tomorrow 8pm for 90 minutes"}, timedelta(minutes=90)),
            ({"when": "tomorrow 20:00 to 00:30", "duration": "4h30"}, timedelta(hours=4, minutes=30)),
            ({"when": "tomorrow 8pm", "duration": "an hour and a half"}, timedelta(minutes=90)),
            ({"when": "tomorrow 8pm"}, timedelta(hours=3)),
        ],
    )
    async def test_the_time_or_the_duration_says_how_long_it_lasts(
        self, sandbox: SandboxDiscord, database: Database, options: dict[str, str], duration: timedelta
    ) -> None:
        await reply_text(create(sandbox, **options))
        game = await only_game(database)
        assert game.duration == duration
        assert game.local_time.strftime("%H:%M") == "20:00"

    async def test_a_suggestion_creates_precisely_the_game_that_it_shows(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        result = await sandbox.autocomplete(HOST, "game create", "when", when="friday 8-11")
        evening, morning = result.choices
        assert "20:00" in evening["value"] or "8:00 PM" in evening["name"]
        await reply_text(create(sandbox, when=morning["value"]))
        game = await only_game(database)
        assert (game.local_time.strftime("%a %H:%M"), game.duration) == ("Fri 08:00", timedelta(hours=3))

    async def test_a_request_that_arrives_twice_creates_one_game(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        preview = await sandbox.slash(HOST, "game create", title="Curse of Strahd", when="in 2 hours")
        await preview.done()
        sandbox.faults.add(DuplicateInteraction(), times=1)
        await press_button(sandbox, HOST, preview, "Post it")
        await sandbox.wait_for(
            lambda: [record.kind for record in sandbox.evidence].count("edit") == 3, timeout=WAIT_TIMEOUT
        )
        assert len(await all_games(database)) == 1

    @pytest.mark.parametrize(
        ("wrong", "hint"),
        [
            ({"when": "whenever"}, "`tomorrow 8pm`"),
            ({"when": "2025-01-01 20:00"}, "is in the past"),
            ({"duration": "90"}, "`90m`"),
            ({"duration": "long"}, "`3h`"),
            ({"reminders": "1h, 24"}, "`24m` or `24h`"),
            ({"title": " \u202e\u200b "}, "`Curse of Strahd`"),
            ({"title": "\u3164"}, "`Curse of Strahd`"),
            ({"title": "**"}, "`Curse of Strahd`"),
            ({"description": "\u3164"}, "The description has no visible text"),
            ({"when": "tomorrow 8-11pm", "duration": "5h"}, "lasts 3 hours, and `duration` says 5 hours"),
            ({"when": "tomorrow 8"}, "can mean several times"),
            ({"when": "in 2 hours for 8d"}, "10 seconds to 7 days"),
        ],
    )
    async def test_an_invalid_option_is_explained_and_nothing_is_saved(
        self, sandbox: SandboxDiscord, database: Database, wrong: dict[str, str], hint: str
    ) -> None:
        assert hint in await reply_text(create(sandbox, **wrong))
        assert await all_games(database) == []

    async def test_the_host_learns_which_permissions_the_bot_is_missing(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        silent = Overwrite(
            sandbox.world.bot.id, for_member=True, deny=Permission.SEND_MESSAGES | Permission.EMBED_LINKS
        )
        sandbox.world.channel(CHANNEL).overwrites.append(silent)
        assert "without the Send Messages and Embed Links permissions" in await reply_text(
            create(sandbox, in_channel=CHANNEL)
        )
        assert await all_games(database) == []

    async def test_a_reply_that_discord_drops_is_sent_again(self, sandbox: SandboxDiscord, database: Database) -> None:
        sandbox.faults.add(Drop(), Match(method="PATCH", route="@original"), times=1)
        assert "is set for" in await reply_text(create(sandbox))

    async def test_an_acknowledgement_whose_response_was_lost_counts(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(Status(502, accepted=True), Match(route="callback"), times=1)
        assert "is set for" in await reply_text(create(sandbox))
        assert len(await all_games(database)) == 1

    async def test_an_interaction_that_cannot_be_acknowledged_changes_nothing(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        sandbox.faults.add(Drop(), Match(route="callback"))
        with capture_logs() as logs:
            assert not (await create(sandbox)).answered
        assert "interaction_lost" in {entry["action"] for entry in logs}
        assert await all_games(database) == []


class TestFailures:
    async def test_a_database_outage_is_reported_politely_and_nothing_is_saved(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(FailingSessions(database.sessions, ConnectionRefusedError(), times=100)):
            assert "my database is unavailable" in await reply_text(create(sandbox))
        assert await all_games(database) == []

    async def test_a_database_that_only_reads_is_said_to_be_unavailable(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot, postgres_server: Postgres
    ) -> None:
        async with start_bot(database.sessions):
            await postgres_server.set_read_only(True)
            try:
                assert "my database is unavailable" in await reply_text(create(sandbox))
            finally:
                await postgres_server.set_read_only(False)
            assert "is set for" in await reply_text(create(sandbox))
        assert len(await all_games(database)) == 1

    async def test_a_short_database_failure_goes_unnoticed(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(FailingSessions(database.sessions, ConnectionRefusedError(), times=2)):
            assert "is set for" in await reply_text(create(sandbox))
        assert len(await all_games(database)) == 1

    async def test_a_bug_is_an_apology_with_a_reference_to_the_log(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        bug = RuntimeError("a bug")
        async with start_bot(FailingSessions(database.sessions, bug, times=2)):  # one is for what it does when ready
            with capture_logs() as logs:
                text = await reply_text(create(sandbox))
        [entry] = [entry for entry in logs if entry["action"] == "interaction_failed"]
        assert f"`{entry['reference']}`" in text
        assert entry["exc_info"] is bug

    async def test_a_database_outage_suggests_nothing(
        self, sandbox: SandboxDiscord, database: Database, start_bot: StartBot
    ) -> None:
        async with start_bot(FailingSessions(database.sessions, ConnectionRefusedError(), times=100)):
            result = await sandbox.autocomplete(HOST, "game show", "game", game="")
        assert result.answered
        assert result.choices == []


@pytest.mark.usefixtures("bot")
class TestListAndShow:
    async def test_upcoming_games_are_listed_soonest_first(self, sandbox: SandboxDiscord, database: Database) -> None:
        await plan_game(database, sandbox, title="Later", scheduled_at=datetime.now(UTC) + timedelta(days=2))
        await plan_game(database, sandbox, title="Sooner")
        result = await sandbox.slash(PLAYER, "game list")
        await result.done()
        shown = result.message.embeds[0]["description"]
        assert shown.index("Sooner") < shown.index("Later")

    async def test_a_game_is_shown_with_its_players_and_buttons(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        result = await sandbox.slash(PLAYER, "game show", game=str(game.id))
        await result.done()
        assert "You're in" in await press(sandbox, PLAYER, result.message.id, "join", game)
        again = await sandbox.slash(PLAYER, "game show", game="strahd")
        await again.done()
        assert f"<@{sandbox.world.user(PLAYER).id}>" in str(again.message.embeds)

    async def test_a_title_that_matches_several_games_asks_for_a_choice(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await plan_game(database, sandbox, title="Strahd I")
        await plan_game(database, sandbox, title="Strahd II")
        assert "2 games match" in await reply_text(sandbox.slash(PLAYER, "game show", game="strahd"))
        one = await sandbox.slash(PLAYER, "game show", game="STRAHD I")
        await one.done()
        assert "Strahd I" in one.message.embeds[0]["title"]

    async def test_games_of_other_servers_cannot_be_found(self, sandbox: SandboxDiscord, database: Database) -> None:
        elsewhere = await plan_game(database, sandbox, guild_id=999)
        text = await reply_text(sandbox.slash(PLAYER, "game show", game=str(elsewhere.id)))
        assert "I can't find an upcoming game" in text

    async def test_suggestions_show_upcoming_games_with_their_local_time(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        game = await plan_game(database, sandbox, scheduled_at=start)
        await plan_game(database, sandbox, title="Another")
        result = await sandbox.autocomplete(PLAYER, "game show", "game", game="str")
        assert result.choices == [
            {"name": f"Curse of Strahd · {start:%a} {start.day} {start:%b %Y, %H:%M} (UTC)", "value": str(game.id)}
        ]


async def cancel(sandbox: SandboxDiscord, who: str, game: Game) -> str:
    """Run `/game cancel` and confirm it. Return what the user reads in the end."""
    asked = await sandbox.slash(who, "game cancel", game=str(game.id))
    await asked.done()
    if find_button(asked, "Cancel the game") is None:
        return asked.content
    return await reply_text(press_button(sandbox, who, asked, "Cancel the game"))


@pytest.mark.usefixtures("bot")
class TestCancel:
    async def test_cancelling_a_game_notifies_its_players_and_drops_its_reminders(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        assert "is cancelled" in await cancel(sandbox, HOST, game)
        assert (await only_game(database)).status is GameStatus.CANCELLED
        rows = await notifications(database, game)
        assert NotificationKind.CANCELLATION in {row.kind for row in rows if row.settled_at is None}
        reminders = [row for row in rows if row.kind is NotificationKind.REMINDER]
        assert {row.outcome for row in reminders} == {Outcome.SUPERSEDED}

    async def test_nothing_is_cancelled_before_the_host_confirms_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=sandbox.world.user(PLAYER).id)
        asked = await (await sandbox.slash(HOST, "game cancel", game=str(game.id))).done()
        assert asked.ephemeral
        assert "I'll notify its 1 player." in asked.content
        assert (await only_game(database)).status is GameStatus.SCHEDULED
        assert "stays as it is" in await reply_text(press_button(sandbox, HOST, asked, "Keep it"))
        assert find_button(asked, "Cancel the game") is None
        assert (await only_game(database)).status is GameStatus.SCHEDULED

    async def test_pressing_twice_cancels_once(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        asked = await (await sandbox.slash(HOST, "game cancel", game=str(game.id))).done()
        await asyncio.gather(*(press_button(sandbox, HOST, asked, "Cancel the game") for _ in range(3)))
        await sandbox.wait_for(lambda: find_button(asked, "Cancel the game") is None, timeout=WAIT_TIMEOUT)
        assert (await only_game(database)).version == game.version + 1

    async def test_other_members_cannot_cancel_it(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        assert "Only the host and co-hosts can cancel" in await cancel(sandbox, OTHER, game)
        assert (await only_game(database)).status is GameStatus.SCHEDULED

    @pytest.mark.parametrize(
        "permission", [Permission.MANAGE_EVENTS, Permission.MANAGE_GUILD, Permission.ADMINISTRATOR]
    )
    async def test_members_who_manage_events_or_the_server_can_cancel_it(
        self, sandbox: SandboxDiscord, database: Database, permission: Permission
    ) -> None:
        guild = next(iter(sandbox.world.guilds.values()))
        role = sandbox.world.add_role(guild, "Stewards", TALK | permission)
        guild.members[sandbox.world.user(OTHER).id].role_ids.append(role.id)
        game = await plan_game(database, sandbox)
        assert "is cancelled" in await cancel(sandbox, OTHER, game)

    async def test_cancelling_twice_says_that_it_is_already_cancelled(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        await cancel(sandbox, HOST, game)
        assert "already cancelled" in await cancel(sandbox, HOST, game)

    async def test_only_games_that_the_user_can_cancel_are_suggested(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await plan_game(database, sandbox)
        suggested = {
            who: len((await sandbox.autocomplete(who, "game cancel", "game", game="")).choices)
            for who in (HOST, MANAGER, OTHER)
        }
        assert suggested == {HOST: 1, MANAGER: 1, OTHER: 0}


@pytest.mark.usefixtures("bot")
class TestTimezone:
    async def test_games_that_are_already_planned_keep_their_times(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        before = await plan_game(database, sandbox)
        assert "Europe/Berlin" in await reply_text(sandbox.slash(MANAGER, "settings server", zone="berlin"))
        after = await only_game(database)
        assert (after.scheduled_at, after.zone) == (before.scheduled_at, "UTC")

    async def test_only_members_who_manage_the_server_can_set_it(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        assert "Manage Server" in await reply_text(sandbox.slash(HOST, "settings server", zone="Asia/Tokyo"))
        await reply_text(create(sandbox))
        assert (await only_game(database)).zone == "UTC"

    async def test_an_unknown_zone_gets_the_nearest_names(self, sandbox: SandboxDiscord) -> None:
        assert "`Europe/Berlin`" in await reply_text(sandbox.slash(OWNER, "settings server", zone="Europe/Berlinn"))

    async def test_time_zones_are_suggested(self, sandbox: SandboxDiscord) -> None:
        result = await sandbox.autocomplete(OWNER, "settings server", "zone", zone="lond")
        assert result.choices[0]["value"] == "Europe/London"

    async def test_a_time_is_previewed_while_it_is_typed(self, sandbox: SandboxDiscord) -> None:
        await reply_text(sandbox.slash(OWNER, "settings server", zone="Asia/Tokyo"))
        result = await sandbox.autocomplete(HOST, "game create", "when", when="2027-01-05 8pm")
        assert result.choices == [
            {"name": "2027-01-05 8pm · Tue 5 Jan 2027, 20:00 (Asia/Tokyo)", "value": "2027-01-05 20:00"}
        ]

    async def test_a_bare_hour_is_suggested_in_the_morning_and_in_the_evening(self, sandbox: SandboxDiscord) -> None:
        result = await sandbox.autocomplete(HOST, "game create", "when", when="Friday 8")
        assert [choice["value"][-5:] for choice in result.choices] == ["20:00", "08:00"]

    async def test_a_text_that_means_no_time_says_why_while_it_is_typed(self, sandbox: SandboxDiscord) -> None:
        result = await sandbox.autocomplete(HOST, "game create", "when", when="friday 8ish")
        assert ["ish" in choice["name"] for choice in result.choices] == [True]

    async def test_an_abbreviation_suggests_zones_with_the_time_there_now(self, sandbox: SandboxDiscord) -> None:
        result = await sandbox.autocomplete(OWNER, "settings server", "zone", zone="EST")
        assert result.choices[0]["value"] == "America/New_York"
        assert " now (E" in result.choices[0]["name"]


@pytest.mark.usefixtures("bot")
class TestButtons:
    async def test_joining_and_leaving_change_the_roster_and_refresh_the_announcement(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        assert "You're in" in await press(sandbox, PLAYER, message_id, "join", game)
        assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]
        assert (await only_game(database)).revision == game.revision + 1
        assert "You've left" in await press(sandbox, PLAYER, message_id, "leave", game)
        assert await players_of(database, game) == []

    async def test_a_player_is_promised_the_reminders_that_are_left(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        for offsets, first in (((1440, 60, 0), 60), ((0,), 0), ((1440,), None), ((), None)):
            game = await plan_game(database, sandbox, reminder_offsets=offsets)
            message_id = await post_announcement(sandbox, game)
            for start in ("You're in!", "You're already in."):
                text = await press(sandbox, PLAYER, message_id, "join", game)
                assert text.startswith(start)
                assert ("remind" in text) is (first is not None)
                if first is not None:
                    at = int(game.scheduled_at.timestamp()) - first * 60
                    assert f"on <t:{at}:f>" in text
                    assert f"in <#{game.channel_id}>" in text

    async def test_a_player_who_chose_dms_is_promised_a_dm_unless_theirs_are_closed(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        await reply_text(sandbox.slash(PLAYER, "settings me", where="By DM"))
        game = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        assert "I'll remind you by DM, first on <t:" in await press(sandbox, PLAYER, message_id, "join", game)
        async with db.transaction(database.sessions) as session:
            await mark_dms_closed(session, sandbox.world.user(PLAYER).id)
        assert f"I'll remind you in <#{game.channel_id}>" in await press(sandbox, PLAYER, message_id, "join", game)

    async def test_a_player_can_leave_from_a_dm(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        message_id = await self.remind_by_dm(sandbox, database, game)
        assert "You've left" in await press(sandbox, PLAYER, message_id, "leave", game)
        assert await players_of(database, game) == []
        assert "already said that you can't" in await press(sandbox, PLAYER, message_id, "leave", game)

    @pytest.mark.parametrize(
        ("status", "reason"), [(GameStatus.COMPLETED, "is over"), (GameStatus.CANCELLED, "is cancelled")]
    )
    async def test_a_game_that_is_over_is_not_left(
        self, sandbox: SandboxDiscord, database: Database, status: GameStatus, reason: str
    ) -> None:
        game = await plan_game(database, sandbox)
        message_id = await self.remind_by_dm(sandbox, database, game)
        async with db.transaction(database.sessions) as session:
            await allow_any_change(session)
            await session.execute(update(Game).values(status=status))
        before = await only_game(database)
        assert reason in await press(sandbox, PLAYER, message_id, "leave", game)
        assert len(await players_of(database, game)) == 1
        assert (await only_game(database)).revision == before.revision

    async def test_a_host_who_leaves_is_still_reminded(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        await press(sandbox, HOST, message_id, "join", game)
        assert "I'll still remind you" in await press(sandbox, HOST, message_id, "leave", game)

    async def remind_by_dm(self, sandbox: SandboxDiscord, database: Database, game: Game) -> int:
        """Let a player join, and send them the reminder by DM."""
        player = sandbox.world.user(PLAYER).id
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=player)
        return await post(
            sandbox, sandbox.world.open_dm(PLAYER).id, {"content": "🔔", "components": leave_button(game.id, nonce="")}
        )

    async def test_pressing_twice_changes_nothing(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        assert "Noted: you can't" in await press(sandbox, PLAYER, message_id, "leave", game)
        assert "already said that you can't" in await press(sandbox, PLAYER, message_id, "leave", game)
        await press(sandbox, PLAYER, message_id, "join", game)
        assert "already" in await press(sandbox, PLAYER, message_id, "join", game)
        assert len(await players_of(database, game)) == 1

    async def test_only_one_player_gets_the_last_seat(self, sandbox: SandboxDiscord, database: Database) -> None:
        game = await plan_game(database, sandbox, capacity=1)
        message_id = await post_announcement(sandbox, game)
        users = (OWNER, MANAGER, PLAYER, OTHER)
        texts = await asyncio.gather(*(press(sandbox, who, message_id, "join", game) for who in users))
        assert sorted("is full" in text for text in texts) == [False, True, True, True]
        assert all(any(f"number {place} on the waitlist" in text for text in texts) for place in (1, 2, 3))
        assert len(await players_of(database, game)) == 1

    async def test_the_first_who_waits_gets_the_seat_of_a_maybe(
        self, sandbox: SandboxDiscord, database: Database
    ) -> None:
        game = await plan_game(database, sandbox, capacity=1)
        message_id = await post_announcement(sandbox, game)
        await press(sandbox, PLAYER, message_id, "join", game)
        assert "number 1 on the waitlist" in await press(sandbox, OTHER, message_id, "join", game)
        assert "number 2 on the waitlist" in await press(sandbox, MANAGER, message_id, "join", game)
        assert "still full. You're number 2" in await press(sandbox, MANAGER, message_id, "join", game)
        assert "your seat is free" in await press(sandbox, PLAYER, message_id, "maybe", game)
        assert await players_of(database, game) == [sandbox.world.user(OTHER).id]
        assert "already a maybe" in await press(sandbox, PLAYER, message_id, "maybe", game)
        assert "off the waitlist" in await press(sandbox, MANAGER, message_id, "leave", game)

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (GameStatus.IN_PROGRESS, "has started"),
            (GameStatus.COMPLETED, "is over"),
            (GameStatus.CANCELLED, "is cancelled"),
        ],
    )
    async def test_a_game_that_is_not_open_says_why(
        self, sandbox: SandboxDiscord, database: Database, status: GameStatus, reason: str
    ) -> None:
        game = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, game)
        async with db.transaction(database.sessions) as session:
            await allow_any_change(session)
            await session.execute(update(Game).values(status=status))
        assert reason in await press(sandbox, PLAYER, message_id, "join", game)
        assert await players_of(database, game) == []

    async def test_a_deleted_game_says_so(self, sandbox: SandboxDiscord, database: Database) -> None:
        gone = await plan_game(database, sandbox)
        message_id = await post_announcement(sandbox, gone)
        async with db.transaction(database.sessions) as session:
            await allow_any_change(session)
            await session.delete(await session.get_one(Game, gone.id))
        assert "no longer exists" in await press(sandbox, PLAYER, message_id, "join", gone)


async def test_buttons_work_after_the_bot_has_restarted(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions):
        message_id = await post_announcement(sandbox, game)
    async with start_bot(database.sessions):
        assert "You're in" in await press(sandbox, PLAYER, message_id, "join", game)


@pytest.mark.usefixtures("bot")
def test_commands_about_a_server_are_not_offered_in_direct_messages(sandbox: SandboxDiscord) -> None:
    commands = sandbox.world.commands.all(None)
    assert {(command["name"], *command["contexts"], *command["integration_types"]) for command in commands} == {
        ("game", 0, 0),
        ("series", 0, 0),
        ("template", 0, 0),
        ("help", 0, 1, 0),
        ("settings", 0, 1, 0),
        ("my-games", 0, 1, 0),
    }
