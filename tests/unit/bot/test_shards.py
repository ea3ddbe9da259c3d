"""Which process has which shard, and which shard has which server."""

from __future__ import annotations

import pytest

from bot.gateway_state import GatewayState
from bot.shards import Shard, list_shards
from shared import metrics
from shared.settings import BotSettings


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [7, 8, 20])
def test_each_shard_belongs_to_one_process(count: int, processes: int) -> None:
    settings = [BotSettings(shards=count, processes=processes, ordinal=ordinal) for ordinal in range(processes)]
    parts = [list_shards(process, count) for process in settings]
    assert sorted(shard.number for part in parts for shard in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("count", [1, 2, 6])
def test_each_server_belongs_to_one_shard(count: int) -> None:
    for guild_id in range(0, 10**20, 10**20 // 997):
        assert [shard for shard in map(lambda n: Shard(n, count), range(count)) if shard.serves(guild_id)] == [
            Shard((guild_id >> 22) % count, count)
        ]


def test_the_state_is_connected_when_all_shards_are() -> None:
    first, second = Shard(0, 2), Shard(1, 2)
    state = GatewayState([first, second])
    state.record_connected(first)
    assert state.problem() == "shard 1 of 2: not connected yet"
    assert _connected() == 0
    state.record_connected(second)
    assert state.problem() is None
    assert _connected() == 1
    state.record_lost("refused", shard=first, close_code=4014)
    state.record_connected(second)
    assert state.problem() == "shard 0 of 2: refused"
    assert _connected() == 0
    assert metrics.GATEWAY_CLOSE_CODE._value.get() == 4014


def _connected() -> float:
    return float(metrics.CONNECTED.labels("gateway")._value.get())
