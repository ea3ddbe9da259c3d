"""Registers the bot's commands with Discord if they differ.

Registering them at every start was rejected because Discord limits such writes and clients reload their commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import aiohttp
import discord
from discord import app_commands

from bot.client import QuestbellClient
from shared import logs
from shared.errors import TransientError, describe
from shared.schedule.retry import Backoff, retry

REGISTRATION_TIMEOUT = 10.0
"""Seconds. Then the bot connects first, because buttons and known commands work without it."""
REGISTRATION_BACKOFF = Backoff(first=30.0, longest=3600.0)
"""Delays after Discord refused the commands. It allows 200 new ones a day."""

_ASSIGNED = {"id", "application_id", "version", "guild_id", "dm_permission"}
"""Fields that Discord adds. `dm_permission` is derived from `contexts`, which is compared."""
_EMPTY: tuple[Any, ...] = (None, False, [], {})
"""Zero is missing because numbers are compared as text, as Discord returns permissions."""


async def keep_commands_registered(tree: app_commands.CommandTree[QuestbellClient]) -> asyncio.Task[None]:
    """Start registering the commands, and wait until they are, but not long.

    The returned task tries again until Discord accepts them.
    """

    async def register() -> None:
        try:
            await register_commands(tree)
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise TransientError(describe(error)) from error

    task = asyncio.create_task(retry(register, backoff=REGISTRATION_BACKOFF, on_failure=_log_failure))
    await asyncio.wait({task}, timeout=REGISTRATION_TIMEOUT)
    if task.done():
        task.result()
    return task


def _log_failure(error: TransientError) -> None:
    logs.get().warning("Commands are not registered", action="commands_unregistered", error=str(error))


async def register_commands(tree: app_commands.CommandTree[QuestbellClient]) -> bool:
    """Make Discord's global commands match the tree. Return whether they were written."""
    client = tree.client
    registered = await client.http.get_global_commands(client.application_id or 0)
    wanted = [command.to_dict(tree) for command in tree.get_commands()]
    changed = normalize_commands(registered) != normalize_commands(wanted)
    if changed:
        await tree.sync()
    logs.get().info("Commands compared", action="commands_registered" if changed else "commands_unchanged")
    return changed


def normalize_commands(commands: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return commands by name, without empty fields and those that Discord adds."""
    return {command["name"]: _normalize(command) for command in commands}


def _normalize(value: Any) -> Any:
    if isinstance(value, Mapping):
        fields = {key: _normalize(part) for key, part in value.items() if key not in _ASSIGNED}
        return {key: part for key, part in fields.items() if part not in _EMPTY}
    if isinstance(value, list):
        return [_normalize(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
