"""`questbell trace`: from any id to the history, from rows that the bot wrote."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import ColumnElement, func, make_url, select, update

from bot.consumers.handler import EventHandler
from bot.delivery.rate_limits import RateLimiter
from bot.delivery.sender import Sender
from bot.main import event_handler
from cli.commands.trace.command import trace
from sandbox.discord.faults.model import Match, Refuse, Status
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.co_hosts import add_co_host
from shared.discord.client import DiscordClient
from shared.discord.ids import nonce_for
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.games import cancel_game
from shared.messaging.envelope import GameReminderDue, NoticeDue
from shared.models import (
    DeliveryState,
    Game,
    GameStatusSchedule,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
)
from shared.series.lifecycle import start_series
from shared.series.rule import Frequency, Rule
from shared.settings import DiscordSettings, Timing
from shared.signup import leave_game
from tests.integration.cli.conftest import Run
from tests.support.builders import HOST, become_newer, new_game, rows_of
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

CREATE = Match(method="POST", route=r"/channels/\d+/messages$")


@pytest.fixture
async def handle(database: Database, discord: SandboxDiscord, timing: Timing) -> AsyncIterator[EventHandler]:
    settings = DiscordSettings(token=SecretStr(discord.token), api_url=discord.url)
    async with DiscordClient.connected(settings, timing) as api:
        yield event_handler(Sender(database.sessions, api, RateLimiter(), timing))


async def reminder(database: Database, discord: SandboxDiscord) -> NotificationSchedule:
    """The ten-minute reminder of a new game, due now, as if it had been published once."""
    channel = next(iter(discord.world.channels))
    game = await new_game(database.sessions, channel_id=channel, offsets=(10,), players=(1, 2))
    await change(database, NotificationSchedule, attempts=1, due_at=func.clock_timestamp())
    return (await rows_of(database.sessions, game, NotificationKind.REMINDER))[0]


async def change(database: Database, table: type[Any], *where: ColumnElement[bool], **values: Any) -> None:
    async with db.transaction(database.sessions) as session:
        await allow_any_change(session)
        await session.execute(update(table).where(*where).values(**values))


def notice_of(row: NotificationSchedule) -> NoticeDue:
    return NoticeDue(row_id=row.id, game_id=row.game_id, kind=row.kind)


def event_of(row: NotificationSchedule) -> GameReminderDue:
    return GameReminderDue(
        row_id=row.id, game_id=row.game_id, game_scheduled_at=row.game_scheduled_at, offset_minutes=10
    )


async def ledger_of(database: Database, row: NotificationSchedule) -> NotificationDelivery:
    statement = select(NotificationDelivery).where(NotificationDelivery.notification_id == row.id)
    async with db.transaction(database.sessions) as session:
        return (await session.execute(statement)).scalar_one()


async def test_every_id_of_a_sent_reminder_leads_to_its_history(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler
) -> None:
    row = await reminder(database, discord)
    await handle(event_of(row))
    delivery = await ledger_of(database, row)
    message = delivery.message_id
    links = [
        f"https://discord.com/channels/1/2/{message}",
        f"https://ptb.discord.com/channels/@me/2/{message}",
        f" <https://discordapp.com/channels/1/2/{message}> ",
    ]
    ids = [row.id, row.id.hex, delivery.id, nonce_for(delivery.id), message, *links]
    for id_ in ids:
        document = (await run(trace, str(id_), as_json=True)).document
        [traced] = document["rows"]
        assert traced["id"] == str(row.id)
    assert (traced["outcome"], traced["explanation"]["state"]) == ("delivered", "delivered")
    assert 0 <= traced["lateness_seconds"] < 30
    [traced_delivery] = traced["deliveries"]
    assert (traced_delivery["nonce"], traced_delivery["mentions"]) == (nonce_for(delivery.id), ["1", "2", "902"])
    events = [event["event"] for event in traced["timeline"]]
    assert f"Discord created message {delivery.message_id} (Discord's clock)" in events
    assert events[-1] == "settled as delivered"
    assert [event["offset_seconds"] for event in traced["timeline"] if event["event"] == "due"] == [0]


async def test_a_game_is_shown_with_all_its_rows_and_their_next_steps(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(60, 10))
    output = await run(trace, str(game.id))
    for line in ("reminder 60 minutes before: waiting", "status completed: waiting", "announcement: due"):
        assert line in output.out
    assert re.search(r"Next at .* UTC \(in .*\): a controller publishes it", output.out)
    assert "(in 5" in output.out  # the sixty-minute reminder of a game in two hours
    assert "Expires: " in output.out


async def test_a_failed_attempt_shows_its_reason_and_the_next_attempt(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler
) -> None:
    row = await reminder(database, discord)
    discord.faults.add(Status(503), match=CREATE, times=1)
    with pytest.raises(TransientError):
        await handle(event_of(row))
    [traced] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert traced["explanation"]["state"] == "failing"
    assert "Attempt 1 failed: Discord answered 503" in traced["explanation"]["summary"]
    assert traced["explanation"]["next_step"] == "it is retried"
    assert "It is sent again, which is safe" in traced["deliveries"][0]["explanation"]
    await change(database, NotificationDelivery, first_sending_at=func.clock_timestamp() - timedelta(minutes=5))
    [traced] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert "The next attempt searches the channel" in traced["deliveries"][0]["explanation"]


async def test_a_rejected_reminder_shows_the_reason(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler
) -> None:
    row = await reminder(database, discord)
    discord.faults.add(Refuse(10003), match=CREATE, times=1)
    await handle(event_of(row))
    output = await run(trace, str(row.id))
    assert "reminder 10 minutes before: undeliverable" in output.out
    assert "the channel was deleted" in output.out


async def explanation_of(run: Run, row: NotificationSchedule) -> dict[str, Any]:
    [traced] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    return dict(traced["explanation"])


async def test_the_notices_of_two_new_times_show_that_only_the_second_was_sent(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler
) -> None:
    game = await new_game(database.sessions, channel_id=next(iter(discord.world.channels)), players=(1,))
    for hours in (1, 2):
        async with db.transaction(database.sessions) as session:
            later = game.scheduled_at + timedelta(hours=hours)
            await edit_game(session, game.id, GameEdit(scheduled_at=later))
    first, second = await rows_of(database.sessions, game, NotificationKind.CHANGE)
    await handle(notice_of(second))
    explanation = await explanation_of(run, first)
    assert (explanation["state"], explanation["summary"]) == ("superseded", "Superseded; not sent.")
    assert (await explanation_of(run, second))["summary"].startswith("Delivered ")
    output = await run(trace, str(game.id))
    assert "change: delivered" in output.out
    assert "change: superseded" in output.out
    assert "Reason: replaced by a newer notice (change)" in output.out


async def test_the_notice_of_a_drop_out_names_the_host_as_its_recipient(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler
) -> None:
    host = discord.world.user("Mia").id
    game = await new_game(
        database.sessions, channel_id=next(iter(discord.world.channels)), host_id=host, players=(1, 2)
    )
    async with db.transaction(database.sessions) as session:
        await leave_game(session, game.id, user_id=1)
    [row] = await rows_of(database.sessions, game, NotificationKind.DROP_OUT)
    assert (await explanation_of(run, row))["state"] == "due"
    await handle(notice_of(row))
    [traced] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert (traced["label"], traced["explanation"]["state"]) == ("drop_out", "delivered")
    [delivery] = traced["deliveries"]
    assert (delivery["recipient_kind"], delivery["recipient_id"]) == ("user", str(host))


async def test_a_warning_is_traced_with_its_reason_and_what_became_of_it(
    run: Run, database: Database, discord: SandboxDiscord, handle: EventHandler
) -> None:
    host = discord.world.user("Mia").id
    row = await reminder(database, discord)
    await change(database, Game, host_id=host)
    discord.faults.add(Refuse(10003), match=CREATE, times=1)
    await handle(event_of(row))
    [warning] = await rows_of(database.sessions, Game(id=row.game_id), NotificationKind.WARNING)
    assert (await explanation_of(run, warning))["state"] == "due"
    discord.world.close_dms("Mia")
    await handle(notice_of(warning))
    explanation = await explanation_of(run, warning)
    assert explanation["state"] == "undeliverable"
    assert explanation["summary"] == "Not sent; it will not be retried."


async def test_a_row_of_a_newer_release_is_left_to_it(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    await become_newer(database.sessions, row)
    explanation = await explanation_of(run, row)
    assert explanation["state"] == "newer"
    assert "Only a newer release knows what this is." in explanation["summary"]


@pytest.mark.parametrize(
    ("state", "outcome", "summary", "of_delivery"),
    [
        (DeliveryState.UNKNOWN, Outcome.UNDELIVERABLE, "1 message may or may not have been sent", "Check the channel."),
        (DeliveryState.UNKNOWN, Outcome.PARTLY_DELIVERED, "0 of 1 message sent.", "It may or may not have been sent"),
        (DeliveryState.SENDING, Outcome.DELIVERED, "Delivered ", "was settled before this was known"),
        (DeliveryState.PENDING, Outcome.SUPERSEDED, "Superseded; not sent.", "the notification was settled first"),
        (DeliveryState.PENDING, Outcome.EXPIRED, "the game had started", "the notification was settled first"),
        (DeliveryState.SENDING, None, "Attempt 1 was published.", "A bot is sending it, or died while sending."),
        (DeliveryState.PENDING, None, "Attempt 1 was published.", "It is sent at the next attempt."),
    ],
)
async def test_each_state_of_a_delivery_and_outcome_is_explained(
    run: Run,
    database: Database,
    discord: SandboxDiscord,
    handle: EventHandler,
    state: DeliveryState,
    outcome: Outcome | None,
    summary: str,
    of_delivery: str,
) -> None:
    row = await reminder(database, discord)
    await handle(event_of(row))
    is_sending = state is DeliveryState.SENDING and outcome is None
    lease_until = func.clock_timestamp() + timedelta(minutes=1) if is_sending else None
    await change(database, NotificationDelivery, state=state, message_id=None, lease_until=lease_until)
    settled = {} if outcome else {"settled_at": None, "attempt_at": func.clock_timestamp() + timedelta(minutes=1)}
    await change(database, NotificationSchedule, NotificationSchedule.id == row.id, outcome=outcome, **settled)
    [traced] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert summary in traced["explanation"]["summary"]
    assert of_delivery in traced["deliveries"][0]["explanation"]


async def test_an_overdue_row_points_to_the_controllers(run: Run, database: Database) -> None:
    game = await new_game(database.sessions)
    ago = func.clock_timestamp() - timedelta(minutes=5)
    await change(database, NotificationSchedule, due_at=ago, attempt_at=ago)
    output = await run(trace, str(game.id))
    assert "check that the controllers run and that no Scheduler is suspended." in output.out


async def test_a_reminder_of_a_changed_game_will_not_be_sent(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    await change(database, Game, version=7)
    [row] = await rows_of(database.sessions, game, NotificationKind.REMINDER)
    [traced] = (await run(trace, str(row.id), as_json=True)).document["rows"]
    assert traced["explanation"]["state"] == "stale"
    assert "changed (version 7)" in traced["explanation"]["summary"]


async def test_the_rows_of_a_cancelled_game_are_superseded_with_a_reason(run: Run, database: Database) -> None:
    game = await new_game(database.sessions, offsets=(10,))
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    async with db.transaction(database.sessions) as session:
        row_id = await session.scalar(select(GameStatusSchedule.id).limit(1))
    output = await run(trace, str(row_id))
    assert ": superseded" in output.out
    assert re.search(r"Reason: the \w+ changed \(version 2\)", output.out)


LINKS = (
    "https://discord.com/channels/1/2/3",
    "https://discord.com/channels/1/2",
    f"https://discord.com/channels/1/2/{'9' * 40}",
    "https://example.com/channels/1/2/3",
)
"""Links that lead to none of our messages."""


async def test_an_unknown_id_is_an_error(run: Run, database: Database) -> None:
    for id_text in (
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "12345",
        "9" * 40,
        "the game last night",
        "",
        "A" * 22,
        *LINKS,
    ):
        output = await run(trace, id_text)
        assert output.code == 1
        assert "nothing found for" in output.err
        assert "link or id of a Discord message" in output.err


async def test_a_database_without_our_tables_must_be_migrated(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(database.settings.url.get_secret_value()).set(database="postgres")
    monkeypatch.setenv("QUESTBELL_DATABASE_URL", url.render_as_string(hide_password=False))
    output = await run(trace, "12345")
    assert output.code == 2
    assert "run `questbell migrate`" in output.err


async def test_the_trace_of_a_game_says_who_changed_it(run: Run, database: Database) -> None:
    game = await new_game(database.sessions)
    async with db.transaction(database.sessions) as session:
        await add_co_host(session, game.id, user_id=7, actor_id=HOST)
        await edit_game(session, game.id, GameEdit(title="Tomb", capacity=4), actor_id=7)
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    changes = [
        "created by user 902",
        "co-host added user 7 by user 902",
        "edited title, capacity by user 7",
        "cancelled by the bot",
    ]
    output = await run(trace, str(game.id))
    assert [line.strip().split("  ")[1] for line in output.out.splitlines() if " by " in line] == changes
    [row, *_] = await rows_of(database.sessions, game)
    assert (await run(trace, str(row.id), as_json=True)).document["history"] == []
    document = (await run(trace, str(game.id), as_json=True)).document
    assert document["history"][2]["changed"] == {"title": ["The Sunken Keep", "Tomb"], "capacity": [None, 4]}


async def test_a_game_of_a_series_names_it_and_its_date(run: Run, database: Database) -> None:
    game = await new_game(database.sessions)
    async with db.transaction(database.sessions) as session:
        series = await start_series(session, await session.get_one(Game, game.id), Rule(frequency=Frequency.DAILY))
    text = (await run(trace, str(game.id))).out
    shown = " ".join(text.split())  # long lines are wrapped
    assert f"series {series.id}: FREQ=DAILY, of {game.local_time:%Y-%m-%d %H:%M} Europe/Berlin" in shown
    document = (await run(trace, str(game.id), as_json=True)).document
    assert document["game"]["series_id"] == str(series.id)
