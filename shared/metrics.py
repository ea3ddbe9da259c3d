"""The metrics of both workloads, in one place so that names and labels agree. Labels are never ids.

Each process registers only its own metrics, because a bot exporting `dead_letters 0` would be wrong. Counters exist
from the start, because `rate()` misses one that first appears with its first failure. Gauges about an unreachable
server are removed, because a stale value is worse than none.
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
QUEUES = ("bot.reminders", "bot.notices", "bot.announcements", "bot.transitions")
DEAD_LETTER_QUEUES = ("bot.reminders.dlq", "bot.notices.dlq", "bot.transitions.dlq")
KINDS = (*NotificationKind, TRANSITION := "transition")
"""The kinds of notifications, and the status transition, which notifies nobody."""
CALLS = (
    "create_message",
    "edit_message",
    "messages",
    "open_dm",
    "unarchive",
    "channel",
    "guild",
    "member",
    "own_user",
    "gateway",
    "ping",
)
UNREACHABLE, NO_ANSWER = "unreachable", "no_answer"
"""The `status` of requests that never reached Discord, or got no response."""
STATUSES = ("200", "400", "401", "403", "404", "429", "500", "502", "503", "504", UNREACHABLE, NO_ANSWER)

_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_AGE_BUCKETS = (60, 300, 900, 1800, 3600, 14_400, 86_400)
_ATTEMPT_BUCKETS = (1, 2, 3, 5, 10, 20, 50)

Metric = Counter | Gauge | Histogram
MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)
_registered: dict[str, list[tuple[Metric, Mapping[str, Sequence[str]]]]] = {workload: [] for workload in BOTH}


def _register(workloads: Sequence[str], metric: MetricT, initial_labels: Mapping[str, Sequence[str]]) -> MetricT:
    for workload in workloads:
        _registered[workload].append((metric, initial_labels))
    return metric


def _counter(workloads: Sequence[str], name: str, description: str, **labels: Sequence[str]) -> Counter:
    return _register(workloads, Counter(name, description, tuple(labels), registry=None), labels)


def _histogram(
    workloads: Sequence[str], name: str, description: str, buckets: Sequence[float], **labels: Sequence[str]
) -> Histogram:
    return _register(workloads, Histogram(name, description, tuple(labels), registry=None, buckets=buckets), labels)


def _gauge(
    workloads: Sequence[str], name: str, description: str, *, dynamic: Sequence[str] = (), **labels: Sequence[str]
) -> Gauge:
    """No value of a `dynamic` label is exported until it is set."""
    return _register(workloads, Gauge(name, description, (*dynamic, *labels), registry=None), labels)


BUILD_INFO = _gauge(
    BOTH,
    "questbell_build_info",
    "Always 1; the labels name the release and the workload.",
    dynamic=("version", "workload"),
)
SETTLED = _counter(
    BOTH, "questbell_settled_total", "Rows that received their outcome.", source=SOURCES, outcome=tuple(Outcome)
)
DEPENDENCY_UP = _gauge(
    BOTH,
    "questbell_dependency_up",
    "Whether a server that this process depends on answered the last probe.",
    dynamic=("dependency",),
)
CONNECTED = _gauge(BOTH, "questbell_connected", "Whether a long-lived connection is open.", dynamic=("connection",))
DATABASE_CONNECTIONS = _gauge(
    BOTH, "questbell_database_connections", "PostgreSQL connections of the pool, in use or idle.", dynamic=("state",)
)
DATABASE_CONNECTIONS_MAX = _gauge(
    BOTH, "questbell_database_connections_max", "The size limit of the PostgreSQL connection pool."
)
BROKER_CONNECTIONS = _gauge(BOTH, "questbell_broker_connections", "Open connections to RabbitMQ.")

# What the controllers do.

PUBLISHES = _counter(
    CONTROLLERS,
    "questbell_publishes_total",
    "Messages published, by the broker's answer. A message that found its queue full costs the row no attempt.",
    source=SOURCES,
    result=("confirmed", "full", "unroutable", "failed"),
)
PUBLISH_LATENCY = _histogram(
    CONTROLLERS,
    "questbell_publish_latency_seconds",
    "Time from due to confirmed by the broker, for first attempts.",
    _LATENCY_BUCKETS,
    source=SOURCES,
)
DEAD_LETTERS_HANDLED = _counter(
    CONTROLLERS,
    "questbell_dead_letters_handled_total",
    "Dead letters handled: republished, dropped as not needed, parked as unreadable, or deferred to the next run.",
    queue=DEAD_LETTER_QUEUES,
    result=("republished", "dropped", "parked", "deferred"),
)
DEAD_LETTER_AGE = _histogram(
    CONTROLLERS,
    "questbell_dead_letter_age_seconds",
    "Time from dead-lettering, as the broker recorded it, to handling.",
    _AGE_BUCKETS,
    queue=DEAD_LETTER_QUEUES,
)
REQUEUED = _counter(
    CONTROLLERS,
    "questbell_requeued_rows_total",
    "Rows made due again because their queue was missing.",
    source=SOURCES,
)
PURGED = _counter(
    CONTROLLERS, "questbell_purged_rows_total", "Settled rows deleted after their retention period.", source=SOURCES
)
LOOP_LAST_ITERATION = _gauge(
    CONTROLLERS,
    "questbell_loop_last_iteration_timestamp_seconds",
    "When a loop last finished an iteration, or a batch within one, without an error.",
    dynamic=("loop",),
)
LOOP_WAIT = _gauge(
    CONTROLLERS, "questbell_loop_wait_seconds", "How long a loop may wait before its next iteration.", dynamic=("loop",)
)
LOOP_FAILURES = _counter(
    CONTROLLERS,
    "questbell_loop_failures_total",
    "Loop failures; a failed loop is restarted.",
    kind=("Scheduler", "DeadLetterReconciler"),
)
LEADER = _gauge(
    CONTROLLERS,
    "questbell_leader",
    "Whether this replica is the leader, which writes the status of the custom resources.",
)

# What the database and the broker hold. Every controllers replica queries them, so all export the same values.

PENDING = _gauge(
    CONTROLLERS, "questbell_pending_rows", "Rows without an outcome, counted up to 10001.", dynamic=("source",)
)
DUE = _gauge(
    CONTROLLERS,
    "questbell_due_rows",
    "Rows that a scheduler loop should publish now, counted up to 10001.",
    dynamic=("source",),
)
OVERDUE = _gauge(
    CONTROLLERS,
    "questbell_overdue_rows",
    "Rows past their due time without an outcome, counted up to 10001.",
    dynamic=("source",),
)
OLDEST_OVERDUE_AGE = _gauge(
    CONTROLLERS,
    "questbell_oldest_overdue_age_seconds",
    "Age of the oldest overdue row, from its due time; 0 if there is none.",
    dynamic=("source",),
)
RETRIED = _gauge(
    CONTROLLERS,
    "questbell_retried_rows",
    "Overdue rows with at least one unsuccessful attempt, counted up to 10001.",
    dynamic=("source",),
)
OLDEST_RETRIED_AGE = _gauge(
    CONTROLLERS,
    "questbell_oldest_retried_age_seconds",
    "Age of the oldest overdue row with an unsuccessful attempt; 0 if there is none.",
    dynamic=("source",),
)
DEAD_LETTERS = _gauge(CONTROLLERS, "questbell_dead_letters", "Messages in a dead-letter queue.", dynamic=("queue",))
PARKED = _gauge(
    CONTROLLERS,
    "questbell_parked_messages",
    "Unreadable messages that await a decision by an administrator, counted up to 1001.",
    dynamic=("queue",),
)
ROW_GAUGES = (PENDING, DUE, OVERDUE, OLDEST_OVERDUE_AGE, RETRIED, OLDEST_RETRIED_AGE, PARKED)
"""Gauges read from the database."""

# What the bot does.

CONSUMER_ATTACHED = _gauge(BOT, "questbell_consumer_attached", "Whether the bot is consuming a queue.", queue=QUEUES)
GATEWAY_CLOSE_CODE = _gauge(
    BOT,
    "questbell_gateway_close_code",
    "The code with which Discord closed the gateway connection, until the next session; 0 if there is none.",
)
BOT_PROCESSES = _gauge(BOT, "questbell_bot_processes", "Processes that the bot has if none is missing.")
REQUEST_SHARE = _gauge(
    BOT, "questbell_request_share", "Requests a second that this process may make: its share of Discord's limit."
)
IN_FLIGHT = _gauge(
    BOT, "questbell_messages_in_flight", "Messages that the bot received and has not answered yet.", queue=QUEUES
)
CONSUMED = _counter(
    BOT,
    "questbell_consumed_total",
    "Messages the bot answered: ack once the row is settled or rescheduled, nack if the attempt failed.",
    queue=QUEUES,
    result=("ack", "nack"),
)
FAILED_ATTEMPTS = _counter(
    BOT, "questbell_failed_attempts_total", "Attempts of the bot that failed and will be retried.", source=SOURCES
)
SETTLE_ATTEMPTS = _histogram(
    BOT,
    "questbell_settle_attempts",
    "Attempts that a row took until it was settled.",
    _ATTEMPT_BUCKETS,
    source=SOURCES,
)
DELIVERY_LATENCY = _histogram(
    BOT,
    "questbell_delivery_latency_seconds",
    "Time from due to accepted by Discord, per recipient; for transitions, to the commit of the game's status.",
    _LATENCY_BUCKETS,
    kind=KINDS,
)
DELIVERIES = _counter(
    BOT,
    "questbell_deliveries_total",
    "Deliveries by final state: sent, failed permanently, or unknown, which is never sent again.",
    state=("sent", "failed", "unknown"),
)
DISCORD_REQUESTS = _counter(
    BOT,
    "questbell_discord_requests_total",
    "Requests to Discord for deliveries, by HTTP status; responses to commands and buttons are not counted.",
    call=CALLS,
    status=STATUSES,
)
DISCORD_REQUEST_DURATION = _histogram(
    BOT,
    "questbell_discord_request_duration_seconds",
    "Duration of delivery requests to Discord, with the wait to be sent, including those that timed out.",
    _REQUEST_BUCKETS,
    call=CALLS,
)
DISCORD_FAILING_CHANNELS = _gauge(
    BOT,
    "questbell_discord_failing_channels",
    "Channels and direct messages whose last request within 15 minutes got no answer or a rejection.",
)
RATE_LIMIT_WAIT = _histogram(
    BOT,
    "questbell_rate_limit_wait_seconds",
    "Time that deliveries waited for our own rate limits, which stay below Discord's.",
    _REQUEST_BUCKETS,
    limit=("channel", "edits", "requests", "sends"),
)


def count_settled(source: str, outcome: Outcome, *, attempts: int) -> None:
    """Count a row that the bot settled. Its attempt may not be committed yet, but it had at least one."""
    SETTLED.labels(source, outcome).inc()
    SETTLE_ATTEMPTS.labels(source).observe(max(1, attempts))


def register_metrics(workload: str, *, registry: CollectorRegistry = REGISTRY) -> None:
    """Export a workload's metrics, with counters at zero. Call once per process."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series, and nothing reads them
    for metric, initial_labels in _registered[workload]:
        registry.register(metric)
        for values in itertools.product(*initial_labels.values()) if initial_labels else ():
            metric.labels(*values)
    BUILD_INFO.labels(importlib.metadata.version("questbell"), workload).set(1)


def metrics_for(workload: str) -> list[Metric]:
    """Return a workload's metrics."""
    return [metric for metric, _ in _registered[workload]]
