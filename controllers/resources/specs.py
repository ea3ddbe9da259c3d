"""What users ask for in a custom resource.

The API server has validated and defaulted every spec by its CRD; the models repeat bounds and defaults so that a
loop can be made without a cluster, and a test compares the two.
"""

from __future__ import annotations

import enum

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Source(enum.StrEnum):
    """Which table a scheduler serves."""

    NOTIFICATIONS = "Notifications"
    STATUS_TRANSITIONS = "StatusTransitions"


class Spec(BaseModel):
    """The base of specs: camelCase outside, frozen inside."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    suspend: bool = False


class SchedulerSpec(Spec):
    """A scheduler loop: publishes the rows of one source when they are due."""

    source: Source
    batch_size: int = Field(default=100, ge=1, le=1000)
    max_wait_seconds: int = Field(default=15, ge=1, le=900)
    retention_days: int = Field(default=30, ge=1, le=3650)


class DeadLetterReconcilerSpec(Spec):
    """A dead-letter loop: empties dead-letter queues at start and on an interval."""

    queues: tuple[str, ...] = ("bot.reminders.dlq", "bot.notices.dlq", "bot.transitions.dlq")
    interval_seconds: int = Field(default=900, ge=1, le=86400)
    batch_size: int = Field(default=100, ge=1, le=1000)
    alert_after_attempts: int = Field(default=5, ge=1, le=1000)
