"""Generates the table of values in docs/configure.md and the descriptions in values.schema.json from values.yaml.

`python -m tests.chart.reference` writes both. A test fails if they are out of date. helm-docs was rejected: it is
another program to install, for fifty lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.helm import CHART

PAGE = CHART.parents[1] / "docs" / "configure.md"
SCHEMA = CHART / "values.schema.json"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
POD_SETTINGS = {
    "resources",
    "priorityClassName",
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "annotations",
    "podAnnotations",
    "podLabels",
    "extraEnv",
    "envFrom",
    "extraVolumes",
    "extraVolumeMounts",
}
"""Every component has them, so the page lists them once, with the bot's comments."""
OF_KUBERNETES = {"resources", "podSecurityContext", "securityContext"}
"""Their keys are those of Kubernetes and need no comment."""
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):")


@dataclass(frozen=True)
class Value:
    """A key of values.yaml. A group has nested keys and needs no comment."""

    path: str
    default: Any
    comment: str
    is_group: bool

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def is_shared(self) -> bool:
        """Whether every component has it."""
        return self.name in POD_SETTINGS and self.path != "test.resources"


def values() -> list[Value]:
    """Return all keys in the order of the file."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    return [_value(defaults, path, comment) for path, comment in _keys(text.splitlines())]


def _value(defaults: Any, path: str, comment: str) -> Value:
    default = defaults
    for key in path.split("."):
        default = default[key]
    is_group = isinstance(default, dict) and bool(default) and path.rpartition(".")[2] not in OF_KUBERNETES
    return Value(path, default, comment, is_group)


def _keys(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each key's path with the comment directly above it."""
    path: list[str] = []
    comment: list[str] = []
    for line in lines:
        match = _KEY.match(line)
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip(" #"))
            continue
        if match:
            path = [*path[: len(match["indent"]) // 2], match["key"]]
            if not OF_KUBERNETES & {*path[:-1]}:
                yield ".".join(path), " ".join(comment)
        comment = []


def table() -> str:
    """Return the Markdown table of all values."""
    documented = [value for value in values() if not (value.is_group or value.is_shared)]
    rows = [f"| `{value.path}` | {_format(value.default)} | {value.comment} |" for value in documented]
    shared = [value for value in values() if value.is_shared and value.path.startswith("bot.")]
    rows += [f"| `*.{value.name}` |  | {value.comment} |" for value in shared]
    return "\n".join(["| value | default | description |", "| -- | -- | -- |", *rows])


def _format(default: Any) -> str:
    return "" if default == "" else f"`{json.dumps(default) if not isinstance(default, str) else default}`"


def page() -> str:
    """Return the page with an up-to-date table between the markers."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def schema() -> str:
    """Return the schema with the comments as descriptions, which editors show."""
    document = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for value in values():
        described = document
        for key in value.path.split("."):
            described = described["properties"][key]
        if value.comment:
            described["description"] = value.comment
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
