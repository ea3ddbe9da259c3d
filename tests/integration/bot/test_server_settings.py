"""`/settings server`, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.guild_settings import GuildSettings, get_guild_settings
from tests.integration.bot.conftest import reply_text
from tests.integration.bot.test_commands import (
    CHANNEL,
    HOST,
    MANAGER,
    OTHER,
    OWNER,
    all_games,
    create,
    only_game,
    plan_game,
)
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("bot")

NEWS = "announcements"


async def change(sandbox: SandboxDiscord, who: str = MANAGER, **options: Any) -> str:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return await reply_text(sandbox.slash(who, "settings server", **named))


async def settings_of(database: Database, sandbox: SandboxDiscord) -> GuildSettings:
    async with db.transaction(database.sessions) as session:
        return await get_guild_settings(session, sandbox.world.channel(CHANNEL).guild_id)


async def test_without_options_it_shows_the_settings_and_who_changed_them(sandbox: SandboxDiscord) -> None:
    before = (await change(sandbox, OTHER)).splitlines()
    assert before[0] == "**This server's settings**"
    assert before[1].startswith("Time zone: UTC, where it's ")
    assert before[2:] == [
        "Reminders: 1 hour before and at the start",
        "Channel: where `/game create` is used",
        "Creator role: everyone can create games",
        "Manager role: members with Manage Events",
    ]
    await change(
        sandbox, zone="berlin", reminders="1d, 0", channel=NEWS, creator_role="Players", manager_role="Keepers"
    )
    after = (await change(sandbox, OTHER)).splitlines()
    channel = sandbox.world.channel(NEWS).id
    roles = {role.name: role.id for guild in sandbox.world.guilds.values() for role in guild.roles.values()}
    assert after[1].startswith("Time zone: Europe/Berlin, where it's ")
    assert after[2:6] == [
        "Reminders: 1 day before and at the start",
        f"Channel: <#{channel}>",
        f"Creator role: <@&{roles['Players']}>",
        f"Manager role: <@&{roles['Keepers']}>",
    ]
    assert after[6].startswith(f"-# Last changed by <@{sandbox.world.user(MANAGER).id}> <t:")


@pytest.mark.parametrize(
    ("options", "reset"),
    [
        ({"zone": "berlin"}, "Time zone"),
        ({"reminders": "none"}, "Reminders"),
        ({"channel": NEWS}, "Channel"),
        ({"creator_role": "Players"}, "Creator role"),
        ({"manager_role": "Keepers"}, "Manager role"),
        ({"zone": "berlin", "reminders": "1d", "channel": NEWS, "creator_role": "Players"}, "Everything"),
    ],
)
async def test_each_setting_can_be_reset(
    sandbox: SandboxDiscord, database: Database, options: dict[str, str], reset: str
) -> None:
    await change(sandbox, **options)
    assert await settings_of(database, sandbox) != GuildSettings()
    assert (await change(sandbox, reset=reset)).startswith("Saved.")
    assert await settings_of(database, sandbox) == GuildSettings()


async def test_only_members_who_manage_the_server_change_it(sandbox: SandboxDiscord, database: Database) -> None:
    await change(sandbox, OWNER, manager_role="Players")
    before = await settings_of(database, sandbox)
    for options in ({"reminders": "1d"}, {"channel": NEWS}, {"creator_role": "Keepers"}, {"reset": "Everything"}):
        assert "You need the Manage Server permission" in await change(sandbox, HOST, **options)
    assert await settings_of(database, sandbox) == before


async def test_an_invalid_setting_changes_nothing(sandbox: SandboxDiscord, database: Database) -> None:
    assert "`24m` or `24h`" in await change(sandbox, zone="berlin", reminders="1h, 24")
    assert await settings_of(database, sandbox) == GuildSettings()


@pytest.mark.parametrize(
    ("default", "entered", "offsets"),
    [("1d, 30m", None, [1440, 30]), ("1d, 30m", "2h", [120]), ("none", None, []), (None, None, [60, 0])],
)
async def test_a_new_game_has_the_servers_reminders_unless_its_host_says_others(
    sandbox: SandboxDiscord, database: Database, default: str | None, entered: str | None, offsets: list[int]
) -> None:
    if default is not None:
        await change(sandbox, reminders=default)
    await reply_text(create(sandbox, when="in 72 hours", **({} if entered is None else {"reminders": entered})))
    assert (await only_game(database)).reminder_offsets == offsets


async def test_new_games_are_announced_in_the_channel_and_others_stay(
    sandbox: SandboxDiscord, database: Database
) -> None:
    before = await plan_game(database, sandbox)
    await change(sandbox, channel=NEWS)
    news = sandbox.world.channel(NEWS).id
    assert f"I'm posting it in <#{news}>" in await reply_text(create(sandbox, in_channel=CHANNEL))
    assert [game.channel_id for game in await all_games(database)] == [before.channel_id, news]


async def test_the_permission_to_post_is_needed_there_and_not_here(sandbox: SandboxDiscord, database: Database) -> None:
    await change(sandbox, channel=NEWS)
    sandbox.world.deny("off-topic", "SEND_MESSAGES")
    assert "is set for" in await reply_text(create(sandbox, in_channel="off-topic"))
    sandbox.world.deny(NEWS, "SEND_MESSAGES", "EMBED_LINKS")
    text = await reply_text(create(sandbox, in_channel=CHANNEL))
    assert f"I can't post in <#{sandbox.world.channel(NEWS).id}> without the Send Messages and Embed Links" in text
    assert "`/settings server`" in text
    assert len(await all_games(database)) == 1


async def test_a_channel_that_was_deleted_is_explained(sandbox: SandboxDiscord, database: Database) -> None:
    await change(sandbox, channel=NEWS)
    sandbox.world.delete_channel(NEWS)
    text = await reply_text(create(sandbox, in_channel=CHANNEL))
    assert "I can't see the channel" in text and "`/settings server`" in text
    assert await all_games(database) == []


async def test_a_channel_where_the_bot_may_not_post_is_refused(sandbox: SandboxDiscord, database: Database) -> None:
    sandbox.world.deny(NEWS, "EMBED_LINKS")
    assert "without the Embed Links permission" in await change(sandbox, channel=NEWS)
    assert await settings_of(database, sandbox) == GuildSettings()
