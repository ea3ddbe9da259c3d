"""A cluster of three RabbitMQ nodes, all named in one URL, loses one of them."""

from __future__ import annotations

from collections.abc import Mapping

from tests.chaos.faults.broker_cluster import cut_off_leader, kill_leader, restart_in_turn
from tests.chaos.load_actions import LoadProfile
from tests.chaos.scenarios.scenario import TWO, Scenario

LOAD = LoadProfile(spread=40.0)
"""Reminders become due before the fault, during it and afterwards."""

BROKER_CLUSTER: Mapping[str, Scenario] = {
    "broker-cluster-leader-killed": Scenario(
        kill_leader,
        "Two nodes of three go on when the one dies that has the clients and leads the queues.",
        TWO,
        LOAD,
        broker_cluster=True,
    ),
    "broker-cluster-leader-cut-off": Scenario(
        cut_off_leader,
        "A node that lost the majority, but not its clients, keeps no reminder, and its return doubles none.",
        TWO,
        LOAD,
        broker_cluster=True,
    ),
    "broker-cluster-restarted-in-turn": Scenario(
        restart_in_turn,
        "An upgrade of the cluster, node by node, delays little.",
        TWO,
        LOAD,
        broker_cluster=True,
    ),
}
