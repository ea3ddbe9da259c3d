"""Offers of seats, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from bot.rendering.payload import offer_buttons
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.models import Game, NotificationKind
from shared.offers import end_offer
from shared.signup import join_game, leave_game
from tests.integration.bot.conftest import StartBot, post, reply_text
from tests.integration.bot.test_commands import HOST, OTHER, PLAYER, create, only_game, plan_game, players_of
from tests.integration.bot.test_slots import edit
from tests.integration.test_offers import deliver_promotions
from tests.support.builders import make_due, rows_of
from tests.support.database import Database

NONCE = "n" * 22


async def offered_game(sandbox: SandboxDiscord, database: Database) -> tuple[Game, int]:
    """A game whose seat is offered to Aiko. Ben waits. Return the message with the offer too."""
    game = await plan_game(database, sandbox, capacity=1, offer_minutes=30)
    async with db.transaction(database.sessions) as session:
        for user in (1, sandbox.world.user(PLAYER).id, sandbox.world.user(OTHER).id):
            await join_game(session, game.id, user_id=user)
        await leave_game(session, game.id, user_id=1)
    buttons = {"content": "A seat is free", "components": offer_buttons(game.id, nonce=NONCE)}
    return game, await post(sandbox, game.channel_id, buttons)


async def press(sandbox: SandboxDiscord, who: str, message: int, button: str, game: Game) -> str:
    return await reply_text(sandbox.click(who, message, f"questbell:{button}:{game.id}:{NONCE}"))


async def test_the_time_to_take_a_seat_is_entered_changed_and_removed(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    await reply_text(create(sandbox, offer="1h30m"))
    game = await only_game(database)
    assert game.offer_minutes == 90
    assert "is changed" in await edit(sandbox, game, offer="12h")
    assert (await only_game(database)).offer_minutes == 720
    for wrong in ("8d", "30s", "soon"):
        assert "such as `30m` or `12h`, or `none`" in await edit(sandbox, game, offer=wrong)
    assert "is changed" in await edit(sandbox, game, offer="none")
    assert (await only_game(database)).offer_minutes is None
    history = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
    assert "changed the time to take a free seat from 12 hours to none" in history


async def test_a_seat_is_taken_after_a_restart_by_whom_it_is_offered_to(
    sandbox: SandboxDiscord, start_bot: StartBot, database: Database
) -> None:
    game, message = await offered_game(sandbox, database)
    async with start_bot(database.sessions):
        waiting = await press(sandbox, OTHER, message, "take", game)
        assert "You're number 1 on the waitlist" in waiting and "you have 30 minutes to take it" in waiting
    async with start_bot(database.sessions):
        assert "The seat is yours." in await press(sandbox, PLAYER, message, "take", game)
        assert "You're already in." in await press(sandbox, PLAYER, message, "take", game)
    assert await players_of(database, game) == [sandbox.world.user(PLAYER).id]


async def test_whoever_presses_too_late_is_told_where_they_stand(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    game, message = await offered_game(sandbox, database)
    [row] = await rows_of(database.sessions, game, NotificationKind.OFFER_END)
    await deliver_promotions(database, game.id)
    await make_due(database.sessions, row)
    async with db.transaction(database.sessions) as session:
        assert await end_offer(session, row.id)
    assert "You have no seat in" in await press(sandbox, PLAYER, message, "take", game)
    assert await players_of(database, game) == [sandbox.world.user(OTHER).id]


async def test_whoever_cannot_come_frees_the_offered_seat(
    sandbox: SandboxDiscord, bot: None, database: Database
) -> None:
    game, message = await offered_game(sandbox, database)
    assert "You've left" in await press(sandbox, PLAYER, message, "leave", game)
    assert await players_of(database, game) == [sandbox.world.user(OTHER).id]
