"""Users, roles, members, channels and guilds as plain data. `World` changes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from sandbox.discord.world.permissions import Overwrite, Permission


class ChannelKind(IntEnum):
    """The kinds of channel that the sandbox has, by Discord's numbers."""

    TEXT = 0
    DM = 1
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12


@dataclass(slots=True)
class User:
    """A user or the bot. `colour` is the background of their initials."""

    id: int
    name: str
    display_name: str
    colour: str
    bot: bool = False
    dms_closed: bool = False


@dataclass(slots=True)
class Role:
    """A role of one guild. The role with the guild's id is @everyone."""

    id: int
    name: str
    permissions: Permission
    position: int = 0
    colour: int = 0
    mentionable: bool = False
    managed: bool = False


@dataclass(slots=True)
class Member:
    """A user in a guild."""

    user: User
    joined_at: float
    role_ids: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Thread:
    """What a thread has beside a channel.

    It is archived after `auto_archive_minutes` without a message. Only its members see a private one.
    """

    parent: Channel
    owner_id: int
    active_at: float
    auto_archive_minutes: int = 1440
    archived: bool = False
    locked: bool = False
    member_ids: set[int] = field(default_factory=set)

    def is_quiet(self, now: float) -> bool:
        """Whether it is time to archive it."""
        return not self.archived and now >= self.active_at + self.auto_archive_minutes * 60


@dataclass(slots=True)
class Channel:
    """A text channel or thread of a guild, or the direct messages between the bot and one user."""

    id: int
    kind: ChannelKind
    name: str
    guild_id: int | None = None
    topic: str = ""
    position: int = 0
    overwrites: list[Overwrite] = field(default_factory=list)
    recipient: User | None = None
    thread: Thread | None = None
    last_message_id: int | None = None


@dataclass(slots=True)
class Guild:
    """A server: its members, roles and channels."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    threads: dict[int, Channel] = field(default_factory=dict)

    @property
    def everyone(self) -> Role:
        """The role that every member has."""
        return self.roles[self.id]
