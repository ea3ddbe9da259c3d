"""Interactions that Discord delivers twice: the second delivery has no effect and shows the same answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import func, select, update

from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.interactions.interaction import InteractionResult
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.interactions import RETENTION, find_answer, record_answer
from shared.models import AuditEntry, CoHost, Draft, Game, GameStatus, Interaction, User
from shared.signup import join_game
from tests.integration.bot.conftest import StartBot, post_announcement
from tests.integration.bot.test_commands import HOST, MANAGER, PLAYER, plan_game, players_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change
from tests.support.waiting import WAIT_TIMEOUT

Act = Callable[[SandboxDiscord, Database, Game], Awaitable[InteractionResult]]


async def click(sandbox: SandboxDiscord, game: Game, button: str) -> InteractionResult:
    message_id = await post_announcement(sandbox, game)
    return await sandbox.click(PLAYER, message_id, f"questbell:{button}:{game.id}")


async def join(sandbox: SandboxDiscord, _database: Database, game: Game) -> InteractionResult:
    return await click(sandbox, game, "join")


async def leave(sandbox: SandboxDiscord, database: Database, game: Game) -> InteractionResult:
    async with db.transaction(database.sessions) as session:
        await join_game(session, game.id, user_id=sandbox.world.user(PLAYER).id)
    return await click(sandbox, game, "leave")


async def plan(sandbox: SandboxDiscord, _database: Database, _game: Game) -> InteractionResult:
    return await sandbox.slash(HOST, "game create", title="Curse of Strahd", when="in 2 hours")


async def plan_wrongly(sandbox: SandboxDiscord, _database: Database, _game: Game) -> InteractionResult:
    return await sandbox.slash(HOST, "game create", title="Curse of Strahd", when="in 2 hours", duration="long")


async def cancel(sandbox: SandboxDiscord, _database: Database, game: Game) -> InteractionResult:
    return await sandbox.slash(HOST, "game cancel", game=str(game.id))


async def set_zone(sandbox: SandboxDiscord, _database: Database, _game: Game) -> InteractionResult:
    return await sandbox.slash(MANAGER, "settings server", zone="Asia/Tokyo")


async def choose_dms(sandbox: SandboxDiscord, _database: Database, _game: Game) -> InteractionResult:
    return await sandbox.slash(PLAYER, "settings me", where="By DM")


async def add(sandbox: SandboxDiscord, _database: Database, game: Game) -> InteractionResult:
    return await sandbox.slash(HOST, "game add", game=str(game.id), player=PLAYER)


async def appoint(sandbox: SandboxDiscord, _database: Database, game: Game) -> InteractionResult:
    return await sandbox.slash(HOST, "game co-host add", game=str(game.id), user=PLAYER)


ACTIONS = {
    "join": (join, "You're in"),
    "leave": (leave, "You've left"),
    "create": (plan, "This is a preview"),
    "refused": (plan_wrongly, "`3h`"),
    "cancel": (cancel, "This can't be undone."),
    "add": (add, "I don't tell them now"),
    "co-host": (appoint, "is now a co-host"),
    "settings": (set_zone, "Time zone: Asia/Tokyo"),
    "settings me": (choose_dms, "by DM"),
}


def answers(sandbox: SandboxDiscord, result: InteractionResult) -> list[str]:
    """Every text that the user has read in reply."""
    assert result.message is not None
    edits = [record for record in sandbox.evidence if record.kind == "edit"]
    return [record.content for record in edits if record.message_id == result.message.id]


async def wait_for_answers(sandbox: SandboxDiscord, result: InteractionResult, count: int) -> None:
    await sandbox.wait_for(lambda: len(answers(sandbox, result)) == count, timeout=WAIT_TIMEOUT)


async def state(database: Database) -> list[tuple[object, ...]]:
    """Everything that an interaction can change."""
    async with db.transaction(database.sessions) as session:
        games = select(Game.status, Game.version, Game.revision, Game.zone).order_by(Game.id)
        columns = (User.wants_dm, User.zone, Draft.options, AuditEntry.id, CoHost.user_id)
        others = [await session.execute(select(column)) for column in columns]
        return [*map(tuple, await session.execute(games)), *(tuple(row) for rows in others for row in rows)]


@pytest.mark.parametrize(("act", "text"), ACTIONS.values(), ids=ACTIONS)
async def test_the_second_of_two_deliveries_shows_the_answer_of_the_first(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot, act: Act, text: str
) -> None:
    game = await plan_game(database, sandbox)
    async with AsyncExitStack() as stack:
        for _ in range(2):  # two processes with one token
            await stack.enter_async_context(start_bot(database.sessions))
        sandbox.faults.add(DuplicateInteraction(), times=1)
        result = await act(sandbox, database, game)
        await wait_for_answers(sandbox, result, 4)
    first, *others = answers(sandbox, result)
    assert text in first
    assert others == [first] * 3


@pytest.mark.parametrize(("act", "text"), ACTIONS.values(), ids=ACTIONS)
async def test_a_delivery_after_a_restart_has_no_second_effect(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot, act: Act, text: str
) -> None:
    game = await plan_game(database, sandbox)
    async with start_bot(database.sessions):
        result = await act(sandbox, database, game)
        await wait_for_answers(sandbox, result, 1)
    before = await state(database)
    async with start_bot(database.sessions):
        sandbox.gateway.deliver(result.interaction)
        await wait_for_answers(sandbox, result, 2)
    first, second = answers(sandbox, result)
    assert text in first
    assert second == first
    assert await state(database) == before


@pytest.mark.usefixtures("bot")
async def test_a_late_second_delivery_does_not_undo_what_the_user_did_since(
    sandbox: SandboxDiscord, database: Database
) -> None:
    game = await plan_game(database, sandbox)
    joined = await click(sandbox, game, "join")
    await wait_for_answers(sandbox, joined, 1)
    await (await click(sandbox, game, "leave")).done()
    sandbox.gateway.deliver(joined.interaction)
    await wait_for_answers(sandbox, joined, 2)
    assert await players_of(database, game) == []
    again = await click(sandbox, game, "leave")  # another click is another interaction
    assert "already said that you can't" in (await again.done()).content


@pytest.mark.usefixtures("bot")
async def test_a_refusal_stays_a_refusal(sandbox: SandboxDiscord, database: Database) -> None:
    game = await plan_game(database, sandbox)
    await set_status(database, GameStatus.IN_PROGRESS)
    refused = await click(sandbox, game, "join")
    await wait_for_answers(sandbox, refused, 1)
    await set_status(database, GameStatus.SCHEDULED)
    sandbox.gateway.deliver(refused.interaction)
    await wait_for_answers(sandbox, refused, 2)
    assert ["has started" in text for text in answers(sandbox, refused)] == [True, True]
    assert await players_of(database, game) == []


async def set_status(database: Database, status: GameStatus) -> None:
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(Game).values(status=status))


async def test_old_answers_are_forgotten(database: Database) -> None:
    milliseconds = RETENTION.total_seconds() * 1000
    now = 10**12 << 22
    old = [now - (int(milliseconds + number) << 22) for number in range(1, 13)]
    for interaction_id in [*old, now]:
        async with db.transaction(database.sessions) as session:
            assert await find_answer(session, interaction_id) is None
            await record_answer(session, interaction_id, "Done.")
    async with db.transaction(database.sessions) as session:
        assert await find_answer(session, now) == "Done."
        assert (await session.execute(select(func.count()).select_from(Interaction))).scalar_one() == 3
