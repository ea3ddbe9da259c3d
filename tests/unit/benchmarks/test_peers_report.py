from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import report
from benchmarks.burst import Burst
from benchmarks.errors import BenchmarkError
from benchmarks.peers import page
from benchmarks.peers.catalog import PEERS, Peer
from benchmarks.peers.measure import PeerBurst
from benchmarks.plan import Plan
from benchmarks.rounds import Round, Stage
from benchmarks.run import Result

ROWS = 100
MACHINE = {
    "cores": 2,
    "cpu": "A & B",
    "load_before": 0.0,
    "python": "3.11.7",
    "postgres": "17.2",
    "rabbitmq": "4.0.5",
    "postgres_settings": {"fsync": "off"},
}


def settled_within(seconds: float) -> list[timedelta]:
    return [timedelta(seconds=seconds) * (number + 1) / ROWS for number in range(ROWS)]


@pytest.fixture(autouse=True)
def versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages of the peers are not installed for the tests."""
    monkeypatch.setattr(Peer, "versions", lambda peer: dict.fromkeys(peer.distributions, "1.0"))


@pytest.fixture
def alone() -> Result:
    stage = Stage(1.0, 0.5)
    questbell = Burst(settled_within(2.0), settled_within(1.0), {"confirmed": ROWS}, {"bot": 1.0}, 0.5)
    return Result(Plan(rows=ROWS), MACHINE, questbell, [Round(stage, stage, stage, stage)] * 3, {})


@pytest.fixture
def beside_peers(alone: Result) -> Result:
    celery, apscheduler = PEERS[0], next(peer for peer in PEERS if peer.name == "APScheduler")
    peers = [
        PeerBurst(celery, celery.tried[0], settled_within(1.0), doubles=3),
        PeerBurst(apscheduler, apscheduler.tried[0], settled_within(4.0), doubles=0),
    ]
    return Result(alone.plan, alone.machine, alone.burst, alone.rounds, alone.profile, peers)


@pytest.fixture
def measured(beside_peers: Result) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(json.dumps(report.as_json(beside_peers)))
    return figures


def test_questbell_and_each_peer_have_the_same_figures(measured: dict[str, Any]) -> None:
    rates = {name: seen["per_second"] for name, seen in measured["burst"].items()}
    assert rates == {"questbell": 50, "celery threads": 100, "APScheduler": 25}
    for seen in measured["burst"].values():
        assert seen["lateness_p50_ms"] < seen["lateness_p99_ms"] <= seen["lateness_max_ms"]
    assert measured["burst"]["celery threads"]["delivered_again"] == 3


def test_the_ratio_is_to_the_fastest_peer(measured: dict[str, Any]) -> None:
    assert (measured["fastest_peer"], measured["ratio_to_fastest_peer"]) == ("celery threads", 0.5)


def test_a_run_without_peers_has_no_ratio_to_them(alone: Result) -> None:
    figures = report.as_json(alone)
    assert list(figures["burst"]) == ["questbell"]
    assert "ratio_to_fastest_peer" not in figures


@pytest.mark.parametrize(("measured_by", "is_beside"), [("alone", False), ("beside_peers", True)])
def test_the_table_of_peers_is_printed_if_they_were_measured(
    request: pytest.FixtureRequest, measured_by: str, is_beside: bool
) -> None:
    printed = io.StringIO()
    report.show(Console(width=160, file=printed), request.getfixturevalue(measured_by))
    assert ("0.50 of the fastest, celery threads" in printed.getvalue()) is is_beside


def test_the_chart_has_a_bar_for_each_as_long_as_its_rate(measured: dict[str, Any]) -> None:
    chart = ElementTree.fromstring(page.draw_chart(measured))
    bars = [bar for bar in chart.iter("{http://www.w3.org/2000/svg}rect") if bar.get("class")]
    assert [bar.get("class") for bar in bars] == ["peer", "ours", "peer"]
    fastest, *rest = [float(bar.attrib["width"]) for bar in bars]
    assert [length / fastest for length in rest] == pytest.approx([0.5, 0.25], abs=0.001)


def test_the_page_gets_the_figures_between_its_comments(measured: dict[str, Any]) -> None:
    before = f"Before.\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nAfter.\n"
    after = page.replace_block(before, page.render_block(measured))
    assert after.startswith("Before.\n\n") and after.endswith("\n\nAfter.\n")
    assert "old" not in after
    assert "| celery threads | 100/s | 0.51 s | 1.00 s | 3 | pool threads, " in after
    assert page.replace_block(after, page.render_block(measured)) == after


def test_a_page_without_the_comments_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="lacks"):
        page.replace_block("A page.", "figures")


def test_the_page_of_the_docs_has_the_comments() -> None:
    page.replace_block(page.PAGE.read_text(encoding="utf-8"), "figures")


def test_each_peer_has_a_program_and_a_name_that_no_other_has() -> None:
    folder = Path(page.__file__).parent
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    assert all((folder / f"{peer.module}.py").exists() and peer.tried for peer in PEERS)
