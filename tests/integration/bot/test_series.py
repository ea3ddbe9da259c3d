"""`repeat` of `/game create` and `/series`, with unmodified discord.py, a sandbox Discord and a real database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from sandbox.discord.faults.model import DuplicateInteraction
from sandbox.discord.server import SandboxDiscord
from shared import database as db
from shared.games import cancel_game
from shared.guild_settings import change_guild_settings
from shared.models import (
    ExceptionKind,
    Game,
    GameSeries,
    GameStatus,
    NotificationKind,
    PauseReason,
    SeriesException,
    SeriesState,
    Slot,
)
from shared.series.lifecycle import start_series
from shared.series.pausing import pause_without_channel
from shared.series.rule import Frequency, Rule
from shared.signup import join_game, list_players
from tests.integration.bot.conftest import StartBot, reply_text
from tests.integration.bot.test_commands import (
    CHANNEL,
    HOST,
    MANAGER,
    OTHER,
    PLAYER,
    all_games,
    cancel,
    create,
    notifications,
    only_game,
    plan_game,
)
from tests.integration.bot.test_sign_up_limits import add_role
from tests.support.announcements import announcement
from tests.support.database import Database
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("bot")

NOON = (datetime.now(UTC) + timedelta(days=2)).replace(hour=12, minute=0, second=0, microsecond=0)
WHEN = f"{NOON:%Y-%m-%d %H:%M}"
DAY = timedelta(days=1)


async def repeat(sandbox: SandboxDiscord, text: str = "daily", **options: Any) -> str:
    return await reply_text(create(sandbox, when=WHEN, repeat=text, **options))


async def series(sandbox: SandboxDiscord, command: str, *, who: str = HOST, **options: Any) -> str:
    name = {} if command == "list" else {"series": "strahd"}
    return await reply_text(sandbox.slash(who, f"series {command}", **(name | options)))


async def embed(sandbox: SandboxDiscord, command: str, **options: Any) -> str:
    shown = await (await sandbox.slash(HOST, f"series {command}", **options)).done()
    assert shown.message is not None
    return str(shown.message.embeds)


async def only_series(database: Database) -> GameSeries:
    async with db.transaction(database.sessions) as session:
        return (await session.execute(select(GameSeries))).scalar_one()


async def open_games(database: Database) -> list[Game]:
    games = [game for game in await all_games(database) if not game.status.is_final]
    return sorted(games, key=lambda game: game.scheduled_at)


async def join(sandbox: SandboxDiscord, database: Database, game: Game, *who: str) -> None:
    async with db.transaction(database.sessions) as session:
        for player in who:
            await join_game(session, game.id, user_id=sandbox.world.user(player).id)


async def players(database: Database, game: Game) -> Sequence[int]:
    async with db.transaction(database.sessions) as session:
        return await list_players(session, game.id)


def stamps(start: datetime, *days: int, style: str = "f") -> list[str]:
    return [f"<t:{int((start + n * DAY).timestamp())}:{style}>" for n in days]


async def test_a_game_that_repeats_is_confirmed_with_its_next_dates_and_announced_as_such(
    sandbox: SandboxDiscord, database: Database
) -> None:
    text = await repeat(sandbox, "every 2 days, 5 times")
    game, of = await only_game(database), await only_series(database)
    assert "🔁 Every 2 days, 5 times. Next: {}, {} and {}.".format(*stamps(NOON, 2, 4, 6)) in text
    assert (game.series_id, game.occurrence) == (of.id, NOON.replace(tzinfo=None))
    assert of.rule == "FREQ=DAILY;INTERVAL=2;COUNT=5"
    assert "🔁 Every 2 days, 5 times" in str(announcement(game, ()))
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    [following] = await open_games(database)
    assert following.scheduled_at == NOON + 2 * DAY
    assert NotificationKind.ANNOUNCEMENT in {row.kind for row in await notifications(database, following)}


async def test_a_preview_shows_the_next_dates_and_plans_nothing(sandbox: SandboxDiscord, database: Database) -> None:
    options = {"title": "Curse of Strahd", "when": WHEN, "repeat": "every 2 days"}
    preview = await (await sandbox.slash(HOST, "game create", **options)).done()
    assert preview.message is not None
    assert "🔁 Every 2 days. Next: {}, {} and {}.".format(*stamps(NOON, 2, 4, 6)) in preview.content
    assert "🔁 Every 2 days" in str(preview.message.embeds)
    async with db.transaction(database.sessions) as session:
        assert (await session.scalars(select(GameSeries))).all() == []


async def test_a_request_that_arrives_twice_starts_one_series(sandbox: SandboxDiscord, database: Database) -> None:
    sandbox.faults.add(DuplicateInteraction())
    await repeat(sandbox)
    await only_game(database)
    await only_series(database)


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"repeat": "now and then"}, "Try `every friday`"),
        ({"repeat": f"every {NOON + DAY:%A}"}, f"enter `{NOON + DAY:%Y-%m-%d} 12:00` as `when`"),
        ({"repeat": "daily", "duration": "30h"}, "lasts 1 day 6 hours, but the next one starts after 1 day"),
        ({"repeat": "every 100 weeks"}, "every 1 to 26 weeks"),
        ({"repeat": "daily, 1 times"}, "has 2 to 500 games"),
        ({"repeat": "monthly until tomorrow"}, "would end with its first game"),
        ({"repeat": "daily until whenever"}, "isn't a day that I know"),
    ],
)
async def test_what_cannot_repeat_is_explained_and_nothing_is_saved(
    sandbox: SandboxDiscord, database: Database, options: dict[str, Any], hint: str
) -> None:
    assert hint in await reply_text(create(sandbox, when=WHEN, **options))
    assert await all_games(database) == []


async def test_the_host_is_told_about_a_time_that_the_clocks_skip_or_repeat(
    sandbox: SandboxDiscord, database: Database
) -> None:
    async with db.transaction(database.sessions) as session:
        guild_id, host_id = sandbox.world.channel(CHANNEL).guild_id, sandbox.world.user(HOST).id
        await change_guild_settings(session, guild_id, {"zone": "Europe/Berlin"}, actor_id=host_id)
    text = await reply_text(create(sandbox, when=f"{NOON:%Y-%m-%d} 02:30", repeat="daily"))
    assert "the clocks skip 02:30, so that game starts at 03:30" in text
    assert "the clocks show 02:30 twice, and that game starts at the first of them" in text
    assert "the clocks" not in await reply_text(create(sandbox, when=f"{NOON:%Y-%m-%d} 20:00", repeat="daily"))


async def test_ways_to_repeat_are_suggested_with_their_dates(sandbox: SandboxDiscord) -> None:
    async def suggest(text: str) -> dict[str, str]:
        options = {"when": WHEN, "repeat": text}
        found = await sandbox.autocomplete(HOST, "game create", "repeat", **options)
        return {choice["name"]: choice["value"] for choice in found.choices}

    first, second = (f"{NOON + n * DAY:%a} {(NOON + n * DAY).day} {NOON + n * DAY:%b}" for n in (0, 7))
    weekly = [name for name in await suggest("") if name.startswith(f"Every {NOON:%A} · {first}, {second}")]
    assert len(weekly) == 1
    assert any(name.startswith("Every 3 days · ") for name in await suggest("every three days"))
    assert {"every week, 4 times", "every day, 4 times"} <= set((await suggest("4 times")).values())
    assert await suggest("now and then") == {}


async def test_the_series_of_a_server_are_listed_and_shown(sandbox: SandboxDiscord, database: Database) -> None:
    assert "fill in `repeat`" in await embed(sandbox, "list")
    await repeat(sandbox, players=4)
    listed = await embed(sandbox, "list")
    assert f"**Curse of Strahd**\\nEvery day · next {stamps(NOON, 0, style='F')[0]}" in listed
    async with db.transaction(database.sessions) as session:
        await session.execute(update(Game).values(message_id=30))
    channel = sandbox.world.channel(CHANNEL)
    link = f"https://discord.com/channels/{channel.guild_id}/{channel.id}/30"
    assert f"**[Curse of Strahd]({link})**\\nEvery day · next {stamps(NOON, 0, style='F')[0]}" in await embed(
        sandbox, "list"
    )
    await series(sandbox, "skip", date=(NOON + DAY).replace(tzinfo=None).isoformat())
    shown = await embed(sandbox, "show", series="Curse of Strahd")
    assert f"{stamps(NOON, 1, style='F')[0]} skipped" in shown
    assert all(stamp in shown for stamp in stamps(NOON, 0, 2, 3, style="F"))
    assert "4 seats" in shown and "Starts empty" in shown


async def test_the_next_game_is_skipped(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox)
    await join(sandbox, database, await only_game(database), PLAYER)
    text = await series(sandbox, "skip")
    assert "is cancelled. I'm letting the players know" in text
    assert stamps(NOON, 1)[0] in text
    [following] = await open_games(database)
    assert following.scheduled_at == NOON + DAY
    assert await players(database, following) == []


async def test_a_later_date_is_skipped_that_was_picked_from_the_list(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox)
    of = await only_series(database)
    found = await sandbox.autocomplete(HOST, "series skip", "date", series=str(of.id), date="")
    assert [choice["name"].endswith("announced") for choice in found.choices[:3]] == [True, False, False]
    second = found.choices[1]["value"]
    assert "leaves out" in await series(sandbox, "skip", date=second)
    assert "already" in await series(sandbox, "skip", date=second)
    assert "Pick a date" in await series(sandbox, "skip", date="2020-01-01T12:00:00")
    assert "Pick a date" in await series(sandbox, "skip", date="someday")
    async with db.transaction(database.sessions) as session:
        [exception] = await session.scalars(select(SeriesException))
    assert (exception.kind, exception.occurrence) == (ExceptionKind.SKIPPED, datetime.fromisoformat(second))


async def test_a_series_is_paused_resumed_and_ended(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox)
    game = await only_game(database)
    assert "stays planned, unless" in await series(sandbox, "pause")
    assert "paused already" in await series(sandbox, "pause")
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, game.id)
    assert await open_games(database) == []
    assert "I'm announcing the next game" in await series(sandbox, "resume")
    [following] = await open_games(database)
    assert following.scheduled_at == NOON + DAY
    assert "has ended. The game on" in await series(sandbox, "end")
    assert "has ended already" in await series(sandbox, "end")
    assert (await only_series(database)).state is SeriesState.ENDED
    assert "goes on" in await series(sandbox, "resume")


async def test_all_following_games_are_changed(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox)
    await join(sandbox, database, await only_game(database), PLAYER)
    regular = sandbox.world.user(OTHER).id
    options = {"time": "1:30pm", "title": "Strahd again", "open-at-once": 2, "carry-over": True, "players": 6}
    text = await series(sandbox, "edit", **options, regulars=f"<@{regular}>")
    assert "letting everyone know the new time" in text
    moved = NOON + timedelta(hours=1, minutes=30)
    assert "Every day at 13:30. Next: {} and {}.".format(*stamps(moved, 0, 1)).split(" and")[0] in text
    first, second = await open_games(database)
    assert [game.scheduled_at for game in (first, second)] == [moved, moved + DAY]
    assert (first.title, second.title, second.capacity) == ("Strahd again", "Strahd again", 6)
    kinds = [row.kind for row in await notifications(database, first)]
    assert kinds.count(NotificationKind.CHANGE) == 1
    async with db.transaction(database.sessions) as session:
        await cancel_game(session, first.id)
    third = (await open_games(database))[-1]
    assert await players(database, second) == [regular]
    assert set(await players(database, third)) == {regular, sandbox.world.user(PLAYER).id}


async def test_the_rule_of_a_series_is_changed(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox)
    text = await series(sandbox, "edit", repeat="every 3 days")
    assert "Every 3 days at 12:00. Next: {}, {} and {}.".format(*stamps(NOON, 0, 3, 6)) in text
    assert "stays on its day" in text
    assert "🔁 Every 3 days" in str(announcement(await only_game(database), ()))


async def test_a_series_whose_dates_are_over_goes_on_with_a_new_rule(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox, "daily, 2 times")
    for _ in range(2):
        [game] = await open_games(database)
        await cancel(sandbox, HOST, game)
    assert (await only_series(database)).state is SeriesState.ENDED
    assert "has no more dates. Give it some" in await series(sandbox, "resume")
    assert "To go on with it, use `/series resume`" in await series(sandbox, "edit", repeat="every 2 days")
    assert "goes on. I'm announcing the next game" in await series(sandbox, "resume")
    [following] = await open_games(database)
    assert following.scheduled_at == NOON + 3 * DAY


async def test_the_limits_slots_and_place_of_all_following_games_are_changed(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox)
    role = add_role(sandbox, "Raiders")
    options = {
        "slots": "tank, 2 healer",
        "place": "Library",
        "closes": "1h",
        "offer": "30m",
        "role": str(role),
        "minimum": 2,
        "minimum-check": "6h",
    }
    assert "is changed from now on" in await series(sandbox, "edit", **options)
    shown = await embed(sandbox, "show", series="strahd")
    for part in ("tank, 2 healer", "Library", "1 hour before", f"<@&{role}>", "at least 2 players", "30 minutes"):
        assert part in shown
    await series(sandbox, "skip")
    first, second = await all_games(database)
    for game in (first, second, await only_series(database)):
        assert game.slots == (Slot("tank"), Slot("healer", 2))
        assert (game.place, game.closes_minutes, game.offer_minutes) == ("Library", 60, 30)
        assert (game.required_role_id, game.minimum_players, game.minimum_minutes) == (role, 2, 360)
    guild_id = sandbox.world.channel(CHANNEL).guild_id
    removed = {"slots": "none", "place": "none", "closes": "0", "offer": "0", "role": str(guild_id), "minimum": 0}
    assert "is changed from now on" in await series(sandbox, "edit", **removed)
    [third] = await open_games(database)
    for game in (third, await only_series(database)):
        assert (game.slots, game.place, game.closes_minutes, game.offer_minutes) == ((), "", None, None)
        assert (game.required_role_id, game.minimum_players) == (None, None)
    history = await series(sandbox, "history")
    assert "changed the place from none to Library" in history
    assert "changed the slots" in history


async def test_a_slot_that_is_taken_in_an_announced_game_stays(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox, slots="tank, healer")
    async with db.transaction(database.sessions) as session:
        await join_game(session, (await only_game(database)).id, user_id=1, slot="tank")
    assert "has players in a slot that would be missing" in await series(sandbox, "edit", slots="healer", title="Other")
    assert (await only_series(database)).title == (await only_game(database)).title == "Curse of Strahd"
    assert "is changed" in await series(sandbox, "edit", slots="2 tank")


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({}, "such as `time` or `repeat`"),
        ({"minimum": 7, "players": 6}, "only 6 can join"),
        ({"minimum-check": "6h"}, "Enter `minimum` too"),
        ({"offer": "30 days"}, "can't be the time to take a seat"),
        ({"time": "soon"}, "`8pm` or `19:30`"),
        ({"time": "8:30"}, "can mean several times"),
        ({"players": 1}, "already has more players"),
        ({"regulars": "Aiko"}, "Mention the players"),
        ({"duration": "2d"}, "the next one starts after 1 day"),
        ({"repeat": "sometimes"}, "isn't a way to repeat"),
    ],
)
async def test_an_invalid_change_is_explained_and_nothing_is_saved(
    sandbox: SandboxDiscord, database: Database, options: dict[str, Any], hint: str
) -> None:
    await repeat(sandbox)
    await join(sandbox, database, await only_game(database), PLAYER, OTHER)
    before = await only_game(database)
    assert hint in await series(sandbox, "edit", **({"title": "Other"} | options if options else {}))
    after, of = await only_game(database), await only_series(database)
    assert (after.revision, after.title, of.title) == (before.revision, before.title, before.title)


async def test_only_the_host_and_those_who_manage_can_change_a_series(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox)
    for command in ("skip", "pause", "resume", "end"):
        assert "Only the host can" in await series(sandbox, command, who=OTHER)
    assert "Only the host can change" in await series(sandbox, "edit", who=OTHER, title="Mine")
    assert len(await open_games(database)) == 1
    suggested = {
        who: len((await sandbox.autocomplete(who, "series pause", "series", series="")).choices)
        for who in (HOST, MANAGER, OTHER)
    }
    assert suggested == {HOST: 1, MANAGER: 1, OTHER: 0}
    assert "is paused" in await series(sandbox, "pause", who=MANAGER)


async def test_a_series_that_does_not_exist_or_is_one_of_several_is_explained(
    sandbox: SandboxDiscord, database: Database
) -> None:
    assert "can't find a series" in await series(sandbox, "pause")
    await repeat(sandbox)
    await repeat(sandbox)
    assert "2 series match" in await series(sandbox, "pause")


async def test_an_occurrence_is_moved_and_cancelled_like_every_game(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox)
    game = await only_game(database)
    later = f"{NOON + timedelta(hours=3):%Y-%m-%d %H:%M}"
    text = await reply_text(sandbox.slash(HOST, "game edit", game=str(game.id), when=later))
    assert "Only this game has changed" in text
    [moved] = await open_games(database)
    assert (moved.scheduled_at, moved.occurrence) == (NOON + timedelta(hours=3), game.occurrence)
    assert "is cancelled" in await cancel(sandbox, HOST, game)
    assert {game.status for game in await all_games(database)} == {GameStatus.CANCELLED, GameStatus.SCHEDULED}
    assert [game.scheduled_at for game in await open_games(database)] == [NOON + DAY]


async def test_the_history_of_a_series_says_who_changed_what(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox)
    game = await only_game(database)
    await series(sandbox, "pause", who=MANAGER)
    await series(sandbox, "pause", who=MANAGER)
    await series(sandbox, "resume")
    await series(sandbox, "edit", time="1pm", players=6, **{"open-at-once": 2})
    await series(sandbox, "skip", date=(NOON + timedelta(days=3, hours=1)).replace(tzinfo=None).isoformat())
    await series(sandbox, "end")
    host, manager = (f"<@{sandbox.world.user(who).id}>" for who in (HOST, MANAGER))
    [skipped] = stamps(NOON + timedelta(hours=1), 3)
    expected = [
        f"{host} ended the series",
        f"{host} skipped {skipped}",
        f"{host} edited the series: changed the time of day from 12:00 to 13:00, "
        "changed the number of seats from no limit to 6 and changed how many games are open at once from 1 to 2",
        f"{host} resumed the series",
        f"{manager} paused the series",
        f"{host} made it a series",
    ]
    shown = await series(sandbox, "history")
    assert [line.partition(": ")[2] for line in shown.splitlines()[1:]] == expected
    of_game = await reply_text(sandbox.slash(HOST, "game history", game=str(game.id)))
    assert all(line in of_game for line in expected)
    assert f"{host} created the game" in of_game
    second = (await open_games(database))[1]
    of_second = await reply_text(sandbox.slash(HOST, "game history", game=str(second.id)))
    assert f"{host} ended the series" in of_second
    assert "paused the series" not in of_second
    assert "Only the host can see the history of" in await series(sandbox, "history", who=OTHER)


async def test_what_the_bot_does_with_a_series_has_no_actor(sandbox: SandboxDiscord, database: Database) -> None:
    await repeat(sandbox, "daily, 2 times")
    for _ in range(2):
        [game] = await open_games(database)
        await cancel(sandbox, HOST, game)
    assert "Questbell ended the series" in await series(sandbox, "history")
    settings = await reply_text(sandbox.slash(MANAGER, "settings server"))
    assert "Last changed" not in settings


async def test_a_series_whose_channel_was_deleted_says_so_and_cannot_be_resumed(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox)
    game = await only_game(database)
    async with db.transaction(database.sessions) as session:
        await pause_without_channel(session, [row.id for row in await notifications(database, game)])
    for shown in (await embed(sandbox, "list"), await embed(sandbox, "show", series="strahd")):
        assert "paused: its channel was deleted" in shown
    assert "Questbell paused the series: its channel was deleted" in await series(sandbox, "history")
    assert "was deleted, so it can't go on" in await series(sandbox, "resume")
    await cancel(sandbox, HOST, game)
    assert await open_games(database) == []


async def test_the_series_of_a_server_that_removes_the_bot_are_paused_until_they_are_resumed(
    sandbox: SandboxDiscord, database: Database
) -> None:
    await repeat(sandbox)
    await repeat(sandbox, title="Other")
    await series(sandbox, "pause")
    guild = sandbox.world.guilds[sandbox.world.channel(CHANNEL).guild_id or 0]
    sandbox.world.remove_member(guild, sandbox.world.bot)

    async def are_paused(count: int) -> bool:
        async with db.transaction(database.sessions) as session:
            paused = select(GameSeries.pause_reason).where(GameSeries.state == SeriesState.PAUSED)
            return list(await session.scalars(paused)) == [PauseReason.BOT_REMOVED] * count

    await eventually(lambda: are_paused(2))
    assert "paused: I was removed from the server" in await embed(sandbox, "list")
    assert len(await open_games(database)) == 2
    assert "goes on" in await series(sandbox, "resume")
    assert await are_paused(1)


async def test_the_series_of_a_server_that_removed_the_bot_meanwhile_are_paused_when_it_connects(
    sandbox: SandboxDiscord, database: Database, start_bot: StartBot
) -> None:
    async def start(guild_id: int | None) -> UUID:
        game = await plan_game(database, sandbox, **({} if guild_id is None else {"guild_id": guild_id}))
        async with db.transaction(database.sessions) as session:
            found = await session.get_one(Game, game.id)
            return (await start_series(session, found, Rule(frequency=Frequency.DAILY))).id

    async def reason(series_id: UUID) -> PauseReason | None:
        async with db.transaction(database.sessions) as session:
            return (await session.get_one(GameSeries, series_id)).pause_reason

    gone = await start(999)
    async with start_bot(database.sessions):
        assert "can't find a series" in await series(sandbox, "pause")
    assert await reason(gone) is None  # it is none of the bot's servers that has a series
    here = await start(None)
    async with start_bot(database.sessions):
        await eventually(lambda: reason(gone))
    assert (await reason(gone), await reason(here)) == (PauseReason.BOT_REMOVED, None)
