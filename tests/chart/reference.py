"""The reference of values in docs/configure.md, made from the comments and defaults of values.yaml.

`python -m tests.chart.reference` writes it; a test compares. A generator of the Helm world would be one more program to
install for fifty lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.chart.helm import CHART

PAGE = CHART.parents[1] / "docs" / "configure.md"
BEGIN, END = "<!-- values: begin -->", "<!-- values: end -->"
_KEY = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]\w*):")


@dataclass(frozen=True)
class Value:
    """One key of values.yaml; a group has keys of its own, and needs no words."""

    path: str
    default: Any
    words: str
    is_group: bool


def values() -> list[Value]:
    """Return every key in the order of the file."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    everything = yaml.safe_load(text)
    return [_value(everything, path, words) for path, words in _keys(text.splitlines())]


def _value(everything: Any, path: str, words: str) -> Value:
    default = everything
    for key in path.split("."):
        default = default[key]
    is_group = isinstance(default, dict) and bool(default) and not path.endswith("resources")
    return Value(path, default, words, is_group)


def _keys(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each key's path with the comment that stands right above it."""
    path: list[str] = []
    words: list[str] = []
    for line in lines:
        found = _KEY.match(line)
        if line.lstrip().startswith("#"):
            words.append(line.lstrip(" #"))
            continue
        if found:
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            if "resources" not in path[:-1]:
                yield ".".join(path), " ".join(words)
        words = []


def table() -> str:
    """Return the reference as a Markdown table."""
    rows = [f"| `{value.path}` | {_shown(value.default)} | {value.words} |" for value in values() if not value.is_group]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows])


def _shown(default: Any) -> str:
    return "" if default == "" else f"`{json.dumps(default) if not isinstance(default, str) else default}`"


def page() -> str:
    """Return the page as it must be: what people wrote, with the table between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
