"""Prints a command's result as one JSON document or as tables.

Messages and titles are untrusted, so rich's markup is never read from them and control characters are escaped.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

R = TypeVar("R")

_PIPE_WIDTH = 160
"""Columns of a table outside a terminal. Other lines are not wrapped then, for grep."""
_REPORT: TypeAdapter[Any] = TypeAdapter(Any)


def show(report: R, render: Callable[[R], Iterable[RenderableType]], *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        sys.stdout.write(_REPORT.dump_json(report, indent=2, ensure_ascii=True).decode() + "\n")
        return
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    for part in render(report):
        console.print(part, soft_wrap=isinstance(part, Text) and not console.is_terminal)


def escape_controls(text: object, *, limit: int | None = None) -> str:
    """Return text with escaped control characters, cut to `limit` characters."""
    escaped = "".join(_escape(char) for char in str(text))
    return escaped if limit is None or len(escaped) <= limit else escaped[: limit - 1] + "…"


def safe_text(text: object, style: str = "") -> Text:
    """Return text with escaped control characters."""
    return Text(escape_controls(text), style=style)


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def cells(*values: object) -> list[Text]:
    """Return a table row."""
    return [safe_text("" if value is None else value) for value in values]


def _escape(char: str) -> str:
    if char in "\n\t":
        return char
    return char if unicodedata.category(char) not in {"Cc", "Cf", "Cs"} else char.encode("unicode_escape").decode()
