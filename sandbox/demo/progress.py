"""Progress for a person, on standard error, so that standard output stays free for results."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import datetime
from functools import partial

from rich.console import Console

from sandbox.discord.server import SandboxDiscord
from sandbox.discord.world.evidence import Accepted

_STATUS = re.compile(r"\*\*(Scheduled|In progress|Completed|Cancelled)\*\*")


class Progress:
    """Prints steps, and every message and edit that the sandbox Discord accepts from the bot."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._started = time.monotonic()
        self._status: dict[int, str] = {}

    def step(self, step: str, /) -> None:
        """Print a step and the time since the start."""
        self._console.print(f"[dim]{time.monotonic() - self._started:6.1f} s[/]  {step}", markup=True, soft_wrap=True)

    def print(self, text: str) -> None:
        """Print a line without a time."""
        self._console.print(text, soft_wrap=True)

    async def follow(self, discord: SandboxDiscord) -> None:
        """Print everything that the bot does on Discord from now on, until cancelled."""
        printed = len(discord.evidence)
        while True:
            with suppress(TimeoutError):
                await discord.wait_for(partial(_has_more, discord, printed), timeout=60.0)
            for record in discord.evidence[printed:]:
                if record.author_id == discord.world.bot.id and record.visible_to is None:
                    self._print_record(discord, record)
            printed = len(discord.evidence)

    def _print_record(self, discord: SandboxDiscord, record: Accepted) -> None:
        line = self._line(discord, record)
        if line is not None:
            at = datetime.fromtimestamp(record.wall).astimezone()
            self._console.print(f"[cyan]{at:%H:%M:%S.%f}"[:-3] + f"[/]  {line}", soft_wrap=True)

    def _line(self, discord: SandboxDiscord, record: Accepted) -> str | None:
        if record.embeds:
            return self._announcement(record)
        if record.kind != "create" or record.returned_earlier:
            return None
        names = ", ".join(discord.world.user(user).display_name for user in record.pinged_users)
        return f"{_plain_text(record.content)[:60]}  [dim]mentions {names or 'nobody'}[/]"

    def _announcement(self, record: Accepted) -> str | None:
        embed = record.embeds[0]
        found = _STATUS.search(str(embed.get("description", "")))
        status = found.group(1) if found else "?"
        if self._status.get(record.message_id) == status:
            return None
        self._status[record.message_id] = status
        return f"📌 {embed.get('title')} → [bold]{status}[/]"


def _has_more(discord: SandboxDiscord, printed: int) -> bool:
    return len(discord.evidence) > printed


def _plain_text(text: str) -> str:
    first_line = re.sub(r"<t:(\d+)[^>]*>", lambda match: _clock_time(int(match[1])), text.split("\n")[0])
    return re.sub(r"<@[^>]*>|https?://\S+|[*_\\()]", "", first_line).replace("[", "(").strip()


def _clock_time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%H:%M}"
