"""The table for people and the JSON with all plans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.growth.measure import Grown, Times, ratio

TARGET = 1.3
"""How many times as long a function may take in the largest database as in the smallest."""


def as_json(grown: Sequence[Grown]) -> dict[str, Any]:
    """Return every figure."""
    smallest = grown[0]
    return {
        "target": TARGET,
        "databases": [{**asdict(it.size), "rows": dict(it.rows), "bytes": it.bytes} for it in grown],
        "work": {name: [_figures(it.times[name], smallest.times[name]) for it in grown] for name in smallest.times},
        "missed": missed(grown),
    }


def _figures(times: Times, smallest: Times) -> dict[str, Any]:
    return {
        "first_ms": _spread(times.first),
        "again_ms": _spread(times.again),
        "called_ms": _spread(times.called),
        "ratio": round(ratio(times.again, smallest.again), 2),
        "ratio_called": round(ratio(times.called, smallest.called), 2),
        "blocks": times.blocks,
        "plans": [asdict(plan) for plan in times.plans],
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": round(min(values), 3), "median": round(median(values), 3), "max": round(max(values), 3)}


def missed(grown: Sequence[Grown]) -> list[str]:
    """Return what misses its target."""
    smallest, largest = grown[0], grown[-1]
    slow = [
        f"{name}: {found:.2f} times as long"
        for name, times in largest.times.items()
        if (found := ratio(times.again, smallest.times[name].again)) > TARGET
    ]
    scans = [f"{name}: reads all of {table} at {it.size.pending:,}" for it in grown for name, table in it.scanned()]
    return slow + scans


def write(path: Path, grown: Sequence[Grown]) -> None:
    """Write the JSON file."""
    path.write_text(json.dumps(as_json(grown), indent=2) + "\n")


def show(console: Console, grown: Sequence[Grown]) -> None:
    """Print the table, and what misses its target."""
    smallest, *larger = grown
    columns = [f"{it.size.pending:,} / {it.size.settled:,}" for it in grown]
    table = Table("pending / settled", *columns, "for callers", "outside the cache", "blocks", title="Growth")
    for name, times in smallest.times.items():
        ratios = [f"{ratio(it.times[name].again, times.again):.2f}" for it in larger]
        called = f"{min(times.called):.1f} ms, {ratio(grown[-1].times[name].called, times.called):.2f}"
        cold = " → ".join(f"{min(it.times[name].first):.2f}" for it in grown)
        blocks = " → ".join(f"{it.times[name].blocks:,}" for it in grown)
        table.add_row(name, f"{min(times.again):.2f} ms", *ratios, called, f"{cold} ms", blocks)
    console.print(table)
    for it in grown:
        rows = ", ".join(f"{table} {count:,}" for table, count in it.rows.items())
        console.print(f"{it.bytes / 2**30:.1f} GiB: {rows}", highlight=False, soft_wrap=True)
    for line in missed(grown):
        console.print(f"[red]missed[/] {line}", highlight=False, soft_wrap=True)
