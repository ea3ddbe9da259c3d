"""A cluster of RabbitMQ nodes that loses one, or restarts them all in turn.

The others carry on meanwhile, so no recovery is recorded: what a fault delays is late from its due time on.
"""

from __future__ import annotations

import asyncio

from sandbox.servers.rabbitmq_cluster import NODE_LOST_AFTER, ClusterNode, RabbitCluster
from shared.messaging.topology import REMINDERS
from tests.chaos.fixture import Fixture

CUT_OFF = 2.5 * NODE_LOST_AFTER
"""Seconds: long enough for the node to notice it, and for deliveries to go on without the node."""


async def kill_leader(fixture: Fixture) -> None:
    """Kill the node that leads the queue of the reminders; it stays away."""
    _, leader = await _leader(fixture)
    await leader.broker.kill()
    fixture.record_injection()
    await asyncio.sleep(fixture.seconds_left)


async def cut_off_leader(fixture: Fixture) -> None:
    """Cut the node that leads the queue of the reminders off from the two others, while clients still reach it."""
    cluster, leader = await _leader(fixture)
    leader.cut_off()
    fixture.record_injection()
    await asyncio.sleep(CUT_OFF)
    leader.reconnect()
    await cluster.until_whole(fixture.name)


async def restart_in_turn(fixture: Fixture) -> None:
    """Restart each node in order, as an upgrade does, when every queue has all its members again."""
    cluster, _ = await _leader(fixture)
    for node in cluster.nodes:
        await node.broker.restart()
        fixture.record_injection()
        await cluster.until_whole(fixture.name)


async def _leader(fixture: Fixture) -> tuple[RabbitCluster, ClusterNode]:
    """Return the cluster and the node that leads the queue of the reminders, at a random moment."""
    cluster = fixture.environment.broker_cluster
    assert cluster is not None
    await cluster.until_whole(fixture.name)
    await asyncio.sleep(fixture.rng.uniform(0.5, 3.0))
    return cluster, await cluster.leader(REMINDERS.name, vhost=fixture.name)
