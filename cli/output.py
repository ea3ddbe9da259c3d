"""How a command answers: one JSON document for programs, or tables for people.

A command computes a report of plain values; only here is it decided how it looks. Titles, errors and message bodies
come from others, so rich's markup is never read from them and control characters are shown instead of obeyed: a body
must not move the cursor of who reads it.
"""

from __future__ import annotations

import enum
import json
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

R = TypeVar("R")

_PIPE_WIDTH = 160
"""Columns when the output is no terminal: ids stay on one line, where grep finds them."""


def show(report: R, draw: Callable[[R], RenderableType], *, as_json: bool) -> None:
    """Print a report on standard output: as one JSON document, or as it is drawn."""
    if as_json:
        sys.stdout.write(json.dumps(plain(report), indent=2) + "\n")
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    console.print(draw(report))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: times in ISO 8601 with their zone, durations in seconds, ids as text.

    Raises:
        TypeError: it holds something that JSON does not have.
    """
    match value:
        case enum.Enum():
            return value.value
        case None | str() | bool() | int() | float():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case timedelta():
            return value.total_seconds()
        case UUID():
            return str(value)
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _ if is_dataclass(value):
            return {part.name: plain(getattr(value, part.name)) for part in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")


def harmless(text: object, *, limit: int | None = None) -> str:
    """Return text in which control characters are written out, cut to a number of characters."""
    written = "".join(_written(char) for char in str(text))
    return written if limit is None or len(written) <= limit else written[: limit - 1] + "…"


def styled(text: object, style: str = "") -> Text:
    """Return text for a terminal, made harmless."""
    return Text(harmless(text), style=style)


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def cells(*values: object) -> list[Text]:
    """Return a table's row; None is an empty cell."""
    return [styled("" if value is None else value) for value in values]


def _written(char: str) -> str:
    if char in "\n\t":
        return char
    return char if unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else char.encode("unicode_escape").decode()
