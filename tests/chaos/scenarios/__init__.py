"""The matrix: every scenario by its name, in groups."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.scenarios.broker_cluster import BROKER_CLUSTER
from tests.chaos.scenarios.conditions import CLOCKS, COMBINED, LOAD, MESSAGES
from tests.chaos.scenarios.crashes import BOT_CRASHES, CONTROLLER_CRASHES
from tests.chaos.scenarios.discord import DISCORD
from tests.chaos.scenarios.failover import FAILOVER
from tests.chaos.scenarios.scenario import Scenario
from tests.chaos.scenarios.servers import BROKER, DATABASE, KUBERNETES, NETWORK
from tests.chaos.scenarios.shards import SHARDS

GROUPS: Mapping[str, Mapping[str, Scenario]] = {
    "Load without faults": LOAD,
    "Bot crashes": BOT_CRASHES,
    "Several bots": SHARDS,
    "Controller crashes": CONTROLLER_CRASHES,
    "Broker": BROKER,
    "Cluster of brokers": BROKER_CLUSTER,
    "Database": DATABASE,
    "Fail-over of the database": FAILOVER,
    "Network": NETWORK,
    "Kubernetes": KUBERNETES,
    "Discord": DISCORD,
    "Clocks": CLOCKS,
    "Messages": MESSAGES,
    "Several faults": COMBINED,
}
SCENARIOS: Mapping[str, Scenario] = {name: scenario for group in GROUPS.values() for name, scenario in group.items()}

__all__ = ["GROUPS", "SCENARIOS", "Scenario"]
