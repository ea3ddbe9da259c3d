"""Metrics, alerts, dashboard, runbook and documentation agree with each other."""

from __future__ import annotations

import re

import yaml
from prometheus_client import Counter, Gauge, Histogram

from shared import metrics
from shared.metrics import Metric
from tests.monitoring import documents

ALL: dict[str, Metric] = {
    metric.describe()[0].name: metric for workload in metrics.BOTH for metric in metrics.metrics_for(workload)
}
OF_THE_PROCESS = {
    "process_start_time_seconds",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "ALERTS",
}


def series_of(name: str, metric: Metric) -> set[str]:
    match metric:
        case Counter():
            return {f"{name}_total"}
        case Histogram():
            return {f"{name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
        case _:
            return {name}


SERIES = {series: metric for name, metric in ALL.items() for series in series_of(name, metric)}


def test_alerts_and_dashboard_use_only_exported_metrics() -> None:
    read = {series for _, expr in documents.expressions() for series in documents.series_in(expr)}
    assert read - OF_THE_PROCESS - SERIES.keys() == set()


def test_the_dashboard_shows_every_metric() -> None:
    shown = {
        series for panel in documents.panels() for t in panel["targets"] for series in documents.series_in(t["expr"])
    }
    assert [name for name, metric in ALL.items() if not series_of(name, metric) & shown] == []


def test_expressions_use_only_labels_of_the_metric() -> None:
    of_scraping = {"namespace", "pod", "le"}
    for where, expr in documents.expressions():
        for series, matchers in re.findall(r"(questbell_[a-z_]+)\{([^}]*)\}", expr):
            asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - of_scraping
            assert asked <= set(SERIES[series]._labelnames), f"{where}: {series}"


def test_gauges_that_all_replicas_export_are_never_summed() -> None:
    alike = {metric.describe()[0].name for metric in (*metrics.ROW_GAUGES, metrics.DEAD_LETTERS)}
    for where, expr in documents.expressions():
        flat = " ".join(expr.split())
        for series in documents.series_in(flat) & alike:
            uses = len(re.findall(rf"\b{series}\b", flat))
            bounded = len(re.findall(rf"(?:max|min)(?: by \([a-z, ]+\))? ?\({series}\b", flat))
            asked_for_its_absence = len(re.findall(rf"unless on \(namespace\) {series}\b", flat))
            assert uses == bounded + asked_for_its_absence, f"{where}: {series}"


def test_every_expression_selects_one_namespace() -> None:
    for where, expr in documents.expressions():
        reads = re.findall(r"\b(?:(?:questbell|process)_[a-z_]+|ALERTS)\b", expr)
        kept = re.findall(rf'\{{namespace="(?:{documents.NAMESPACE}|\$namespace)"', expr)
        assert len(reads) == len(kept), where


def test_every_alert_has_a_summary_a_description_and_a_runbook_link() -> None:
    for alert in documents.alerts():
        assert alert.labels["severity"] in {"critical", "warning"}, alert.name
        assert alert.annotations["summary"].endswith("."), alert.name
        assert alert.annotations["description"].endswith("."), alert.name
        assert alert.annotations["runbook_url"].endswith(f"/docs/runbook.md#{alert.name.lower()}"), alert.name


def test_alerts_and_runbook_sections_match() -> None:
    titles = [title for title in documents.sections(documents.RUNBOOK) if title.startswith("Questbell")]
    assert titles == [alert.name for alert in documents.alerts()]


def test_every_runbook_section_has_meaning_diagnosis_and_mitigation() -> None:
    for title, text in documents.sections(documents.RUNBOOK).items():
        if title.startswith("Questbell"):
            labels = re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE)
            assert labels == ["Meaning.", "Diagnosis.", "Mitigation."], title


def test_the_runbook_uses_only_exported_metrics() -> None:
    read = documents.series_in(documents.RUNBOOK.read_text())
    assert read - OF_THE_PROCESS - SERIES.keys() - ALL.keys() == set()


def test_the_runbook_searches_only_for_existing_log_actions() -> None:
    searched = re.findall(r'"action": "(\w+)"', documents.RUNBOOK.read_text())
    assert set(searched) - documents.actions() == set()


def test_every_alert_is_tested_firing_and_silent() -> None:
    fires, silent = set(), set()
    for page in documents.RULE_TESTS.glob("*.yaml"):
        for case in yaml.safe_load(page.read_text())["tests"]:
            [asked] = case["promql_expr_test"]
            [name] = re.findall(r'alertname="(\w+)"', asked["expr"])
            (fires if asked["exp_samples"] else silent).add(name)
    names = {alert.name for alert in documents.alerts()}
    assert (names - fires, names - silent) == (set(), set())


def test_panels_have_a_title_a_description_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in documents.panels():
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_table_of_metrics_is_up_to_date() -> None:
    described = documents.sections(documents.OBSERVABILITY)["Metrics"]
    rows = [row for row in documents.rows(described) if row[0].startswith("`questbell_")]
    assert sorted(row[:5] for row in rows) == sorted(_row(name, metric) for name, metric in ALL.items())
    alike = {f"`{metric.describe()[0].name}`" for metric in (*metrics.ROW_GAUGES, metrics.DEAD_LETTERS)}
    assert {row[0] for row in rows if row[5] == "`max`"} >= alike


def test_the_tables_of_log_actions_are_complete() -> None:
    described = documents.sections(documents.OBSERVABILITY)["Log lines"]
    listed = [row[0].strip("`") for row in documents.rows(described) if row[0].startswith("`") and row[0] != "`action`"]
    assert sorted(listed) == sorted(documents.actions())


def _row(name: str, metric: Metric) -> tuple[str, str, str, str, str]:
    kind = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}[type(metric)]
    shown = min(series_of(name, metric), key=len) if isinstance(metric, Counter) else name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    workloads = [workload for workload in metrics.BOTH if metric in metrics.metrics_for(workload)]
    by = "both" if len(workloads) == 2 else workloads[0]
    return f"`{shown}`", kind, labels, by, metric.describe()[0].documentation
