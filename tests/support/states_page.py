"""docs/states.md, made from the transitions: `python -m tests.support.states_page` writes it."""

from __future__ import annotations

import sys
from pathlib import Path

import mdformat

from tests.support.transitions import (
    DELIVERIES,
    GAMES,
    NONE,
    NOTIFICATIONS,
    OUTCOME,
    SERIES,
    STATUSES,
    TRANSITIONS,
    Transition,
)

PAGE = Path(__file__).parents[2] / "docs" / "states.md"
_FORMAT = {"wrap": 100, "number": True, "plugin": {"tables": {"compact_tables": True}}}
"""As in .mdformat.toml."""
_TITLE = "States and transitions"
_OPENING = """
This page lists every change that the product makes to its five tables with a state. The tests install a trigger that
refuses any other change, so the page is complete. It is made from `tests/support/transitions.py` by
`python -m tests.support.states_page`; do not edit it by hand.

In the diagrams, an arrow from or to the dot means that the row is created or deleted. Changes that leave the state as
it is are only in the tables.
"""
_SECTIONS = {
    NOTIFICATIONS: (
        "Notifications",
        """
One row for each reminder, personal reminder, announcement, cancellation, new time, promotion, end of an offer,
drop-out, warning, nudge and question about a minimum of players. A row is open until it has an outcome, and
`attempt_at` is the time of its next attempt. `attempts` counts the publishes, and `failed_attempt` is the latest
attempt whose failure was recorded. The first process to settle a row wins.
""",
    ),
    STATUSES: (
        "Status transitions of games",
        """
One row for each status that a game takes at a time. The columns mean the same as those of a notification.
""",
    ),
    DELIVERIES: (
        "Deliveries",
        """
The delivery ledger: one row for each recipient of a notification. `attempts` also fences the lease: a result counts
only for the attempt that the row has, except that Discord accepted the message. `first_sending_at` is when the first
attempt began whose result is not known; until it is older than the nonce window, Discord recognises a repeated request.
""",
    ),
    GAMES: (
        "Games",
        """
`version` rises when a game is moved or cancelled: rows of an older version are superseded. `revision` rises with every
change that the announcement shows. A status transition only ever moves a game forward.
A game of a series has `series_id` and `occurrence`, the local time that the rule gave it, which are unique together.
""",
    ),
    SERIES: (
        "Series",
        """
The games that an active series has open follow from its rule and `planned_until`, the latest occurrence that was made
or missed. They are made in the transaction that completes or cancels a game of the series, under the lock of its row.
The dates without a game are in `series_exception`, as `skipped` or `missed`.
""",
    ),
}


def render() -> str:
    """Return the page."""
    sections = [_section(table, title, words) for table, (title, words) in _SECTIONS.items()]
    page = "\n".join([f"# {_TITLE}\n", _OPENING, *sections])
    return mdformat.text(page, options=_FORMAT, extensions={"gfm", "tables"})


def _section(table: str, title: str, words: str) -> str:
    transitions = [transition for transition in TRANSITIONS if transition.table == table]
    return "\n".join(
        [
            f"## {title}\n",
            f"Table `{table}`. {words.strip()}\n",
            _diagram(transitions),
            "| transition | from | to | by | meaning | changes |",
            "|---|---|---|---|---|---|",
            *(_line(transition) for transition in transitions),
            "",
        ]
    )


def _diagram(transitions: list[Transition]) -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for transition in transitions:
        for before in transition.before:
            if transition.after and before != transition.after:
                arrows.setdefault((_node(before), _node(transition.after)), []).append(transition.name)
    lines = [f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def _node(state: str) -> str:
    return "[*]" if state == NONE else state


def _line(transition: Transition) -> str:
    before = ", ".join(f"`{state}`" for state in transition.before)
    after = f"`{transition.after}`" if transition.after else "unchanged"
    settles = set(OUTCOME) <= set(transition.columns)
    shown = [name for name in transition.columns if not (settles and name in OUTCOME)]
    columns = ", ".join(
        [*(name if " " in name else f"`{name}`" for name in shown), *(["the outcome"] if settles else [])]
    )
    return f"| {transition.name} | {before} | {after} | {transition.by} | {transition.meaning} | {columns} |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
