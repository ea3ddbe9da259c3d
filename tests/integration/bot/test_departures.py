"""Players who leave a server, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import discord
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from bot.delivery.rate_limits import RateLimiter
from bot.departures import Departures
from bot.gateway import GatewayOptions, run_gateway
from sandbox.discord.gateway.events import Intent
from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.entities import Guild
from shared import database as db
from shared.audit import list_game_entries, list_series_entries
from shared.database import Sessions
from shared.errors import TransientError
from shared.models import AuditAction, Game, GameSeries, GameStatus, NotificationKind, Response
from shared.series.lifecycle import start_series
from shared.series.rule import Frequency, Rule
from shared.settings import DiscordSettings
from shared.signup import join_game, leave_game, list_waitlist
from tests.integration.bot.conftest import reply_text, running_bot
from tests.integration.bot.test_commands import (
    CHANNEL,
    HOST,
    MANAGER,
    OTHER,
    PLAYER,
    FailingSessions,
    notifications,
    plan_game,
    players_of,
)
from tests.support.database import Database
from tests.support.waiting import WAIT_TIMEOUT, eventually

StartBot = Callable[[Sessions], AbstractAsyncContextManager[None]]


@pytest.fixture
def start_bot(sandbox: SandboxDiscord, discord_settings: DiscordSettings) -> StartBot:
    """Connect a bot that asks for members for a block."""
    sandbox.gateway.privileged_intents |= Intent.GUILD_MEMBERS
    return partial(running_bot, discord_settings, members_intent=True)


@pytest.fixture
async def bot(start_bot: StartBot, database: Database) -> AsyncIterator[None]:
    async with start_bot(database.sessions):
        yield


@pytest.fixture
def guild(sandbox: SandboxDiscord) -> Guild:
    return sandbox.world.guilds[sandbox.world.channel(CHANNEL).guild_id or 0]


def ids(sandbox: SandboxDiscord, *names: str) -> list[int]:
    return [sandbox.world.user(name).id for name in names]


async def join(database: Database, game: Game, users: Iterable[int]) -> None:
    for user in users:
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=user)


async def full_game(sandbox: SandboxDiscord, database: Database, **fields: Any) -> Game:
    """A game of one seat, which the player has. Two others wait for it."""
    game = await plan_game(database, sandbox, capacity=1, **fields)
    await join(database, game, ids(sandbox, PLAYER, OTHER, MANAGER))
    return game


async def have_seats(database: Database, game: Game, *users: int) -> bool:
    return await players_of(database, game) == list(users)


async def waitlist_of(database: Database, game: Game) -> list[int]:
    async with db.transaction(database.sessions) as session:
        return await list_waitlist(session, game.id)


async def check_promoted_once(sandbox: SandboxDiscord, database: Database, game: Game) -> None:
    """Check what follows from the departure of the only player."""
    player, other, manager = ids(sandbox, PLAYER, OTHER, MANAGER)
    assert await players_of(database, game) == [other]
    assert await waitlist_of(database, game) == [manager]
    rows = await notifications(database, game)
    assert [row.user_id for row in rows if row.kind is NotificationKind.PROMOTION] == [other]
    assert [row.user_ids for row in rows if row.kind is NotificationKind.DROP_OUT] == [[player]]
    async with db.transaction(database.sessions) as session:
        entries = await list_game_entries(session, game.id, limit=20)
    left = [entry for entry in entries if entry.action == AuditAction.LEFT_SERVER]
    assert [(entry.actor_id, entry.detail) for entry in left] == [(None, {"user_id": player})]
    assert [entry.action for entry in entries].count(AuditAction.PROMOTED) == 1


@pytest.mark.usefixtures("bot")
async def test_a_player_who_leaves_the_server_frees_the_seat_once_though_reported_twice(
    sandbox: SandboxDiscord, database: Database, guild: Guild
) -> None:
    game, other_game = await full_game(sandbox, database), await plan_game(database, sandbox)
    [player, last] = ids(sandbox, PLAYER, "Mia")
    await join(database, other_game, [last])
    sandbox.world.remove_member(guild, PLAYER)
    sandbox.world.add_member(guild, PLAYER)
    sandbox.world.remove_member(guild, PLAYER)
    sandbox.world.remove_member(guild, "Mia")  # handled after the others
    await eventually(lambda: have_seats(database, other_game))
    await check_promoted_once(sandbox, database, game)
    history = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
    assert f"Questbell took out <@{player}>, who left the server" in history


async def test_a_player_who_left_while_the_bot_was_down_frees_the_seat_once(
    sandbox: SandboxDiscord, database: Database, guild: Guild, start_bot: StartBot
) -> None:
    game = await full_game(sandbox, database)
    sandbox.world.remove_member(guild, PLAYER)
    for _ in range(2):
        async with start_bot(database.sessions):
            await eventually(lambda: have_seats(database, game, *ids(sandbox, OTHER)))
    await check_promoted_once(sandbox, database, game)


async def test_many_players_are_asked_about_in_parts_and_members_stay(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    game = await plan_game(database, sandbox)
    members = ids(sandbox, PLAYER, OTHER)
    await join(database, game, [*range(1, 61), members[0], *range(61, 121), members[1]])
    async with start_bot(database.sessions):
        await eventually(lambda: have_seats(database, game, *members))


@pytest.mark.usefixtures("bot")
async def test_all_open_games_of_that_server_lose_the_seat_and_the_answer(
    sandbox: SandboxDiscord, database: Database, guild: Guild
) -> None:
    [player] = ids(sandbox, PLAYER)
    games = [await plan_game(database, sandbox) for _ in range(3)]
    elsewhere = await plan_game(database, sandbox, guild_id=999)
    over = await plan_game(database, sandbox)
    await join(database, elsewhere, [player])
    await join(database, over, [player])
    async with db.transaction(database.sessions) as session:
        for game in games[:2]:
            await join_game(session, game.id, user_id=player)
        await leave_game(session, games[2].id, user_id=player)
        (await session.get_one(Game, games[1].id)).status = GameStatus.IN_PROGRESS
        (await session.get_one(Game, over.id)).status = GameStatus.COMPLETED
    sandbox.world.remove_member(guild, PLAYER)

    async def is_out() -> bool:
        async with db.transaction(database.sessions) as session:
            answers = (await session.scalars(select(Response).where(Response.user_id == player))).all()
        return not answers and not any([await players_of(database, game) for game in games])

    await eventually(is_out)
    assert await players_of(database, elsewhere) == await players_of(database, over) == [player]


@pytest.mark.usefixtures("bot")
async def test_a_regular_who_leaves_has_no_seat_in_the_next_games(
    sandbox: SandboxDiscord, database: Database, guild: Guild
) -> None:
    player, other = ids(sandbox, PLAYER, OTHER)
    game = await plan_game(database, sandbox)
    await join(database, game, [player])
    async with db.transaction(database.sessions) as session:
        found = await session.get_one(Game, game.id)
        series = await start_series(session, found, Rule(frequency=Frequency.DAILY))
        series.regulars = [player, other]
    sandbox.world.remove_member(guild, PLAYER)
    await eventually(lambda: have_seats(database, game))
    async with db.transaction(database.sessions) as session:
        assert (await session.get_one(GameSeries, series.id)).regulars == [other]
        left, _started = await list_series_entries(session, series.id, limit=5)
    assert left[:3] == (None, AuditAction.LEFT_SERVER, {"user_id": player})


@pytest.mark.parametrize("error", [ConnectionRefusedError(), asyncpg.InvalidPasswordError("refused")])
async def test_a_departure_waits_for_the_database(
    sandbox: SandboxDiscord, database: Database, guild: Guild, start_bot: StartBot, error: Exception
) -> None:
    game = await full_game(sandbox, database)
    sessions = FailingSessions(database.sessions, error, times=0)
    async with start_bot(cast(Any, sessions)):
        sessions.times = 3
        sandbox.world.remove_member(guild, PLAYER)
        await eventually(lambda: have_seats(database, game, *ids(sandbox, OTHER)))
    await check_promoted_once(sandbox, database, game)


async def test_what_is_reported_is_handled_before_the_bot_stops(sandbox: SandboxDiscord, database: Database) -> None:
    game, departures = await full_game(sandbox, database), Departures(database.sessions)
    departures.record_member(game.guild_id, *ids(sandbox, PLAYER))
    running = asyncio.create_task(departures.run())
    await departures.finish()
    running.cancel()
    await asyncio.wait([running])
    await check_promoted_once(sandbox, database, game)


async def test_an_answer_that_lacks_the_bot_or_never_comes_takes_nobody_out(
    sandbox: SandboxDiscord, database: Database
) -> None:
    def server(guild_id: int, answer: Callable[..., Awaitable[list[Any]]]) -> discord.Guild:
        return cast(discord.Guild, SimpleNamespace(id=guild_id, me=me, query_members=answer))

    async def say_nobody(**_options: Any) -> list[Any]:
        return []

    async def say_nothing(**_options: Any) -> list[Any]:
        raise TimeoutError

    async def say_only_the_bot(**_options: Any) -> list[Any]:
        return [me]

    me, answers = SimpleNamespace(id=1), (say_nobody, say_nothing, say_only_the_bot)
    games = [await plan_game(database, sandbox, guild_id=number) for number in (7, 8, 9)]
    departures = Departures(database.sessions)
    for game, answer in zip(games, answers, strict=True):
        await join(database, game, [5])
        departures.check_later(server(game.guild_id, answer))
    with capture_logs() as logs:
        running = asyncio.create_task(departures.run())
        await eventually(lambda: have_seats(database, games[2]))
    running.cancel()
    await asyncio.wait([running])
    assert [await players_of(database, game) for game in games] == [[5], [5], []]
    assert [entry["guild_id"] for entry in logs if entry["action"] == "members_unknown"] == [7, 8]


async def test_without_the_intent_nobody_is_taken_out(
    sandbox: SandboxDiscord, discord_settings: DiscordSettings, database: Database, guild: Guild
) -> None:
    game = await full_game(sandbox, database)
    async with running_bot(discord_settings, database.sessions):
        sandbox.world.remove_member(guild, PLAYER)
        assert "Strahd" in str((await (await sandbox.slash(HOST, "game show", game="strahd")).done()).message)
        assert await players_of(database, game) == ids(sandbox, PLAYER)


async def test_an_intent_that_the_application_lacks_is_named(
    discord_settings: DiscordSettings, database: Database
) -> None:
    with pytest.raises(TransientError, match=r"4014.*Server Members Intent.*QUESTBELL_BOT_MEMBERS_INTENT"):
        await asyncio.wait_for(
            run_gateway(
                discord_settings, database.sessions, GatewayOptions(limiter=RateLimiter(), members_intent=True)
            ),
            WAIT_TIMEOUT,
        )
