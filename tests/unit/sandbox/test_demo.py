"""How the demo starts with a token for a real Discord; another Discord answers in its place."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from sandbox.demo.account import fetch_invite_link
from sandbox.demo.main import main
from sandbox.discord.server import SandboxDiscord
from sandbox.servers.network import HOST, free_port
from shared.errors import ConfigurationError, TransientError
from shared.settings import DiscordSettings


def settings(url: str, token: str) -> DiscordSettings:
    return DiscordSettings(api_url=url, token=SecretStr(token))


async def test_the_invite_link_names_the_application_and_the_permissions_that_the_bot_needs() -> None:
    async with SandboxDiscord() as discord:
        link = await fetch_invite_link(settings(discord.url, discord.token))
    query = f"client_id={discord.world.bot.id}&scope=bot+applications.commands&permissions=274877991936"
    assert link == f"https://discord.com/oauth2/authorize?{query}"


async def test_a_bad_token_is_reported_in_one_line_without_the_token() -> None:
    async with SandboxDiscord() as discord:
        with pytest.raises(ConfigurationError) as caught:
            await fetch_invite_link(settings(discord.url, "not-the-token"))
    assert re.fullmatch("DISCORD_TOKEN: Discord rejects this token.*", str(caught.value))
    assert "not-the-token" not in str(caught.value)


async def test_a_discord_that_cannot_be_reached_is_reported_in_one_line() -> None:
    url = f"http://{HOST}:{free_port()}"
    with pytest.raises(TransientError, match=f"cannot look up the bot's application at {url}: .+"):
        await fetch_invite_link(settings(url, "token"))


def test_the_check_refuses_a_real_discord(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "token")
    result = CliRunner().invoke(main, ["--once"])
    assert (result.exit_code, "unset DISCORD_TOKEN" in result.output) == (2, True)
