"""The bot's commands at Discord, written only when they differ from what Discord has.

Writing them at every start was rejected: Discord counts such writes, and a client reloads its commands after each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from shared import logs

if TYPE_CHECKING:
    from bot.gateway import QuestbellBot

_ASSIGNED = {"id", "application_id", "version", "guild_id", "dm_permission"}
"""What Discord adds; `dm_permission` is derived from `contexts`, which is compared."""
_NOTHING: tuple[Any, ...] = (None, False, [], {})
"""Zero is not among them: numbers are compared as text, because Discord returns permissions so."""


async def register_commands(bot: QuestbellBot) -> bool:
    """Make Discord's global commands be the tree's; return whether they had to be written."""
    known = await bot.http.get_global_commands(bot.application_id or 0)
    wanted = [command.to_dict(bot.tree) for command in bot.tree.get_commands()]
    changed = comparable(known) != comparable(wanted)
    if changed:
        await bot.tree.sync()
    logs.get().info("Commands compared", action="commands_registered" if changed else "commands_unchanged")
    return changed


def comparable(commands: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return commands by name, without what Discord adds and without what says nothing, which it leaves out."""
    return {command["name"]: _said(command) for command in commands}


def _said(part: Any) -> Any:
    if isinstance(part, Mapping):
        parts = {key: _said(value) for key, value in part.items() if key not in _ASSIGNED}
        return {key: value for key, value in parts.items() if value not in _NOTHING}
    if isinstance(part, list):
        return [_said(one) for one in part]
    return str(part) if isinstance(part, int) and not isinstance(part, bool) else part
