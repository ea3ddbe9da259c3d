"""Reads the alerts, the dashboard, the documentation and the log actions in the code, for tests that compare them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "charts/questbell/alerts/questbell.yaml"
DASHBOARD = ROOT / "charts/questbell/dashboards/questbell.json"
RUNBOOK = ROOT / "docs/runbook.md"
OBSERVABILITY = ROOT / "docs/observability.md"
RULE_TESTS = Path(__file__).parent / "rules"
NAMESPACE = "games"


@dataclass(frozen=True)
class Alert:
    name: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


def rules() -> str:
    """Return the rules for a release in the namespace."""
    return ALERTS.read_text().replace("$namespace", NAMESPACE)


def alerts() -> list[Alert]:
    groups = yaml.safe_load(rules())["groups"]
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for group in groups
        for rule in group["rules"]
    ]


def panels() -> list[dict[str, Any]]:
    """Return all panels except rows."""
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression of the alerts and the dashboard, with the name of the alert or panel."""
    yield from ((alert.name, alert.expr) for alert in alerts())
    for panel in panels():
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def series_in(expr: str) -> set[str]:
    """Return the series that an expression reads."""
    return set(re.findall(r"\b(?:questbell|process)_[a-z_]+|\bALERTS\b", expr))


def sections(page: Path) -> dict[str, str]:
    """Return the second-level sections of a page, by title."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(text: str) -> list[tuple[str, ...]]:
    """Return the rows of all tables in a text."""
    return [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if line.startswith("|")
    ]


def actions() -> set[str]:
    """Return every `action` that a workload or `questbell migrate` logs, from the code."""
    packages = ("bot", "controllers", "migrations", "shared")
    modules = [module for package in packages for module in (ROOT / package).rglob("*.py")]
    keywords = (
        keyword
        for module in modules
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "action"
    )
    found = {part.value for keyword in keywords for part in ast.walk(keyword.value) if isinstance(part, ast.Constant)}
    return {value for value in found if isinstance(value, str)}
