"""A world for the directed runs, on a database that only they use."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from sandbox.servers.postgres import Postgres
from shared.settings import DatabaseSettings, Timing
from tests.model.world import World


@pytest.fixture(scope="module")
async def model_database(postgres_server: Postgres, migrated_template: str) -> AsyncIterator[DatabaseSettings]:
    name = f"model_{uuid.uuid4().hex}"
    url = await postgres_server.create_database(name, template=migrated_template)
    yield DatabaseSettings(url=SecretStr(url), pool_size=4)
    await postgres_server.drop_database(name)


@pytest.fixture(scope="module")
async def shared_world(model_database: DatabaseSettings) -> AsyncIterator[World]:
    async with World.built(model_database, Timing()) as world:
        yield world


@pytest.fixture
async def world(shared_world: World) -> World:
    await shared_world.reset()
    return shared_world
