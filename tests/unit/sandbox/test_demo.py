"""The demo's check, and how the demo starts with a token for a real Discord."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from sandbox.demo.account import fetch_invite_link
from sandbox.demo.check import DemoResult, result
from sandbox.demo.main import main
from sandbox.discord.server import SandboxDiscord
from sandbox.oracle.facts import DatabaseFacts, GameHistory, GameState, TransitionRow
from sandbox.oracle.verdict import Verdict
from sandbox.servers.network import HOST, free_port
from shared.errors import ConfigurationError, TransientError
from shared.models import GameStatus, Outcome
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


def game(**fields: Any) -> GameHistory:
    now = datetime.now(UTC)
    final = GameState(now, now, GameStatus.COMPLETED, frozenset())
    history = GameHistory(uuid4(), "A game", 7, (1,), timedelta(seconds=10), message_id=1, states=(final,))
    return replace(history, **fields)


def unfinished() -> GameHistory:
    return game(states=(replace(game().final, status=GameStatus.IN_PROGRESS),))


def facts(*games: GameHistory, transitions: int | None = None) -> DatabaseFacts:
    applied = [
        TransitionRow(played.id, GameStatus.COMPLETED, datetime.now(UTC), Outcome.APPLIED)
        for played in games
        for _ in "12"
    ]
    return DatabaseFacts({played.id: played for played in games}, {}, applied[:transitions], {}, datetime.now(UTC))


def test_the_check_passes_when_every_game_was_completed_and_the_oracle_found_nothing() -> None:
    passed = result(facts(game(), game()), Verdict(reminders=3, delivered=3, latency=[0.1, 0.3, 0.2]))
    assert passed.passed
    assert passed.as_json() == {
        "games": 2,
        "reminders_due": 3,
        "delivered": 3,
        "doubled": 0,
        "missing": 0,
        "latency_ms": {"p50": 200.0, "p99": 300.0, "max": 300.0},
        "transitions_applied": 4,
        "problems": [],
    }


@pytest.mark.parametrize(
    ("failed", "problem"),
    [
        (result(facts(game()), Verdict(reminders=1, lost=["a reminder"])), "lost: a reminder"),
        (result(facts(game()), Verdict(reminders=1, doubled=["a reminder"])), "doubled: a reminder"),
        (result(facts(game()), Verdict()), "no reminder was due"),
        (result(facts(game(message_id=None)), Verdict(reminders=1)), "has no announcement"),
        (result(facts(game(), transitions=1), Verdict(reminders=1)), "1 transitions for 1 games"),
        (result(facts(unfinished()), Verdict(reminders=1)), "ended as in_progress"),
    ],
)
def test_the_check_fails_with_a_reason(failed: DemoResult, problem: str) -> None:
    assert not failed.passed
    assert problem in failed.problems[0]
