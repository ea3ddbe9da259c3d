"""`/game edit`, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.games import cancel_game
from shared.models import Game, GameStatus, NotificationKind
from shared.signup import join_game
from tests.integration.bot.conftest import reply_text
from tests.integration.bot.test_commands import (
    HOST,
    MANAGER,
    OTHER,
    OWNER,
    PLAYER,
    notifications,
    only_game,
    plan_game,
)
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

pytestmark = pytest.mark.usefixtures("bot")


async def edit(sandbox: SandboxDiscord, game: Game, *, who: str = HOST, **options: Any) -> str:
    return await reply_text(sandbox.slash(who, "game edit", game=str(game.id), **options))


async def changes_of(database: Database, game: Game) -> int:
    return sum(row.kind is NotificationKind.CHANGE for row in await notifications(database, game))


async def test_everything_can_be_changed_at_once(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, capacity=3)
    text = await edit(
        sandbox,
        game,
        when="in 5 hours",
        title="Tomb of Horrors",
        duration="2h",
        players=6,
        reminders="30m",
        description="Bring a spare character.",
    )
    changed = await only_game(database)
    assert (changed.title, changed.description) == ("Tomb of Horrors", "Bring a spare character.")
    assert (changed.capacity, changed.reminder_offsets, changed.duration) == (6, [30], timedelta(hours=2))
    assert abs(changed.scheduled_at - datetime.now(UTC) - timedelta(hours=5)) < timedelta(seconds=30)
    assert (changed.version, changed.revision) == (game.version + 1, game.revision + 1)
    start = int(changed.scheduled_at.timestamp())
    assert f"<t:{start}:F>" in text and "everyone know the new time" in text
    assert f"30 minutes before: <t:{start - 1800}:f>" in text
    rows = [row for row in await notifications(database, changed) if row.settled_at is None]
    kinds = {NotificationKind.ANNOUNCEMENT, NotificationKind.CHANGE, NotificationKind.REMINDER}
    assert {row.kind for row in rows} == kinds
    assert [row.offset_minutes for row in rows if row.kind is NotificationKind.REMINDER] == [30]


async def test_what_is_left_out_stays_and_nobody_is_told(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, capacity=3, description="Bring dice.")
    assert "is changed" in await edit(sandbox, game, title="Tomb of Horrors")
    changed = await only_game(database)
    assert (changed.capacity, changed.description, changed.reminder_offsets) == (3, "Bring dice.", [60, 0])
    assert (changed.scheduled_at, changed.version) == (game.scheduled_at, game.version)
    assert await changes_of(database, game) == 0


async def test_the_limit_and_the_description_can_be_removed(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, capacity=3, description="Bring dice.")
    await edit(sandbox, game, players=0, description="none")
    changed = await only_game(database)
    assert (changed.capacity, changed.description) == (None, "")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({}, "such as `when`"),
        ({"when": "2025-01-01 20:00"}, "is in the past"),
        ({"when": "whenever"}, "`tomorrow 8pm`"),
        ({"title": " \u200b "}, "The title is empty"),
        ({"duration": "long"}, "`3h`"),
        ({"players": 1}, "already has 2 players"),
    ],
)
async def test_an_invalid_change_is_explained_and_nothing_is_saved(
    sandbox: SandboxDiscord, database: Database, options: dict[str, Any], hint: str
) -> None:
    game = await plan_game(database, sandbox, capacity=3)
    for who in (PLAYER, OTHER):
        async with db.transaction(database.sessions) as session:
            await join_game(session, game.id, user_id=sandbox.world.user(who).id)
    before = await only_game(database)
    assert hint in await edit(sandbox, game, **options)
    after = await only_game(database)
    assert (after.revision, after.version, after.capacity) == (before.revision, before.version, before.capacity)


async def test_a_change_to_what_it_is_already_changes_nothing(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox, capacity=3)
    assert "nothing has changed" in await edit(sandbox, game, players=3, title="Curse of Strahd")
    assert (await only_game(database)).revision == game.revision


async def test_the_host_and_those_who_manage_can_change_it(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox)
    assert "Only the host and co-hosts can change this game" in await edit(sandbox, game, who=OTHER, title="Mine")
    for who in (HOST, MANAGER, OWNER):
        assert "is changed" in await edit(sandbox, game, who=who, title=f"{who}'s")
    suggested = {
        who: len((await sandbox.autocomplete(who, "game edit", "game", game="")).choices)
        for who in (HOST, MANAGER, OTHER)
    }
    assert suggested == {HOST: 1, MANAGER: 1, OTHER: 0}


@pytest.mark.parametrize(
    ("status", "reason"), [(GameStatus.IN_PROGRESS, "has started"), (GameStatus.COMPLETED, "is over")]
)
async def test_a_game_that_has_started_cannot_be_changed(
    sandbox: SandboxDiscord, database: Database, status: GameStatus, reason: str
) -> None:
    game = await plan_game(database, sandbox)
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(Game).values(status=status))
    assert reason in await edit(sandbox, game, when="in 5 hours")
    assert (await only_game(database)).scheduled_at == game.scheduled_at


async def test_a_cancelled_game_cannot_be_moved(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    assert "is cancelled" in await edit(sandbox, game, when="in 5 hours")
    assert await changes_of(database, game) == 0
