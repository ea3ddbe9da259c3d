"""The bot's permissions in a channel, computed as Discord does.

Discord hides the history of a channel from a bot that may not read it, and answers with an empty page. Source:
https://docs.discord.com/developers/topics/permissions#permission-overwrites
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

ADMINISTRATOR = 1 << 3
VIEW_CHANNEL = 1 << 10
READ_MESSAGE_HISTORY = 1 << 16

_MEMBER = 1
"""The type of an overwrite for one member. The other type is for a role."""
_EVERYTHING = -1


def compute_permissions(
    guild: Mapping[str, Any], member: Mapping[str, Any], user_id: int, overwrites: Iterable[Mapping[str, Any]]
) -> int:
    """Return a member's permissions in a channel of a server, given the channel's overwrites.

    The arguments are API objects. The role with the server's id is that of everyone.
    """
    everyone = str(guild["id"])
    roles = {str(role) for role in member["roles"]}
    granted = 0
    for role in guild["roles"]:
        if str(role["id"]) in roles | {everyone}:
            granted |= int(role["permissions"])
    if granted & ADMINISTRATOR or int(guild["owner_id"]) == user_id:
        return _EVERYTHING
    of_member = {str(user_id)}
    for targets, is_member in (({everyone}, False), (roles - {everyone}, False), (of_member, True)):
        allow = deny = 0
        for overwrite in overwrites:
            if str(overwrite["id"]) in targets and (int(overwrite["type"]) == _MEMBER) == is_member:
                allow |= int(overwrite["allow"])
                deny |= int(overwrite["deny"])
        granted = granted & ~deny | allow
    return granted
