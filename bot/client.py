"""The Discord client with its database sessions, its forms and the interactions in progress."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import aiohttp
import discord

from bot.shards import Shard
from shared.database import Sessions
from shared.settings import GameSettings

LOGIN_TIMEOUT = 30.0
CLOSE_TIMEOUT = 2.0
FINISH_TIMEOUT = 3.0
"""Time for interactions in progress to finish while the client closes."""
GUILDS_TIMEOUT = 0.25
"""discord.py's wait after each server before it is ready. Nothing here needs all servers."""


class QuestbellClient(discord.Client):
    """A client without message content that pings nobody by default, and keeps no members."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        limits: GameSettings,
        http_trace: aiohttp.TraceConfig,
        members_intent: bool = False,
        shard: Shard | None = None,
    ) -> None:
        self.shard = shard or Shard()
        is_one_of_many = self.shard.count > 1
        super().__init__(
            intents=discord.Intents(guilds=True, members=members_intent),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_ratelimit_timeout=LOGIN_TIMEOUT,
            guild_ready_timeout=GUILDS_TIMEOUT,
            shard_id=self.shard.number if is_one_of_many else None,
            shard_count=self.shard.count if is_one_of_many else None,
            http_trace=http_trace,
        )
        self.sessions = sessions
        self.limits = limits
        self._in_progress: set[asyncio.Task[object]] = set()
        self._forms: dict[re.Pattern[str], SubmitForm] = {}

    def add_form(self, template: str, submit: SubmitForm) -> None:
        """Call `submit` with each modal whose id matches the template.

        discord.py only knows the modals that this process has opened. One that is open survives a restart.
        """
        self._forms[re.compile(template)] = submit

    async def on_interaction(self, interaction: Interaction) -> None:
        """Pass a submitted modal on, with its values by their ids."""
        if interaction.type is not discord.InteractionType.modal_submit:
            return
        data: Mapping[str, Any] = interaction.data or {}
        for template, submit in self._forms.items():
            if match := template.fullmatch(str(data.get("custom_id", ""))):
                await submit(interaction, match, dict(_read_values(data.get("components", ()))))

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Mark the current task as answering an interaction. `close` waits for it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("interactions are answered in tasks")
        self._in_progress.add(task)
        try:
            yield
        finally:
            self._in_progress.discard(task)

    async def close(self) -> None:
        """Finish interactions in progress and disconnect."""
        if self.ws is not None and self.ws.open:
            with suppress(TimeoutError):  # a frozen network must not block the process
                await asyncio.wait_for(self.ws.close(code=1000), CLOSE_TIMEOUT)
        if self._in_progress:
            await asyncio.wait(self._in_progress, timeout=FINISH_TIMEOUT)
        await super().close()


def _read_values(parts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the id and the text of each field, which are in rows or under labels."""
    for part in parts:
        if "value" in part:
            yield str(part["custom_id"]), str(part["value"])
        yield from _read_values(part.get("components", ()))
        yield from _read_values([part["component"]] if "component" in part else ())


Interaction: TypeAlias = discord.Interaction[QuestbellClient]
SubmitForm: TypeAlias = Callable[[Interaction, re.Match[str], dict[str, str]], Awaitable[None]]
