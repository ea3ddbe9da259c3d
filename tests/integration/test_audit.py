"""Server settings, co-hosts, and the history of who changed what, in a real database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from shared import database as db
from shared.audit import (
    RETENTION,
    Entry,
    list_game_entries,
    list_settings_entries,
    purge_entries,
)
from shared.co_hosts import add_co_host, is_co_host, list_co_hosts, remove_co_host
from shared.editing import EditResult, GameEdit, edit_game
from shared.game_search import search_games
from shared.games import cancel_game
from shared.guild_settings import GuildSettings, change_guild_settings, get_guild_settings
from shared.models import AuditAction, AuditEntry, Game, Guild
from tests.support.builders import GUILD, HOST, new_game
from tests.support.database import Database
from tests.support.transition_check import allow_any_change

ACTOR, OTHER = 500, 501


async def entries_of(database: Database, game_id: UUID) -> list[Entry]:
    """What was done with a game, the first first."""
    async with db.transaction(database.sessions) as session:
        return list(reversed(await list_game_entries(session, game_id, limit=100)))


async def change(database: Database, changes: dict[str, Any], *, actor_id: int = ACTOR) -> GuildSettings:
    async with db.transaction(database.sessions) as session:
        return await change_guild_settings(session, GUILD, changes, actor_id=actor_id)


async def age(database: Database, days: float) -> None:
    """Make all entries older."""
    async with db.transaction(database.sessions) as session:
        await session.execute(update(AuditEntry).values(at=AuditEntry.at - timedelta(days=days)))


async def purge(database: Database) -> int:
    async with db.transaction(database.sessions) as session:
        return await purge_entries(session, batch_size=3)


class TestEntries:
    async def test_creation_edits_and_the_cancellation_are_recorded_with_their_actor(self, database: Database) -> None:
        game = await new_game(database.sessions, capacity=4)
        later = game.scheduled_at + timedelta(hours=1)
        edit = GameEdit(title="Tomb", description="Secret", capacity=0, scheduled_at=later, reminder_offsets=(5,))
        async with db.transaction(database.sessions) as session:
            assert await edit_game(session, game.id, edit, actor_id=ACTOR) is EditResult.MOVED
        async with db.transaction(database.sessions) as session:
            assert await cancel_game(session, game.id)
        created, edited, cancelled = await entries_of(database, game.id)
        assert created[:3] == (HOST, AuditAction.CREATED, {})
        assert edited[:2] == (ACTOR, AuditAction.EDITED)
        assert edited.detail == {
            "changed": {
                "title": ["The Sunken Keep", "Tomb"],
                "description": [None, None],
                "capacity": [4, None],
                "scheduled_at": [game.scheduled_at.isoformat(), later.isoformat()],
                "reminder_offsets": [[60, 10], [5]],
            }
        }
        assert cancelled[:3] == (None, AuditAction.CANCELLED, {})

    async def test_what_is_not_committed_is_not_recorded(self, database: Database) -> None:
        game = await new_game(database.sessions)
        with pytest.raises(ZeroDivisionError):
            async with db.transaction(database.sessions) as session:
                await cancel_game(session, game.id, actor_id=ACTOR)
                raise ZeroDivisionError
        async with db.transaction(database.sessions) as session:
            assert await edit_game(session, game.id, GameEdit(title=game.title)) is EditResult.UNCHANGED
        assert [entry.action for entry in await entries_of(database, game.id)] == [AuditAction.CREATED]

    async def test_old_ones_are_purged_in_small_batches(self, database: Database) -> None:
        games = [await new_game(database.sessions) for _ in range(5)]
        await age(database, RETENTION.days - 1)
        assert await purge(database) == 0
        newer = await new_game(database.sessions)
        await age(database, 1)
        assert [await purge(database) for _ in range(3)] == [3, 2, 0]
        assert await entries_of(database, games[0].id) == []
        assert len(await entries_of(database, newer.id)) == 1

    async def test_they_are_deleted_with_their_game(self, database: Database) -> None:
        game = await new_game(database.sessions)
        other = await new_game(database.sessions)
        async with db.transaction(database.sessions) as session:
            await add_co_host(session, game.id, user_id=OTHER, actor_id=HOST)
        async with db.transaction(database.sessions) as session:
            await allow_any_change(session)
            await session.execute(delete(Game).where(Game.id == game.id))
        assert await entries_of(database, game.id) == []
        assert len(await entries_of(database, other.id)) == 1

    async def test_changes_at_once_are_all_recorded(self, database: Database) -> None:
        game = await new_game(database.sessions)

        async def rename(number: int) -> None:
            async with db.transaction(database.sessions) as session:
                await edit_game(session, game.id, GameEdit(title=f"Keep {number}"), actor_id=number)

        await asyncio.gather(*map(rename, range(8)))
        _created, *edits = await entries_of(database, game.id)
        assert {entry.actor_id for entry in edits} == set(range(8))
        titles = [entry.detail["changed"]["title"] for entry in edits]
        assert [before for before, _ in titles[1:]] == [after for _, after in titles[:-1]]


class TestSettings:
    async def test_a_server_without_settings_has_the_defaults(self, database: Database) -> None:
        async with db.transaction(database.sessions) as session:
            assert await get_guild_settings(session, GUILD) == GuildSettings()
            session.add(Guild(id=GUILD))
            await session.flush()
            assert await get_guild_settings(session, GUILD) == GuildSettings()

    async def test_settings_are_changed_one_by_one_and_recorded(self, database: Database) -> None:
        await change(database, {"zone": "Asia/Tokyo", "reminder_offsets": ()})
        after = await change(database, {"channel_id": 7, "zone": "Asia/Tokyo"}, actor_id=OTHER)
        assert after == GuildSettings(zone="Asia/Tokyo", reminder_offsets=(), channel_id=7)
        await change(database, {"channel_id": 7})
        async with db.transaction(database.sessions) as session:
            assert await get_guild_settings(session, GUILD) == after
            latest, first = await list_settings_entries(session, GUILD, limit=5)
        assert latest[:3] == (OTHER, AuditAction.SETTINGS_CHANGED, {"changed": {"channel_id": [None, 7]}})
        assert first.detail == {"changed": {"zone": ["UTC", "Asia/Tokyo"], "reminder_offsets": [None, []]}}

    async def test_changes_at_once_lose_nothing(self, database: Database) -> None:
        names = ("channel_id", "creator_role_id", "manager_role_id")
        await asyncio.gather(*(change(database, {name: number}) for number, name in enumerate(names, start=1)))
        async with db.transaction(database.sessions) as session:
            settings = await get_guild_settings(session, GUILD)
        assert settings == GuildSettings(channel_id=1, creator_role_id=2, manager_role_id=3)


class TestCoHosts:
    async def test_the_same_added_at_once_is_added_once(self, database: Database) -> None:
        game = await new_game(database.sessions)

        async def add() -> bool:
            async with db.transaction(database.sessions) as session:
                return await add_co_host(session, game.id, user_id=OTHER, actor_id=HOST)

        assert sorted(await asyncio.gather(*(add() for _ in range(4)))) == [False, False, False, True]
        assert len(await entries_of(database, game.id)) == 2
        async with db.transaction(database.sessions) as session:
            assert await list_co_hosts(session, game.id) == [OTHER]
            assert await remove_co_host(session, game.id, user_id=OTHER, actor_id=ACTOR)
            assert not await remove_co_host(session, game.id, user_id=OTHER, actor_id=ACTOR)
            assert not await is_co_host(session, game.id, user_id=OTHER)
        assert (await entries_of(database, game.id))[-1][:3] == (
            ACTOR,
            AuditAction.CO_HOST_REMOVED,
            {"user_id": OTHER},
        )

    async def test_their_games_are_found_among_those_they_may_change(self, database: Database) -> None:
        game = await new_game(database.sessions)
        await new_game(database.sessions, host_id=ACTOR)
        async with db.transaction(database.sessions) as session:
            assert await search_games(session, GUILD, "", limit=5, host_id=OTHER) == []
            await add_co_host(session, game.id, user_id=OTHER, actor_id=HOST)
            found = await search_games(session, GUILD, "", limit=5, host_id=OTHER)
        assert [match.id for match in found] == [game.id]
