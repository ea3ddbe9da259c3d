"""What is measured, and the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from controllers.resources.models import SchedulerSpec
from shared.messaging.topology import MAX_LENGTH
from shared.settings import BrokerSettings

BURST_PER_SECOND, DISPATCH_RATIO, CONSUME_RATIO = 3_500.0, 0.9, 0.5
"""The targets: of the burst, and of the ratios to the bare client library."""
ROUND = MAX_LENGTH * 4 // 5
"""Messages of one round of a ratio: nobody consumes while they are dispatched, so the queue must hold them."""
QUICK = {"rows": 1_000, "pending": 10_000, "rounds": 3, "profiled_rounds": 1, "tried_rows": 0}
"""Enough to show that everything works, too little to measure."""


@dataclass(frozen=True)
class Plan:
    """How much is measured, and with which settings; their defaults are those of the product."""

    rows: int = 10_000
    pending: int = 100_000
    rounds: int = 10
    profiled_rounds: int = 4
    peers: bool = False
    """Whether the peers are measured, too."""
    tried_rows: int = 2_000
    """Reminders with which each setting of a peer is tried; 0 tries none."""
    batch_size: int = SchedulerSpec.model_fields["batch_size"].default
    prefetch: int = BrokerSettings.model_fields["prefetch"].default

    @classmethod
    def of(cls, *, quick: bool, peers: bool = False, **asked: int | None) -> Self:
        """Return the plan that was asked for; None stands for the default."""
        given = {name: value for name, value in asked.items() if value is not None}
        return cls(peers=peers, **{**(QUICK if quick else {}), **given})
