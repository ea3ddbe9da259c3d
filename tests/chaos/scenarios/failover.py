"""A pair of PostgreSQL servers fails over, as Patroni and CloudNativePG do it."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.faults.failover import lose_primary, switch_over
from tests.chaos.load_actions import LoadProfile
from tests.chaos.scenarios.scenario import TWO, Scenario

LOAD = LoadProfile(spread=40.0)
"""Reminders become due before the fail-over, during it and afterwards."""

FAILOVER: Mapping[str, Scenario] = {
    "synchronous-primary-killed": Scenario(
        lose_primary(frozen=False),
        "A synchronous standby takes over without a lost or a doubled reminder.",
        TWO,
        LOAD,
        unknown_allowed=True,
        pair="synchronous",
    ),
    "synchronous-primary-frozen": Scenario(
        lose_primary(frozen=True),
        "A primary that continues when another one was promoted changes nothing.",
        TWO,
        LOAD,
        unknown_allowed=True,
        pair="synchronous",
    ),
    "synchronous-primary-switched-over": Scenario(
        switch_over,
        "A primary that hands over in order before maintenance loses and doubles nothing.",
        TWO,
        LOAD,
        pair="synchronous",
    ),
    "asynchronous-primary-killed": Scenario(
        lose_primary(frozen=False),
        "A fail-over that loses the last commits doubles no reminder, and loses only what people changed in them.",
        TWO,
        LOAD,
        unknown_allowed=True,
        pair="asynchronous",
    ),
    "asynchronous-primary-frozen": Scenario(
        lose_primary(frozen=True),
        "What a frozen primary had committed alone is sent again with the same nonces.",
        TWO,
        LOAD,
        unknown_allowed=True,
        pair="asynchronous",
    ),
    "asynchronous-primary-switched-over": Scenario(
        switch_over,
        "A primary that hands over in order waits for its standby, so asynchronous replication loses nothing either.",
        TWO,
        LOAD,
        pair="asynchronous",
    ),
}
