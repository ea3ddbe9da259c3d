"""Tells a person what happens, while it happens: progress on standard error, so that standard output stays for
results."""

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


class Story:
    """Prints steps, and every message and edit that the sandbox Discord accepts from the bot."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._began = time.monotonic()
        self._status: dict[int, str] = {}

    def step(self, step: str, /) -> None:
        """Say what is being done, and how long the whole has taken so far."""
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/]  {step}", markup=True, soft_wrap=True)

    def say(self, text: str) -> None:
        """Say something that stands out."""
        self._console.print(text, soft_wrap=True)

    async def follow(self, discord: SandboxDiscord) -> None:
        """Tell everything that happens on Discord from now on, until cancelled."""
        told = len(discord.evidence)
        while True:
            with suppress(TimeoutError):
                await discord.wait_for(partial(_more, discord, told), timeout=60.0)
            for record in discord.evidence[told:]:
                if record.author_id == discord.world.bot.id and record.visible_to is None:
                    self._tell(discord, record)
            told = len(discord.evidence)

    def _tell(self, discord: SandboxDiscord, record: Accepted) -> None:
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
        return f"{_plain(record.content)[:60]}  [dim]pings {names or 'nobody'}[/]"

    def _announcement(self, record: Accepted) -> str | None:
        embed = record.embeds[0]
        found = _STATUS.search(str(embed.get("description", "")))
        status = found.group(1) if found else "?"
        if self._status.get(record.message_id) == status:
            return None
        self._status[record.message_id] = status
        return f"📌 {embed.get('title')} → [bold]{status}[/]"


def _more(discord: SandboxDiscord, told: int) -> bool:
    return len(discord.evidence) > told


def _plain(text: str) -> str:
    return re.sub(r"<[@t][^>]*>|https?://\S+|[*_\\()]", "", text.split("\n")[0]).replace("[", "(").strip()
