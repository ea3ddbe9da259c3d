from __future__ import annotations

from shared.messaging import topology
from shared.models import GameStatus, NotificationKind
from shared.settings import Timing


def test_every_kind_of_row_has_exactly_one_queue() -> None:
    kinds = [kind for queue in topology.QUEUES for kind in queue.kinds]
    assert sorted(kinds) == sorted([*NotificationKind, *GameStatus])
    for attribute in ("name", "routing_key"):
        assert len({getattr(queue, attribute) for queue in topology.QUEUES}) == len(topology.QUEUES)


def test_full_queues_reject_messages_and_dead_letter_at_least_once() -> None:
    for queue in topology.QUEUES:
        assert queue.arguments["x-overflow"] == "reject-publish"
        assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert queue.arguments["x-dead-letter-routing-key"] == queue.dead_letters


def test_the_time_outs_keep_their_order() -> None:
    timing = Timing()
    assert timing.request_timeout < timing.lease < timing.nonce_window < timing.settle_timeout < timing.consumer_timeout
