"""`python -m benchmarks.peers.page`: the table and the chart of docs/performance.md, from bench.json.

So the page shows what one run measured, and nobody copies figures by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import click

from benchmarks.errors import BenchmarkError
from benchmarks.peers.catalog import shown

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "images" / "burst.svg"
BEGIN, END = "<!-- figures of the peers: begin -->", "<!-- figures of the peers: end -->"
QUESTBELL = "questbell"

_WIDTH, _LEFT, _RIGHT, _TOP, _STEP, _BAR = 760, 150, 110, 64, 36, 22


@click.command()
@click.argument("figures", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=Path("bench.json"))
def main(figures: Path) -> None:
    """Write the table and the chart from the FIGURES of `make bench ARGS=--peers`."""
    measured = json.loads(figures.read_text())
    if "ratio_to_fastest_peer" not in measured:
        raise click.ClickException(f"{figures} has no peers; run `make bench ARGS=--peers` first")
    PAGE.write_text(replace_block(PAGE.read_text(), render_block(measured)))
    CHART.write_text(draw_chart(measured))


def replace_block(page: str, block: str) -> str:
    """Return the page with the block between its two comments.

    Raises:
        BenchmarkError: the page does not have them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchmarkError(f"the page lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def render_block(measured: Mapping[str, Any]) -> str:
    """Return the chart's reference, the machine and the table, as Markdown that needs no wrapping."""
    machine = measured["machine"]
    lines = [
        "![Reminders per second of Questbell and its peers](images/burst.svg)",
        "",
        f"- {machine['cores']} cores: {machine['cpu']}, load {machine['load_before']} before the run",
        f"- Python {machine['python']}, PostgreSQL {machine['postgres']}, RabbitMQ {machine['rabbitmq']}",
        f"- Questbell's rate is {measured['ratio_to_fastest_peer']:.2f} of that of {measured['fastest_peer']}, "
        "the fastest peer.",
        "",
        "|  | rate | latency p50 | p99 | delivered again | settings | versions |",
        "| -- | -- | -- | -- | -- | -- | -- |",
    ]
    for name, seen in _by_rate(measured):
        p50, p99 = (f"{seen[f'lateness_{place}_ms'] / 1_000:.2f} s" for place in ("p50", "p99"))
        settings = shown(seen.get("settings", measured["settings"]))
        versions = ", ".join(f"{package} {version}" for package, version in seen.get("versions", {}).items())
        again = seen.get("delivered_again", 0)
        lines.append(
            f"| {_title(name)} | {seen['per_second']:,}/s | {p50} | {p99} | {again} | {settings} | {versions} |"
        )
    return "\n".join(lines)


def draw_chart(measured: Mapping[str, Any]) -> str:
    """Return the rates as an SVG of bars, the fastest first."""
    bars = _by_rate(measured)
    rows, cores = measured["burst"][QUESTBELL]["rows"], measured["machine"]["cores"]
    height = _TOP + _STEP * len(bars) + 12
    scale = (_WIDTH - _LEFT - _RIGHT) / max(seen["per_second"] for _, seen in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="Helvetica, Arial, sans-serif" font-size="14">',
        "  <title>Reminders per second of Questbell and its peers</title>",
        "  <style>",
        "    .peer { fill: #aeb6c6 }",
        "    .ours { fill: #5865f2 }",
        "    .name { fill: #1d2230; text-anchor: end }",
        "    .rate { fill: #1d2230 }",
        "    .what { fill: #4a5162; font-size: 12px }",
        "  </style>",
        f'  <rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'  <text class="rate" x="20" y="28" font-weight="bold">{rows:,} reminders due at one instant</text>',
        f'  <text class="what" x="20" y="48">committed outcomes per second, {cores} cores</text>',
    ]
    for number, (name, seen) in enumerate(bars):
        top, width = _TOP + _STEP * number, seen["per_second"] * scale
        kind, middle = "ours" if name == QUESTBELL else "peer", top + _BAR / 2 + 5
        lines += [
            f'  <text class="name" x="{_LEFT - 10}" y="{middle:g}">{escape(_title(name))}</text>',
            f'  <rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" rx="3"/>',
            f'  <text class="rate" x="{_LEFT + width + 8:.1f}" y="{middle:g}">{seen["per_second"]:,}/s</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])


def _by_rate(measured: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(measured["burst"].items(), key=lambda entry: entry[1]["per_second"], reverse=True)


def _title(name: str) -> str:
    return "Questbell" if name == QUESTBELL else name


if __name__ == "__main__":
    main()
