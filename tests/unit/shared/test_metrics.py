"""What Prometheus reads from a process: the right names, from the start, and nothing that it cannot know."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from controllers.loops.sources import SOURCES
from controllers.resources.models import KINDS
from shared import metrics
from shared.messaging import topology
from shared.messaging.publisher import PublishResult
from shared.metrics import Metric
from shared.models import DeliveryState, Outcome
from shared.schedule.settle import source_of

ALL = {metric.describe()[0].name: metric for workload in metrics.BOTH for metric in metrics.metrics_for(workload)}
BASE_UNITS = ("_seconds", "_bytes", "_ratio")
NOT_BASE_UNITS = ("milliseconds", "_ms", "minutes", "hours", "kilobytes", "percent")


def exposed(workload: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    metrics.register_metrics(workload, registry=registry)
    return registry


def families(registry: CollectorRegistry) -> set[str]:
    return {family.name for family in registry.collect()}


@pytest.mark.parametrize("name", ALL)
def test_names_keep_to_the_conventions_of_prometheus(name: str) -> None:
    assert re.fullmatch(r"questbell(_[a-z]+)+", name)
    assert not any(unit in name for unit in NOT_BASE_UNITS)
    assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))
    metric = ALL[name]
    if isinstance(metric, Histogram):
        assert name.endswith(BASE_UNITS) or name == "questbell_settle_attempts"


@pytest.mark.parametrize("metric", ALL.values(), ids=ALL)
def test_every_metric_is_described_in_one_sentence(metric: Metric) -> None:
    meaning = metric.describe()[0].documentation
    assert re.fullmatch(r"[A-Z1].{15,140}\.", meaning)


def test_no_label_can_hold_an_id() -> None:
    labels = {label for metric in ALL.values() for label in metric._labelnames}
    assert labels == {
        *("call", "connection", "dependency", "kind", "limit", "loop", "outcome", "queue"),
        *("result", "source", "state", "status", "version", "workload"),
    }


def test_a_workload_exports_only_its_own_metrics() -> None:
    controllers, bot = families(exposed("controllers")), families(exposed("bot"))
    assert {"questbell_dead_letters", "questbell_publishes", "questbell_loop_wait_seconds"} <= controllers - bot
    assert {"questbell_consumer_attached", "questbell_discord_requests"} <= bot - controllers
    assert {"questbell_build_info", "questbell_settled", "questbell_database_connections"} <= controllers & bot


@pytest.mark.parametrize("workload", metrics.BOTH)
def test_every_counter_and_histogram_exists_from_the_start(workload: str) -> None:
    shown = {sample.name for family in exposed(workload).collect() for sample in family.samples}
    for metric in metrics.metrics_for(workload):
        name = metric.describe()[0].name
        match metric:
            case Counter():
                assert f"{name}_total" in shown
            case Histogram():
                assert f"{name}_count" in shown


def test_every_result_outcome_and_state_is_zero_at_the_start() -> None:
    text = generate_latest(exposed("controllers")).decode() + generate_latest(exposed("bot")).decode()
    for result in PublishResult:
        assert f'questbell_publishes_total{{result="{result.value}",source="Notifications"}}' in text
    for outcome in Outcome:
        assert f'questbell_settled_total{{outcome="{outcome}",source="StatusTransitions"}}' in text
    for state in (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.UNKNOWN):
        assert f'questbell_deliveries_total{{state="{state}"}}' in text


def test_collected_gauges_are_not_exported_before_the_first_collection() -> None:
    for gauge in (*metrics.ROW_GAUGES, metrics.DEAD_LETTERS):
        assert isinstance(gauge, Gauge)
        registry = CollectorRegistry()
        registry.register(gauge)
        gauge.clear()
        assert [sample for family in registry.collect() for sample in family.samples] == []
    assert "questbell_dead_letters{" not in generate_latest(exposed("controllers")).decode()


def test_a_settled_row_took_at_least_one_attempt() -> None:
    registry, labels = exposed("bot"), {"source": "StatusTransitions"}
    before = registry.get_sample_value("questbell_settle_attempts_sum", labels) or 0
    metrics.count_settled("StatusTransitions", Outcome.APPLIED, attempts=0)
    metrics.count_settled("StatusTransitions", Outcome.APPLIED, attempts=3)
    assert registry.get_sample_value("questbell_settle_attempts_sum", labels) == before + 4


def test_the_release_is_exported() -> None:
    labels = {"version": version("questbell"), "workload": "bot"}
    assert exposed("bot").get_sample_value("questbell_build_info", labels) == 1


def test_creation_times_do_not_double_the_series() -> None:
    assert "_created" not in generate_latest(exposed("controllers")).decode()


def test_label_values_are_the_names_used_elsewhere() -> None:
    exposed("controllers")  # creates the labels
    assert set(metrics.SOURCES) == set(SOURCES) == {source_of(source.table) for source in SOURCES.values()}
    assert set(metrics.QUEUES) == {queue.name for queue in topology.QUEUES}
    assert set(metrics.DEAD_LETTER_QUEUES) == set(topology.DEAD_LETTER_QUEUES)
    kinds = {labels[0] for labels in metrics.LOOP_FAILURES._metrics}
    assert kinds == {kind.name for kind in KINDS}
