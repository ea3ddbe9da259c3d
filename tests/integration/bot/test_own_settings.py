"""`/settings me`, in a channel and in direct messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.discord.faults.model import Match, Refuse
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.guild_settings import change_guild_settings
from shared.models import User
from shared.users import mark_dms_closed
from tests.integration.bot.conftest import post_announcement, reply_text
from tests.integration.bot.test_commands import HOST, PLAYER, create, only_game, plan_game, press
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")


async def load_user(database: Database, sandbox: SandboxDiscord) -> User:
    async with db.transaction(database.sessions) as session:
        user = await session.get(User, sandbox.world.user(PLAYER).id)
    assert user is not None
    return user


async def change(sandbox: SandboxDiscord, who: str = PLAYER, **options: str) -> str:
    """Change settings of a user, and return the bot's answer. Underscores of the options' names are dashes."""
    return await reply_text(
        sandbox.slash(who, "settings me", **{name.replace("_", "-"): value for name, value in options.items()})
    )


async def test_asking_for_dms_opens_the_dm_channel(sandbox: SandboxDiscord, database: Database) -> None:
    assert "I remind you by DM" in await change(sandbox, where="By DM")
    user = await load_user(database, sandbox)
    channel = sandbox.world.dm(PLAYER)
    assert channel is not None
    assert (user.wants_dm, user.dm_channel_id) == (True, channel.id)


async def test_the_choices_are_words(sandbox: SandboxDiscord) -> None:
    [command] = [command for command in sandbox.world.commands.all(None) if command["name"] == "settings"]
    [me] = [option for option in command["options"] if option["name"] == "me"]
    choices = {option["name"]: [choice["name"] for choice in option.get("choices", ())] for option in me["options"]}
    assert choices == {
        "zone": [],
        "where": ["In the channel", "By DM"],
        "extra-reminder": [],
        "reminders": ["On", "Off"],
    }


async def test_a_user_can_go_back_to_mentions(sandbox: SandboxDiscord, database: Database) -> None:
    await change(sandbox, where="By DM")
    assert "with a mention" in await change(sandbox, where="In the channel")
    assert (await load_user(database, sandbox)).wants_dm is False


async def test_the_preference_is_saved_even_if_discord_opens_no_dm_channel(
    sandbox: SandboxDiscord, database: Database
) -> None:
    sandbox.faults.add(Refuse(40003), Match(method="POST", route=r"^/users/@me/channels$"))
    await change(sandbox, where="By DM")
    user = await load_user(database, sandbox)
    assert (user.wants_dm, user.dm_channel_id) == (True, None)


async def test_closed_dms_are_tried_again_only_after_another_choice_of_where(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await change(sandbox, where="By DM")
    async with db.transaction(database.sessions) as session:
        await mark_dms_closed(session, sandbox.world.user(PLAYER).id)
    assert "I couldn't DM you" in await change(sandbox, zone="Berlin")
    assert "I couldn't DM you" not in await change(sandbox, where="By DM")


async def test_without_options_it_shows_the_settings_also_in_direct_messages(sandbox: SandboxDiscord) -> None:
    before = await change(sandbox)
    assert "server's time zone" in before
    assert "with a mention" in before
    assert "no extra reminder" in before
    changed = await change(sandbox, zone="Berlin", where="By DM", extra_reminder="1h30m")
    shown = await reply_text(sandbox.slash(PLAYER, "settings me", in_channel=sandbox.world.open_dm(PLAYER).id))
    for text in (changed, shown):
        assert "Europe/Berlin" in text
        assert "by DM" in text
        assert "1 hour 30 minutes before" in text


async def test_each_option_leaves_the_others_as_they_are(sandbox: SandboxDiscord, database: Database) -> None:
    for options in ({"zone": "Tokyo"}, {"where": "By DM"}, {"extra_reminder": "2h"}, {"reminders": "Off"}):
        await change(sandbox, **options)
    user = await load_user(database, sandbox)
    assert (user.zone, user.wants_dm, user.extra_offset_minutes, user.reminders_off) == ("Asia/Tokyo", True, 120, True)
    assert "I don't remind you" in await change(sandbox)
    assert "by DM" in await change(sandbox, reminders="On")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"zone": "Nowhereville"}, "big city"),
        ({"extra_reminder": "soon"}, "such as `1d, 1h, 10m, 0`"),
        ({"extra_reminder": "2h, 1h"}, "one extra reminder"),
        ({"extra_reminder": "90d"}, "30 days"),
    ],
)
async def test_what_cannot_be_read_changes_nothing_and_says_what_to_enter(
    sandbox: SandboxDiscord, database: Database, options: dict[str, str], advice: str
) -> None:
    await change(sandbox, zone="Tokyo", extra_reminder="2h")
    assert advice in await change(sandbox, reminders="Off", **options)
    user = await load_user(database, sandbox)
    assert (user.zone, user.extra_offset_minutes, user.reminders_off) == ("Asia/Tokyo", 120, False)


async def test_the_servers_zone_is_suggested_and_chosen_again(sandbox: SandboxDiscord, database: Database) -> None:
    await change(sandbox, zone="Tokyo")
    result = await sandbox.autocomplete(PLAYER, "settings me", "zone", zone="serv")
    assert result.choices[0] == {"name": "The server's time zone", "value": "server"}
    assert "server's time zone" in await change(sandbox, zone="server")
    assert (await load_user(database, sandbox)).zone is None


@pytest.mark.parametrize(
    ("entered", "starts_at"),
    [
        ("2027-03-13 8pm", datetime(2027, 3, 14, 1, tzinfo=UTC)),  # the last evening of winter time
        ("2027-03-14 8pm", datetime(2027, 3, 15, 0, tzinfo=UTC)),
        ("2026-10-31 8pm", None),
        ("2027-11-06 8pm", datetime(2027, 11, 7, 0, tzinfo=UTC)),  # the last evening of summer time
        ("2027-11-07 8pm", datetime(2027, 11, 8, 1, tzinfo=UTC)),
    ],
)
async def test_a_time_is_read_in_the_users_own_zone_on_both_sides_of_daylight_saving(
    sandbox: SandboxDiscord, database: Database, entered: str, starts_at: datetime | None
) -> None:
    guild = next(iter(sandbox.world.guilds))
    async with db.transaction(database.sessions) as session:
        await change_guild_settings(session, guild, {"zone": "Europe/Berlin"}, actor_id=1)
    await change(sandbox, HOST, zone="New York")
    suggested = await sandbox.autocomplete(HOST, "game create", "when", when=entered)
    if starts_at is None:  # in the past
        assert "I read times in America/New_York" in await reply_text(create(sandbox, when=entered))
        return
    assert "(America/New_York)" in suggested.choices[0]["name"]
    await reply_text(create(sandbox, when=suggested.choices[0]["value"]))
    game = await only_game(database)
    assert (game.scheduled_at, game.zone, game.local_time.hour) == (starts_at, "America/New_York", 20)


async def test_a_host_who_set_no_zone_uses_the_servers(sandbox: SandboxDiscord, database: Database) -> None:
    guild = next(iter(sandbox.world.guilds))
    async with db.transaction(database.sessions) as session:
        await change_guild_settings(session, guild, {"zone": "Europe/Berlin"}, actor_id=1)
    await reply_text(create(sandbox, when="2027-03-28 8pm"))
    assert (await only_game(database)).scheduled_at == datetime(2027, 3, 28, 18, tzinfo=UTC)


async def test_a_new_time_is_read_in_the_zone_of_who_edits(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox)
    await change(sandbox, HOST, zone="Tokyo")
    await reply_text(sandbox.slash(HOST, "game edit", game=str(game.id), when="2027-03-28 8pm"))
    assert (await only_game(database)).scheduled_at == datetime(2027, 3, 28, 11, tzinfo=UTC)


async def test_a_player_who_turned_reminders_off_is_promised_none(sandbox: SandboxDiscord, database: Database) -> None:
    await change(sandbox, reminders="Off")
    game = await plan_game(database, sandbox)
    message_id = await post_announcement(sandbox, game)
    assert "you turned reminders off" in await press(sandbox, PLAYER, message_id, "join", game)


async def test_an_extra_reminder_is_promised_and_can_be_removed(sandbox: SandboxDiscord, database: Database) -> None:
    assert "2 hours before" in await change(sandbox, extra_reminder="2h")
    game = await plan_game(database, sandbox)
    game = await plan_game(database, sandbox, scheduled_at=game.scheduled_at + timedelta(hours=3))
    message_id = await post_announcement(sandbox, game)
    first = int((game.scheduled_at - timedelta(hours=2)).timestamp())
    assert f"first on <t:{first}:f>" in await press(sandbox, PLAYER, message_id, "join", game)
    assert "no extra reminder" in await change(sandbox, extra_reminder="none")
    assert f"<t:{first}:f>" not in await press(sandbox, PLAYER, message_id, "join", game)


async def test_the_settings_of_a_server_are_not_shown_in_direct_messages(sandbox: SandboxDiscord) -> None:
    dm = sandbox.world.open_dm(PLAYER).id
    assert "a channel of the server" in await reply_text(sandbox.slash(PLAYER, "settings server", in_channel=dm))
