"""The help, and the hello on a server that the bot joins."""

from __future__ import annotations

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.permissions import Overwrite, Permission
from tests.integration.bot.conftest import StartBot, reply_text
from tests.integration.bot.test_commands import OWNER, PLAYER, FailingSessions
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT


def written(sandbox: SandboxDiscord) -> list[str]:
    """What the bot has posted. A command's "thinking…" is empty."""
    made = [record for record in sandbox.evidence if record.kind == "create" and not record.returned_earlier]
    return [record.content for record in made if record.content]


async def test_the_help_needs_no_database(sandbox: SandboxDiscord, database: Database, start_bot: StartBot) -> None:
    async with start_bot(FailingSessions(database.sessions, ConnectionRefusedError(), times=100)):
        text = await reply_text(sandbox.slash(PLAYER, "help"))
    assert "`/game create`" in text
    assert "http" not in text


async def test_a_new_server_is_greeted_once_and_a_restart_greets_nobody(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async with start_bot(database.sessions), start_bot(database.sessions):  # two processes with one token
        silent = Overwrite(sandbox.world.bot.id, for_member=True, deny=Permission.SEND_MESSAGES)
        guild = sandbox.world.add_guild("New Keep", owner=OWNER, channels={"rules": [silent], "talk": []})
        await sandbox.wait_for(lambda: len(written(sandbox)) == 1, timeout=WAIT_TIMEOUT)
    async with start_bot(database.sessions):
        await reply_text(sandbox.slash(PLAYER, "help"))
    [hello] = written(sandbox)
    assert "`/settings server`" in hello
    assert "`/game create`" in hello
    _, talk = guild.channels.values()
    assert [message.content for message in sandbox.messages(talk)] == [hello]


async def test_a_server_where_the_bot_may_not_write_is_left_alone(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async with start_bot(database.sessions):
        silent = Overwrite(sandbox.world.bot.id, for_member=True, deny=Permission.SEND_MESSAGES)
        sandbox.world.add_guild("Quiet Keep", owner=OWNER, channels={"rules": [silent]})
        await reply_text(sandbox.slash(PLAYER, "help"))
    assert written(sandbox) == []
