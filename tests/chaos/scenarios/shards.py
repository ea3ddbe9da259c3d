"""Several bot processes share the shards of a bot that is in thousands of guilds."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.faults.shards import kill_one_of_several, list_broken_rules
from tests.chaos.fixture import Topology
from tests.chaos.load_actions import LoadProfile
from tests.chaos.scenarios.scenario import Scenario

SHARDS: Mapping[str, Scenario] = {
    "one-of-three-bots-killed": Scenario(
        kill_one_of_several,
        "The other processes deliver and answer when one with its shards dies, and Discord's limits hold for all of "
        "them together.",
        Topology(bots=3, shards=6),
        LoadProfile(guilds=6000),
        check=list_broken_rules,
    ),
}
