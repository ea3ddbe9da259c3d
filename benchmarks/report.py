"""The table for people and the JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peers.catalog import shown
from benchmarks.peers.measure import PeerBurst
from benchmarks.plan import BURST_PER_SECOND, CONSUME_RATIO, DISPATCH_RATIO, ROUND
from benchmarks.rounds import Stage
from benchmarks.run import Result
from sandbox.percentiles import PLACES, percentile

CAVEAT = (
    "Discord is a stand-in inside the bot's process that responds at once, and the bot's limit of requests per second "
    "is off: the real Discord allows a bot 50 requests/s."
)
SHOWN_FUNCTIONS = 8


def as_json(result: Result) -> dict[str, Any]:
    """Return every figure."""
    rounds = result.rounds
    return {
        "caveat": CAVEAT,
        "burst": {
            "questbell": _burst(result),
            **{burst.peer.name: _peer(burst) for burst in result.peers},
        },
        **_ratio_to_peers(result),
        "ratios": {
            "dispatch": _ratio(DISPATCH_RATIO, [(measured.dispatch, measured.bare_publish) for measured in rounds]),
            "consume": _ratio(CONSUME_RATIO, [(measured.consume, measured.bare_consume) for measured in rounds]),
            "rounds": len(rounds),
            "messages_per_round": ROUND,
        },
        "settings": {"batch_size": result.plan.batch_size, "prefetch": result.plan.prefetch},
        "machine": result.machine,
        "profile": result.profile,
    }


def _burst(result: Result) -> dict[str, Any]:
    seen = result.burst
    return {
        "rows": result.plan.rows,
        "pending": result.plan.pending,
        "seconds": round(seen.seconds, 3),
        "per_second": round(result.plan.rows / seen.seconds),
        "target_per_second": BURST_PER_SECOND,
        "delivered_exactly_once": len(seen.settled),
        **_lateness(seen.settled),
        "published": _lateness(seen.published),
        "broker_answers": seen.answers,
        "cpu_seconds": {name: round(seconds, 2) for name, seconds in seen.cpu_seconds.items()},
        "machine_busy": round(seen.busy, 2),
    }


def _peer(burst: PeerBurst) -> dict[str, Any]:
    return {
        "rows": len(burst.settled),
        "seconds": round(burst.seconds, 3),
        "per_second": round(burst.per_second),
        "delivered_again": burst.doubles,
        **_lateness(burst.settled),
        "settings": dict(burst.settings),
        "settings_tried": burst.tried,
        "versions": burst.peer.versions(),
    }


def _ratio_to_peers(result: Result) -> dict[str, Any]:
    """Return Questbell's rate as a multiple of the fastest peer's; nothing if no peer was measured."""
    if not result.peers:
        return {}
    fastest = max(result.peers, key=lambda burst: burst.per_second)
    ratio = result.plan.rows / result.burst.seconds / fastest.per_second
    return {"fastest_peer": fastest.peer.name, "ratio_to_fastest_peer": round(ratio, 3)}


def _ratio(target: float, pairs: Sequence[tuple[Stage, Stage]]) -> dict[str, Any]:
    """Return the median of the pairs' ratios, not the ratio of medians: a pair is measured within seconds."""
    return {
        "target": target,
        **_spread([ours.per_second / bare.per_second for ours, bare in pairs]),
        "per_second": _spread([ours.per_second for ours, _ in pairs], digits=0),
        "bare_per_second": _spread([bare.per_second for _, bare in pairs], digits=0),
        "cpu_us": _spread([ours.cpu_us for ours, _ in pairs], digits=0),
        "bare_cpu_us": _spread([bare.cpu_us for _, bare in pairs], digits=0),
    }


def _lateness(ordered: Sequence[timedelta]) -> dict[str, float]:
    return {f"lateness_{name}_ms": _milliseconds(percentile(ordered, place)) for name, place in PLACES.items()}


def _milliseconds(span: timedelta) -> float:
    return round(span / timedelta(milliseconds=1), 1)


def _spread(values: Sequence[float], *, digits: int = 3) -> dict[str, float]:
    return {
        "median": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def write(path: Path, result: Result) -> None:
    """Write the JSON file."""
    path.write_text(json.dumps(as_json(result), indent=2) + "\n")


def show(console: Console, result: Result) -> None:
    """Print the tables."""
    figures = as_json(result)
    console.print(_reached(figures))
    if result.peers:
        console.print(_beside_peers(figures))
    for name, profile in figures["profile"].items():
        console.print(f"\n[bold]{name}[/]: {_costs(profile)}", highlight=False, soft_wrap=True)
        console.print(_profile(profile))
    console.print(_circumstances(figures), highlight=False, soft_wrap=True)


def _circumstances(figures: dict[str, Any]) -> str:
    machine, settings = figures["machine"], figures["settings"]
    said = [
        f"{machine['cores']} cores ({machine['cpu']}), load {machine['load_before']} before.",
        f"Python {machine['python']}, PostgreSQL {machine['postgres']}, RabbitMQ {machine['rabbitmq']}.",
        ", ".join(f"{name} {value}" for name, value in machine["postgres_settings"].items()) + ".",
        f"batchSize {settings['batch_size']}, prefetch {settings['prefetch']}.",
        CAVEAT,
    ]
    return " ".join(said)


def _reached(figures: dict[str, Any]) -> Table:
    table = Table("", "reached", "", "target", title="Questbell's benchmarks")
    seen = figures["burst"]["questbell"]
    table.add_row(
        f"burst: {seen['rows']:,} due at once, {seen['pending']:,} pending",
        f"{seen['per_second']:,}/s",
        f"{seen['seconds']} s, each delivered exactly once",
        f"{seen['target_per_second']:,.0f}/s",
    )
    for name, late in (("due → settled", seen), ("due → published", seen["published"])):
        p50, p99, most = (late[f"lateness_{place}_ms"] for place in ("p50", "p99", "max"))
        table.add_row(f"  {name}", f"p50 {p50:,.0f} ms", f"p99 {p99:,.0f}, max {most:,.0f} ms")
    each = {name: spent / seen["rows"] * 1_000_000 for name, spent in seen["cpu_seconds"].items()}
    spent = ", ".join(f"{name} {us:,.0f} µs" for name, us in each.items())
    table.add_row("  processor time a message", spent, f"all cores {seen['machine_busy']:.0%} busy")
    for name, bare in (("dispatch", "confirmed publish"), ("consume", "consume and ACK")):
        ratio = figures["ratios"][name]
        spread = f"{ratio['min']:.2f} to {ratio['max']:.2f} in {figures['ratios']['rounds']} rounds"
        table.add_row(f"{name}, of a bare {bare}", f"{ratio['median']:.2f}", spread, f"{ratio['target']}")
        rates = f"{ratio['per_second']['median']:,.0f} of {ratio['bare_per_second']['median']:,.0f}/s"
        costs = f"{ratio['cpu_us']['median']:,.0f} of {ratio['bare_cpu_us']['median']:,.0f} µs"
        table.add_row("  medians; processor time a message", rates, costs)
    return table


def _beside_peers(figures: dict[str, Any]) -> Table:
    ratio = f"{figures['ratio_to_fastest_peer']:.2f} of the fastest, {figures['fastest_peer']}"
    table = Table("", "rate", "p50", "p99", "again", "settings", title=f"Beside its peers: {ratio}")
    for name, seen in figures["burst"].items():
        p50, p99 = (f"{seen[f'lateness_{place}_ms']:,.0f} ms" for place in ("p50", "p99"))
        again = str(seen.get("delivered_again", 0))
        table.add_row(name, f"{seen['per_second']:,}/s", p50, p99, again, shown(seen.get("settings", {})))
    return table


def _costs(profile: dict[str, Any]) -> str:
    each = profile["cpu_seconds"] / profile["messages"] * 1_000_000
    asked = ", ".join(f"{count / profile['messages']:.2f} {what}" for what, count in profile["database"].items())
    return f"{each:,.0f} µs of processor time a message; at the database {asked} a message"


def _profile(profile: dict[str, Any]) -> Table:
    table = Table("layer", "share", "", "for which of our functions", "share")
    layers, functions = list(profile["layers"].items()), list(profile["functions"].items())[:SHOWN_FUNCTIONS]
    for number in range(max(len(layers), len(functions))):
        table.add_row(*_cells(layers, number, profile["samples"]), "", *_cells(functions, number, profile["samples"]))
    return table


def _cells(counts: Sequence[tuple[str, int]], number: int, total: int) -> tuple[str, str]:
    if number >= len(counts):
        return "", ""
    name, count = counts[number]
    return name, f"{count / total:.0%}"
