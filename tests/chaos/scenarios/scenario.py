"""One scenario of the fault matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.faults import Fault
from tests.chaos.faults.servers import API_SERVER_DOWN
from tests.chaos.fixture import Fixture, Topology
from tests.chaos.games import CROWD
from tests.chaos.load_actions import LoadProfile

SHORT = LoadProfile()
LONG = LoadProfile(spread=API_SERVER_DOWN)
"""For a fault of minutes: reminders become due all the time."""
ROOMY = LoadProfile(spread=20.0, unopened=0)
"""For a fault that must delay nobody else: below Discord's limit of all requests, which everybody shares."""
CROWDED = LoadProfile(spread=20.0, crowd=CROWD, unopened=0)
"""For a fault of one channel: it has as many reminders as Discord accepts for it in twenty seconds."""
NEWCOMERS = LoadProfile(spread=20.0, unopened=5)
"""For a rate limit of half a minute: reminders become due until it is nearly over."""
ONE, TWO = Topology(), Topology(controllers=2)


@dataclass(frozen=True)
class Scenario:
    """One fault, and what it may excuse.

    Attributes:
        guards: the promise that it guards, in a line.
        clock_skew: seconds by which the clock of a process is wrong, by the name of the process.
        quick: whether it belongs to the quick subset.
        late_arrivals: a request may arrive long after it was sent, so a message may belong to an earlier attempt.
        unknown_allowed: an attempt can become undecidable: its process, or every way to Discord's response, was gone
            for longer than Discord remembers a nonce.
        check: returns what is wrong in the end, beside what the oracle finds.
        pair: the replication of the pair of PostgreSQL servers that it runs on, instead of one server.
        broker_cluster: whether it runs on a cluster of RabbitMQ nodes, instead of one broker.
    """

    fault: Fault
    guards: str
    topology: Topology = ONE
    load: LoadProfile = SHORT
    clock_skew: Mapping[str, int] = field(default_factory=dict)
    quick: bool = False
    late_arrivals: bool = False
    unknown_allowed: bool = False
    check: Callable[[Fixture], Sequence[str]] = lambda fixture: ()
    pair: Literal["synchronous", "asynchronous"] | None = None
    broker_cluster: bool = False
