"""Users who join a game at the same time as another of theirs learn of it, with unmodified discord.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.games import cancel_game
from shared.models import Game
from tests.integration.bot.conftest import post_announcement
from tests.integration.bot.test_commands import OTHER, PLAYER, plan_game, players_of, press
from tests.integration.bot.test_sign_up_limits import join
from tests.support.database import Database

START = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=8)

pytestmark = pytest.mark.usefixtures("bot")


async def press_join(sandbox: SandboxDiscord, game: Game, who: str = PLAYER) -> str:
    return await press(sandbox, who, await post_announcement(sandbox, game), "join", game)


@pytest.mark.parametrize(
    ("later", "overlaps"), [(-4, False), (-3, False), (-2, True), (0, True), (2, True), (3, False), (4, False)]
)
async def test_a_player_is_warned_if_the_games_overlap_and_still_joins(
    sandbox: SandboxDiscord, database: Database, later: int, overlaps: bool
) -> None:
    first = await plan_game(database, sandbox, title="**Keep** @everyone", scheduled_at=START)
    await join(database, sandbox, first, PLAYER)
    second = await plan_game(database, sandbox, scheduled_at=first.scheduled_at + timedelta(hours=later))
    answer = await press_join(sandbox, second)
    assert "You're in!" in answer
    assert ("which overlaps" in answer) is overlaps
    if overlaps:
        assert r"\*\*Keep\*\*" in answer and f"<t:{int(first.scheduled_at.timestamp())}:F>, which" in answer
    assert await players_of(database, second) == [sandbox.world.user(PLAYER).id]


async def test_a_user_who_waits_for_a_seat_is_warned_too(sandbox: SandboxDiscord, database: Database) -> None:
    first = await plan_game(database, sandbox)
    second = await plan_game(database, sandbox, capacity=1)
    await join(database, sandbox, first, PLAYER)
    await join(database, sandbox, second, OTHER)
    answer = await press_join(sandbox, second)
    assert "on the waitlist" in answer and "which overlaps" in answer


async def test_games_of_others_and_those_that_are_cancelled_overlap_with_nothing(
    sandbox: SandboxDiscord, database: Database
) -> None:
    first, cancelled, second = [await plan_game(database, sandbox) for _ in range(3)]
    await join(database, sandbox, first, OTHER)
    await join(database, sandbox, cancelled, PLAYER)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, cancelled.id)
    assert "overlaps" not in await press_join(sandbox, second)
