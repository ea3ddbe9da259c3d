"""What an announcement shows beside its game: the co-hosts, seats that are only offered, and the end of sign-ups."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sandbox.discord.world.evidence import Accepted
from shared import database as db
from shared.co_hosts import add_co_host, remove_co_host
from shared.confirmations import confirm_attendance
from shared.models import Game, NotificationKind, Outcome
from shared.signup import leave_game
from tests.integration.delivery.conftest import Bot

ANNOUNCEMENT = NotificationKind.ANNOUNCEMENT


async def shown(bot: Bot, game: Game) -> Accepted:
    """Deliver the announcement, and return what it shows then."""
    assert await bot.deliver_until_settled(await bot.row(game, ANNOUNCEMENT)) is Outcome.DELIVERED
    return [record for record in bot.discord.evidence if record.embeds][-1]


def field(message: Accepted, name: str) -> str | None:
    [embed] = message.embeds
    return next((field["value"] for field in embed["fields"] if field["name"].startswith(name)), None)


def disabled(message: Accepted) -> list[Any]:
    parts = [part for row in message.components for part in row["components"]]
    return [part.get("label", part.get("placeholder")) for part in parts if part.get("disabled")]


async def test_it_shows_the_co_hosts_and_is_edited_when_they_change(bot: Bot) -> None:
    first, second = await bot.game(()), await bot.game(())
    async with db.transaction(bot.database.sessions) as session:
        for user in (8, 7):
            await add_co_host(session, first.id, user_id=user, actor_id=first.host_id)
        assert not await add_co_host(session, first.id, user_id=7, actor_id=first.host_id)
    assert field(await shown(bot, first), "Co-hosts") == "<@8> <@7>"
    assert field(await shown(bot, second), "Co-host") is None
    async with db.transaction(bot.database.sessions) as session:
        await remove_co_host(session, first.id, user_id=8, actor_id=first.host_id)
    edited = await shown(bot, first)
    assert (edited.kind, field(edited, "Co-host")) == ("edit", "<@7>")


async def test_it_marks_an_offered_seat_until_its_player_takes_it(bot: Bot) -> None:
    game = await bot.game(("Mia", "Jonas"), capacity=1, offer_minutes=30)
    jonas = bot.discord.world.user("Jonas").id
    async with db.transaction(bot.database.sessions) as session:
        await leave_game(session, game.id, user_id=bot.discord.world.user("Mia").id)
    assert field(await shown(bot, game), "Players") == f"<@{jonas}> ⏳"
    async with db.transaction(bot.database.sessions) as session:
        await confirm_attendance(session, game.id, user_id=jonas)
    assert field(await shown(bot, game), "Players") == f"<@{jonas}>"


async def test_nobody_can_press_join_on_it_once_sign_ups_are_closed(bot: Bot) -> None:
    game = await bot.game(("Mia",), starts_in=timedelta(hours=3), closes_minutes=60)
    assert disabled(await shown(bot, game)) == []
    closed = await bot.game(("Mia",), starts_in=timedelta(hours=3), closes_minutes=240)
    assert disabled(await shown(bot, closed)) == ["Join"]
