"""Generates docs/discord-errors.md from the error table: `python -m tests.unit.shared.discord.reference`.

A test fails if the page is out of date.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from shared.discord.errors import ERROR_INFO, Handling

PAGE = Path(__file__).parents[4] / "docs" / "discord-errors.md"
_HEAD = """# Discord's errors

This page is generated from [`shared/discord/errors.py`](../shared/discord/errors.py). It lists what
Questbell does after each of
[Discord's error codes](https://docs.discord.com/developers/topics/opcodes-and-status-codes#json).

After a 5xx status, 408 or no response, the message may have been sent. It is sent again with the
same nonce, or searched for. A 4xx status without a code does not come from Discord's API and is
retried. An unknown code of a 403 waits like a missing permission, and any other unknown code is
final. A direct message that is rejected becomes a mention in the channel.
"""
_TITLES = {Handling.RETRY: "Retried", Handling.WAIT: "Waits for a person", Handling.GIVE_UP: "Final"}


def page() -> str:
    """Return the page as it must be."""
    return "\n".join([_HEAD, *(_section(handling) for handling in Handling)])


def _section(handling: Handling) -> str:
    effect = textwrap.fill(f"{handling.value[0].upper()}{handling.value[1:]}.", width=100)
    lines = [f"## {_TITLES[handling]}", "", effect, ""]
    lines += ["| code | meaning | what is tried first |", "| -- | -- | -- |"]
    for code, info in sorted(ERROR_INFO.items()):
        if info.handling is handling:
            lines.append(f"| {code} | {info.advice} | {info.special} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
