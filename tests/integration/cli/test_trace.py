"""`questbell trace`: from any id to the story, told by rows that the real loops and bot wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, make_url, select, update

from bot.delivery.limits import Limits
from bot.delivery.messenger import Messenger
from bot.events.handling import Handling
from bot.main import handling
from cli.trace import trace
from sandbox.discord.faults.model import Match, Refuse, Status
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.discord.client import DiscordClient
from shared.discord.ids import nonce_for
from shared.errors import TransientError
from shared.games import cancel_game
from shared.messaging.envelope import GameReminderDue
from shared.models import (
    Game,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
)
from shared.settings import DiscordSettings, Timing
from tests.integration.cli.conftest import Run
from tests.support.builders import new_game, rows_of
from tests.support.database import Database

CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


@pytest.fixture
async def handle(database: Database, discord: SandboxDiscord, timing: Timing) -> AsyncIterator[Handling]:
    settings = DiscordSettings(token=SecretStr(discord.token), api_url=discord.url)
    async with DiscordClient.connected(settings, timing) as api:
        yield handling(Messenger(database.sessions, api, Limits(), timing))


async def reminder(database: Database, discord: SandboxDiscord) -> NotificationSchedule:
    """The ten-minute reminder of a new game, due now, as if it had been published once."""
    channel = next(iter(discord.world.channels))
    game = await new_game(database.sessions, channel_id=channel, offsets=(10,), players=(1, 2))
    await change(database, NotificationSchedule, attempts=1, due_at=func.clock_timestamp())
    return (await rows_of(database.sessions, game, NotificationKind.REMINDER))[0]


async def change(database: Database, table: type[Any], **values: Any) -> None:
    async with db.transaction(database.sessions) as session:
        await session.execute(update(table).values(**values))


def event_of(row: NotificationSchedule) -> GameReminderDue:
    return GameReminderDue(
        row_id=row.id, game_id=row.game_id, game_scheduled_at=row.game_scheduled_at, offset_minutes=10
    )


async def ledger_of(database: Database, row: NotificationSchedule) -> NotificationDelivery:
    statement = select(NotificationDelivery).where(NotificationDelivery.notification_id == row.id)
    async with db.transaction(database.sessions) as session:
        return (await session.execute(statement)).scalar_one()


async def test_every_id_of_a_told_reminder_leads_to_its_story(
    run: Run, database: Database, discord: SandboxDiscord, handle: Handling
) -> None:
    row = await reminder(database, discord)
    await handle(event_of(row))
    delivery = await ledger_of(database, row)
    ids = [row.id, row.id.hex, delivery.id, nonce_for(delivery.id), delivery.message_id]
    for asked in ids:
        document = (await run(trace, str(asked), as_json=True)).document
        [told] = document["rows"]
        assert told["id"] == str(row.id)
    assert (told["outcome"], told["means"]["state"]) == ("delivered", "delivered")
    assert 0 <= told["lateness_seconds"] < 30
    [recipient] = told["recipients"]
    assert (recipient["nonce"], recipient["mentions"]) == (nonce_for(delivery.id), ["1", "2"])
    steps = [happened["what"] for happened in told["timeline"]]
    assert f"Discord made message {delivery.message_id} (its clock)" in steps
    assert steps[-1] == "settled delivered"
    assert [happened["from_due"] for happened in told["timeline"] if happened["what"] == "due"] == [0]


async def test_a_game_is_told_with_all_its_rows_and_what_comes_next(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(60, 10))
    answer = await run(trace, str(game.id))
    for line in ("reminder 60 minutes before: waiting", "status completed: waiting", "announcement: due"):
        assert line in answer.out
    assert "It will be taken by a controller: at " in answer.out
    assert "(in 5" in answer.out  # the sixty-minute reminder of a game in two hours
    assert "It expires: at " in answer.out


async def test_a_failed_attempt_shows_its_reason_and_the_next_one(
    run: Run, database: Database, discord: SandboxDiscord, handle: Handling
) -> None:
    row = await reminder(database, discord)
    discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await handle(event_of(row))
    [told] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert told["means"]["state"] == "failing"
    assert "Attempt 1 failed: Discord answered 503" in told["means"]["words"]
    assert told["means"]["next"] == "will be tried again"
    assert "sending it again is safe" in told["recipients"][0]["means"]
    await change(database, NotificationDelivery, first_sending_at=func.clock_timestamp() - timedelta(minutes=5))
    [told] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert "records it as unknown" in told["recipients"][0]["means"]


async def test_a_refusal_shows_why_nobody_was_told(
    run: Run, database: Database, discord: SandboxDiscord, handle: Handling
) -> None:
    row = await reminder(database, discord)
    discord.faults.add(Refuse(50013), match=CREATE, times=1)
    await handle(event_of(row))
    answer = await run(trace, str(row.id))
    assert "reminder 10 minutes before: undeliverable" in answer.out
    assert "give it Send Messages" in answer.out


async def test_a_row_that_nobody_takes_says_whom_to_look_for(run: Run, database: Database) -> None:
    game = await new_game(database.sessions)
    ago = func.clock_timestamp() - timedelta(minutes=5)
    await change(database, NotificationSchedule, due_at=ago, attempt_at=ago)
    answer = await run(trace, str(game.id))
    assert "do the controllers run, and is no Scheduler suspended?" in answer.out


async def test_a_reminder_of_a_changed_game_says_that_it_is_not_told(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    await change(database, Game, version=7)
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    [told] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert told["means"]["state"] == "stale"
    assert "the session changed (version 7)" in told["means"]["words"]


async def test_a_cancelled_games_rows_are_superseded_with_their_reason(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    async with db.transaction(database.sessions) as session:
        row_id = await session.scalar(select(GameStatusSchedule.id).limit(1))
    answer = await run(trace, str(row_id))
    assert ": superseded" in answer.out
    assert "Reason: the session changed (version 2)" in answer.out


async def test_an_id_that_nobody_has_is_an_error(run: Run, database: Database) -> None:
    for asked in ("01890a5d-ac96-774b-bcce-b302099a8057", "12345", "9" * 40, "the game last night", "", "A" * 22):
        answer = await run(trace, asked)
        assert answer.code == 1
        assert "nothing is known under" in answer.err


async def test_a_database_without_our_tables_says_to_migrate(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(database.settings.url.get_secret_value()).set(database="postgres")
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", url.render_as_string(hide_password=False))
    answer = await run(trace, "12345")
    assert answer.code == 2
    assert "run `questbell migrate`" in answer.err
