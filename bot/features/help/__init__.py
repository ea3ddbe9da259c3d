"""The `/help` command, and the hello on a server that the bot joins."""

from __future__ import annotations

from discord import app_commands

from bot.client import Interaction, QuestbellClient
from bot.features.interactions import Reply, respond

HELP = """\
**First steps**
1. An admin sets this server's time zone with `/settings server`.
2. A host plans a game with `/game create`, checks the preview and presses **Post it**.
3. Players press **Join** on the announcement. I remind them before the game starts.

**For players**
`/game list` and `/my-games` show what is planned.
`/settings me` sets how I remind you, and in which time zone I read your times.

**For hosts**
In the preview, **Sign-ups** adds slots, a deadline and a minimum of players.
`/game edit` and `/game cancel` change or cancel a game, and I tell its players.
`/game clone` plans another game like it, and `/series` shows games that repeat.
`/template save` keeps what your games have in common, for `/game create`.
`/game history` shows who changed what."""


@app_commands.command(name="help")
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
@app_commands.allowed_installs(guilds=True, users=False)
async def show_help(interaction: Interaction) -> None:
    """Show how to plan games."""

    async def work() -> Reply:
        return Reply(HELP)

    await respond(interaction, work)


def setup(_client: QuestbellClient, tree: app_commands.CommandTree[QuestbellClient]) -> None:
    """Add the feature to a client before it connects."""
    tree.add_command(show_help)
