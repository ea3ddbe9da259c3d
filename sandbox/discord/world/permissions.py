"""Permissions in a channel.

Only the bits that the sandbox enforces or shows have names here. They are combined as Discord does: the @everyone role,
the member's roles, then the channel's overwrites in the order everyone, roles, member. The owner and administrators may
do everything. Source: https://docs.discord.com/developers/topics/permissions
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag


class Permission(IntFlag):
    """Permission bits by Discord's names."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    MANAGE_ROLES = 1 << 28
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_EVENTS = 1 << 33
    MANAGE_THREADS = 1 << 34
    SEND_MESSAGES_IN_THREADS = 1 << 38
    CREATE_EVENTS = 1 << 44


NOTHING = Permission(0)
EVERYTHING = Permission((1 << 53) - 1)
TALK = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.SEND_MESSAGES_IN_THREADS
)


@dataclass(slots=True)
class Overwrite:
    """What a channel allows or denies to one role or member."""

    target_id: int
    for_member: bool
    allow: Permission = NOTHING
    deny: Permission = NOTHING

    def apply(self, granted: Permission) -> Permission:
        """Return `granted` after this overwrite. What it allows takes precedence over what it denies."""
        return (granted & ~self.deny) | self.allow


def effective_permissions(
    base: Permission, overwrites: list[Overwrite], *, everyone_id: int, role_ids: list[int], member_id: int
) -> Permission:
    """Return a member's permissions in a channel. `base` is what their roles grant in the guild."""
    if Permission.ADMINISTRATOR in base:
        return EVERYTHING
    granted = base
    for overwrite in overwrites:
        if overwrite.target_id == everyone_id:
            granted = overwrite.apply(granted)
    allow = deny = Permission(0)
    for overwrite in overwrites:
        if not overwrite.for_member and overwrite.target_id in role_ids:
            allow |= overwrite.allow
            deny |= overwrite.deny
    granted = (granted & ~deny) | allow
    for overwrite in overwrites:
        if overwrite.for_member and overwrite.target_id == member_id:
            granted = overwrite.apply(granted)
    return granted


def permissions_by_name(*names: str) -> Permission:
    """Return permissions by their Discord names.

    Raises:
        ValueError: a name is unknown. The message lists the known ones.
    """
    bits = Permission(0)
    for name in names:
        try:
            bits |= Permission[name.upper()]
        except KeyError:
            known = ", ".join(permission.name for permission in Permission if permission.name)
            raise ValueError(f"unknown permission {name!r}; known: {known}") from None
    return bits
