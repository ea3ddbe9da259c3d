"""What the alerts, the dashboard, the runbook and the metrics say of each other."""

from __future__ import annotations

import re

import yaml
from prometheus_client import Counter, Gauge, Histogram

from shared import metrics
from shared.metrics import Metric
from tests.monitoring import written

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


def test_alerts_and_dashboard_read_only_what_is_shown() -> None:
    read = {series for _, expr in written.expressions() for series in written.series_in(expr)}
    assert read - OF_THE_PROCESS - SERIES.keys() == set()


def test_the_dashboard_shows_every_metric() -> None:
    shown = {series for panel in written.panels() for t in panel["targets"] for series in written.series_in(t["expr"])}
    assert [name for name, metric in ALL.items() if not series_of(name, metric) & shown] == []


def test_labels_in_expressions_are_labels_of_the_metric() -> None:
    of_scraping = {"namespace", "pod", "le"}
    for where, expr in written.expressions():
        for series, matchers in re.findall(r"(questbell_[a-z_]+)\{([^}]*)\}", expr):
            asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - of_scraping
            assert asked <= set(SERIES[series]._labelnames), f"{where}: {series}"


def test_what_all_replicas_show_alike_is_never_added_up_over_them() -> None:
    alike = {metric.describe()[0].name for metric in (*metrics.ROW_GAUGES, metrics.DEAD_LETTERS)}
    for where, expr in written.expressions():
        flat = " ".join(expr.split())
        for series in written.series_in(flat) & alike:
            uses = len(re.findall(rf"\b{series}\b", flat))
            bounded = len(re.findall(rf"(?:max|min)(?: by \([a-z, ]+\))? ?\({series}\b", flat))
            asked_for_its_absence = len(re.findall(rf"unless on \(namespace\) {series}\b", flat))
            assert uses == bounded + asked_for_its_absence, f"{where}: {series}"


def test_every_expression_keeps_to_one_namespace() -> None:
    for where, expr in written.expressions():
        reads = re.findall(r"\b(?:(?:questbell|process)_[a-z_]+|ALERTS)\b", expr)
        kept = re.findall(rf'\{{namespace="(?:{written.NAMESPACE}|\$namespace)"', expr)
        assert len(reads) == len(kept), where


def test_every_alert_says_what_is_wrong_and_where_to_read_on() -> None:
    for alert in written.alerts():
        assert alert.labels["severity"] in {"critical", "warning"}, alert.name
        assert alert.annotations["summary"].endswith("."), alert.name
        assert alert.annotations["description"].endswith("."), alert.name
        assert alert.annotations["runbook_url"].endswith(f"/docs/runbook.md#{alert.name.lower()}"), alert.name


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> None:
    titles = [title for title in written.sections(written.RUNBOOK) if title.startswith("Questbell")]
    assert titles == [alert.name for alert in written.alerts()]


def test_every_section_tells_what_it_means_what_to_look_at_and_what_to_do() -> None:
    for title, text in written.sections(written.RUNBOOK).items():
        if title.startswith("Questbell"):
            labels = re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE)
            assert labels == ["Meaning.", "Diagnosis.", "Mitigation."], title


def test_the_runbook_reads_only_what_is_shown() -> None:
    read = written.series_in(written.RUNBOOK.read_text())
    assert read - OF_THE_PROCESS - SERIES.keys() - ALL.keys() == set()


def test_every_alert_is_seen_to_fire_and_to_be_silent() -> None:
    fires, silent = set(), set()
    for page in written.RULE_TESTS.glob("*.yaml"):
        for case in yaml.safe_load(page.read_text())["tests"]:
            [asked] = case["promql_expr_test"]
            [name] = re.findall(r'alertname="(\w+)"', asked["expr"])
            (fires if asked["exp_samples"] else silent).add(name)
    names = {alert.name for alert in written.alerts()}
    assert (names - fires, names - silent) == (set(), set())


def test_panels_have_titles_explanations_and_places_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in written.panels():
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


def test_the_metrics_are_described_as_they_are() -> None:
    described = written.sections(written.OBSERVABILITY)["Metrics"]
    rows = [row for row in written.rows(described) if row[0].startswith("`questbell_")]
    assert sorted(row[:5] for row in rows) == sorted(_row(name, metric) for name, metric in ALL.items())
    alike = {f"`{metric.describe()[0].name}`" for metric in (*metrics.ROW_GAUGES, metrics.DEAD_LETTERS)}
    assert {row[0] for row in rows if row[5] == "`max`"} >= alike


def test_every_action_of_the_logs_is_described() -> None:
    described = written.sections(written.OBSERVABILITY)["Log lines"]
    listed = [row[0].strip("`") for row in written.rows(described) if row[0].startswith("`") and row[0] != "`action`"]
    assert sorted(listed) == sorted(written.actions())


def _row(name: str, metric: Metric) -> tuple[str, str, str, str, str]:
    kind = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}[type(metric)]
    shown = min(series_of(name, metric), key=len) if isinstance(metric, Counter) else name
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    workloads = [workload for workload in metrics.BOTH if metric in metrics.metrics_for(workload)]
    by = "both" if len(workloads) == 2 else workloads[0]
    return f"`{shown}`", kind, labels, by, metric.describe()[0].documentation
