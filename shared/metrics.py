"""The Prometheus metrics of both workloads, in one place so that names and labels agree.

A process shows only what it can know (`expose`), and shows it from its start: a counter that first appears with its
first failure is missed by `rate()`; and a bot that showed an empty dead-letter queue, because the library shows every
metric that was ever defined, would say what it does not know. Labels are names of ours and Discord's status codes,
never ids. What the database and the broker hold is taken away when they cannot be asked: an old figure is worse than
none.
"""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Mapping, Sequence
from typing import TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from shared.models import NotificationKind, Outcome

CONTROLLERS, BOT = ("controllers",), ("bot",)
BOTH = CONTROLLERS + BOT

SOURCES = ("Notifications", "StatusTransitions")
QUEUES = ("bot.reminders", "bot.notices", "bot.transitions")
DEAD_LETTER_QUEUES = tuple(f"{queue}.dlq" for queue in QUEUES)
KINDS = (*NotificationKind, TRANSITION := "transition")
"""What is told, and what is not told but changes a game's status."""
CALLS = ("create_message", "edit_message", "messages", "open_dm", "ping")
UNREACHABLE, NO_ANSWER = "unreachable", "no_answer"
"""The `status` of a request that never reached Discord, and of one that Discord did not answer."""
STATUSES = ("200", "400", "401", "403", "404", "429", "500", "502", "503", "504", UNREACHABLE, NO_ANSWER)

_LATENESS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_REQUEST = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LYING = (60, 300, 900, 1800, 3600, 14_400, 86_400)
_ATTEMPTS = (1, 2, 3, 5, 10, 20, 50)

Metric = Counter | Gauge | Histogram
MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)
_shown: dict[str, list[tuple[Metric, Mapping[str, Sequence[str]]]]] = {workload: [] for workload in BOTH}


def _of(workloads: Sequence[str], metric: MetricT, from_the_start: Mapping[str, Sequence[str]]) -> MetricT:
    for workload in workloads:
        _shown[workload].append((metric, from_the_start))
    return metric


def _counter(of: Sequence[str], name: str, meaning: str, **labels: Sequence[str]) -> Counter:
    return _of(of, Counter(name, meaning, tuple(labels), registry=None), labels)


def _histogram(
    of: Sequence[str], name: str, meaning: str, buckets: Sequence[float], **labels: Sequence[str]
) -> Histogram:
    return _of(of, Histogram(name, meaning, tuple(labels), registry=None, buckets=buckets), labels)


def _gauge(of: Sequence[str], name: str, meaning: str, *asked_for: str, **labels: Sequence[str]) -> Gauge:
    """Labels without values are of a gauge that shows nothing until it is set."""
    return _of(of, Gauge(name, meaning, (*asked_for, *labels), registry=None), labels)


BUILD_INFO = _gauge(
    BOTH, "questbell_build_info", "1, with the release that runs and as which workload.", "version", "workload"
)
SETTLED = _counter(
    BOTH, "questbell_settled_total", "Rows that got their outcome.", source=SOURCES, outcome=tuple(Outcome)
)
DEPENDENCY_UP = _gauge(
    BOTH, "questbell_dependency_up", "Whether a server that we depend on answered when last asked.", "dependency"
)
CONNECTED = _gauge(
    BOTH, "questbell_connected", "Whether a connection that should always be there is there.", "connection"
)
DATABASE_CONNECTIONS = _gauge(
    BOTH, "questbell_database_connections", "Connections of the pool to PostgreSQL, in use or idle.", "state"
)
DATABASE_CONNECTIONS_MAX = _gauge(
    BOTH, "questbell_database_connections_max", "Connections that the pool to PostgreSQL may have."
)
BROKER_CONNECTIONS = _gauge(BOTH, "questbell_broker_connections", "Open connections to RabbitMQ.")

# What the controllers do.

PUBLISHES = _counter(
    CONTROLLERS,
    "questbell_publishes_total",
    "Copies of rows sent to the broker, by its answer. A full queue refuses a copy and costs the row no attempt.",
    source=SOURCES,
    answer=("confirmed", "full", "unroutable", "failed"),
)
PUBLISH_LATENESS = _histogram(
    CONTROLLERS,
    "questbell_publish_lateness_seconds",
    "From due to confirmed by the broker, of first attempts.",
    _LATENESS,
    source=SOURCES,
)
DEAD_LETTERS_HANDLED = _counter(
    CONTROLLERS,
    "questbell_dead_letters_handled_total",
    "Dead letters looked at: republished; dropped, no copy is needed; parked, unreadable; left for the next run.",
    queue=DEAD_LETTER_QUEUES,
    fate=("republished", "dropped", "parked", "left"),
)
DEAD_LETTER_AGE = _histogram(
    CONTROLLERS,
    "questbell_dead_letter_age_seconds",
    "From the death of a message, by the broker's record, to when it was looked at.",
    _LYING,
    queue=DEAD_LETTER_QUEUES,
)
REARMED = _counter(
    CONTROLLERS,
    "questbell_rearmed_rows_total",
    "Rows made due again because the broker had lost its queues.",
    source=SOURCES,
)
PURGED = _counter(
    CONTROLLERS, "questbell_purged_rows_total", "Settled rows deleted after their retention time.", source=SOURCES
)
LOOP_LAST_ITERATION = _gauge(
    CONTROLLERS,
    "questbell_loop_last_iteration_timestamp_seconds",
    "When a loop last ended an iteration, or a batch of one, without an error.",
    "loop",
)
LOOP_WAIT = _gauge(
    CONTROLLERS, "questbell_loop_wait_seconds", "How long a loop may now wait before its next iteration.", "loop"
)
LOOP_FAILURES = _counter(
    CONTROLLERS,
    "questbell_loop_failures_total",
    "Loops that failed and are started again.",
    kind=("Scheduler", "DeadLetterReconciler"),
)
LEADER = _gauge(CONTROLLERS, "questbell_leader", "Whether this replica writes the status of the custom resources.")

# What is in the database and the broker. Every replica of the controllers asks, so all show the same.

PENDING = _gauge(CONTROLLERS, "questbell_pending_rows", "Rows without an outcome, up to 10001.", "source")
DUE = _gauge(CONTROLLERS, "questbell_due_rows", "Rows that a scheduler loop should take now, up to 10001.", "source")
OVERDUE = _gauge(
    CONTROLLERS,
    "questbell_overdue_rows",
    "Rows whose time has come and that have no outcome yet, up to 10001.",
    "source",
)
OLDEST_OVERDUE_AGE = _gauge(
    CONTROLLERS,
    "questbell_oldest_overdue_age_seconds",
    "How long the oldest row without an outcome has been due; 0 when none is.",
    "source",
)
RETRIED = _gauge(
    CONTROLLERS, "questbell_retried_rows", "Overdue rows that an attempt did not settle, up to 10001.", "source"
)
OLDEST_RETRIED_AGE = _gauge(
    CONTROLLERS,
    "questbell_oldest_retried_age_seconds",
    "How long the oldest row that an attempt did not settle has been due; 0 when there is none.",
    "source",
)
DEAD_LETTERS = _gauge(CONTROLLERS, "questbell_dead_letters", "Messages in a dead-letter queue.", "queue")
PARKED = _gauge(
    CONTROLLERS,
    "questbell_parked_messages",
    "Messages that could not be read and wait for a person, up to 1001.",
    "queue",
)
OF_ROWS = (PENDING, DUE, OVERDUE, OLDEST_OVERDUE_AGE, RETRIED, OLDEST_RETRIED_AGE, PARKED)
"""What the database is asked for."""

# What the bot does.

CONSUMER_ATTACHED = _gauge(
    BOT, "questbell_consumer_attached", "Whether the bot takes the messages of a queue.", queue=QUEUES
)
IN_FLIGHT = _gauge(
    BOT, "questbell_messages_in_flight", "Messages that the bot has taken and not answered yet.", queue=QUEUES
)
CONSUMED = _counter(
    BOT,
    "questbell_consumed_total",
    "Messages that the bot answered: ack, when the row has its outcome or another time; nack, when the attempt failed.",
    queue=QUEUES,
    answer=("ack", "nack"),
)
FAILED_ATTEMPTS = _counter(
    BOT, "questbell_failed_attempts_total", "Attempts of the bot that failed and are repeated.", source=SOURCES
)
SETTLE_ATTEMPTS = _histogram(
    BOT,
    "questbell_settle_attempts",
    "How many attempts a row had taken when it settled.",
    _ATTEMPTS,
    source=SOURCES,
)
DELIVERY_LATENESS = _histogram(
    BOT,
    "questbell_delivery_lateness_seconds",
    "From due to accepted by Discord, of each recipient; of a transition, to the commit of the game's status.",
    _LATENESS,
    kind=KINDS,
)
DELIVERIES = _counter(
    BOT,
    "questbell_deliveries_total",
    "Recipients, by how it ended: sent; failed, for good; unknown, which is never sent again.",
    state=("sent", "failed", "unknown"),
)
DISCORD_REQUESTS = _counter(
    BOT,
    "questbell_discord_requests_total",
    "Requests to Discord that deliver, by HTTP status; answers to commands and buttons are not among them.",
    call=CALLS,
    status=STATUSES,
)
DISCORD_REQUEST_DURATION = _histogram(
    BOT,
    "questbell_discord_request_duration_seconds",
    "From a delivery's request to Discord's answer, or to giving up.",
    _REQUEST,
    call=CALLS,
)
RATE_LIMIT_WAIT = _histogram(
    BOT,
    "questbell_rate_limit_wait_seconds",
    "How long a delivery waited for one of our limits, which keep us below Discord's.",
    _REQUEST,
    limit=("channel", "refreshes", "requests"),
)


def settled(source: str, outcome: Outcome, *, attempts: int) -> None:
    """Count that the bot settled a row after so many attempts.

    It may be faster than the commit of the attempt that it answers: what was published was attempted once at least.
    """
    SETTLED.labels(source, outcome).inc()
    SETTLE_ATTEMPTS.labels(source).observe(max(1, attempts))


def expose(workload: str, *, registry: CollectorRegistry = REGISTRY) -> None:
    """Show a workload's metrics from now on, counters at zero; call once a process."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # half of all series, and nothing of ours reads them
    for metric, from_the_start in _shown[workload]:
        registry.register(metric)
        for values in itertools.product(*from_the_start.values()) if from_the_start else ():
            metric.labels(*values)
    BUILD_INFO.labels(importlib.metadata.version("questbell"), workload).set(1)


def shown_by(workload: str) -> list[Metric]:
    """Return the metrics that a workload shows."""
    return [metric for metric, _ in _shown[workload]]
