"""The application commands that the bot registered.

They are stored as the payloads that Discord would return. Elsewhere a command is a *leaf*, something that a user can
run, with its whole path ("game create"). A command with subcommands cannot be run itself.
Source: https://docs.discord.com/developers/interactions/application-commands#subcommands-and-subcommand-groups
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.discord.world.permissions import Permission

Json = dict[str, Any]

CHAT_INPUT = 1
SUB_COMMAND = 1
SUB_COMMAND_GROUP = 2
_BOT_DM = 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command that can be run: its root, the path below the root, and the options it takes."""

    root: Json
    path: tuple[str, ...]
    description: str
    options: list[Json]

    @property
    def name(self) -> str:
        """The text after the slash."""
        return " ".join(self.path)

    def wrap(self, options: list[Json]) -> list[Json]:
        """`options` inside the subcommands that lead to this leaf, as an interaction carries them."""
        for depth, name in reversed(list(enumerate(self.path))[1:]):
            is_group = depth < len(self.path) - 1
            options = [{"name": name, "type": SUB_COMMAND_GROUP if is_group else SUB_COMMAND, "options": options}]
        return options


class CommandRegistry:
    """Commands by scope: None is global, else a guild's id. A guild's command hides the global one of its name.

    `replaced` counts how often all commands of a scope were registered at once.
    """

    def __init__(self) -> None:
        self.replaced = 0
        self._scopes: dict[int | None, dict[int, Json]] = {}

    def all(self, guild_id: int | None) -> list[Json]:
        """The commands of one scope, in the order of registration."""
        return list(self._scopes.get(guild_id, {}).values())

    def get(self, guild_id: int | None, command_id: int) -> Json | None:
        """One command of a scope."""
        return self._scopes.get(guild_id, {}).get(command_id)

    def put(self, guild_id: int | None, command: Json) -> None:
        """Add or replace a command, by its id."""
        self._scopes.setdefault(guild_id, {})[int(command["id"])] = command

    def remove(self, guild_id: int | None, command_id: int) -> None:
        """Delete a command of a scope."""
        del self._scopes[guild_id][command_id]

    def replace(self, guild_id: int | None, commands: list[Json]) -> None:
        """Make these the commands of the scope."""
        self.replaced += 1
        self._scopes[guild_id] = {int(command["id"]): command for command in commands}

    def find_by_name(self, guild_id: int | None, name: str, kind: int) -> Json | None:
        """The command of a scope with this name and type."""
        return next((known for known in self.all(guild_id) if known["name"] == name and known["type"] == kind), None)

    def leaves(self, guild_id: int | None) -> list[Leaf]:
        """The slash commands that exist in a guild, or (None) in the bot's direct messages."""
        roots = {root["name"]: root for root in self.all(None) if guild_id is not None or _in_dms(root)}
        if guild_id is not None:
            roots.update((root["name"], root) for root in self.all(guild_id))
        return [leaf for root in roots.values() if root["type"] == CHAT_INPUT for leaf in _leaves(root)]


def may_use(leaf: Leaf, permissions: Permission) -> bool:
    """Return whether a member with these permissions is shown the command."""
    needed = leaf.root.get("default_member_permissions")
    if needed is None or Permission.ADMINISTRATOR in permissions:
        return True
    return int(needed) != 0 and int(needed) & ~int(permissions) == 0


def _in_dms(root: Json) -> bool:
    contexts = root.get("contexts")
    return _BOT_DM in contexts if contexts is not None else root.get("dm_permission") is not False


def _leaves(root: Json) -> Iterator[Leaf]:
    yield from _below(root, root, (str(root["name"]),))


def _below(root: Json, node: Json, path: tuple[str, ...]) -> Iterator[Leaf]:
    options: list[Json] = node.get("options") or []
    nested = [option for option in options if option["type"] in (SUB_COMMAND, SUB_COMMAND_GROUP)]
    if not nested:
        yield Leaf(root, path, str(node.get("description", "")), options)
    for option in nested:
        yield from _below(root, option, (*path, str(option["name"])))
