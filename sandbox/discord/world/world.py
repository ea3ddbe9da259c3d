"""The sandbox's world: guilds, channels, users and their messages.

It is synchronous and deterministic, and each call publishes what it changed. It checks no permissions: `rules` decides
before whether a request is allowed, so that a test can put the world into any state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sandbox.discord import changes
from sandbox.discord.changes import ChangeFeed
from sandbox.discord.clock import Clock
from sandbox.discord.world.commands import CommandRegistry
from sandbox.discord.world.entities import Channel, ChannelKind, Guild, Member, Role, Thread, User
from sandbox.discord.world.messages import Message, MessageHistory
from sandbox.discord.world.permissions import (
    EVERYTHING,
    TALK,
    Overwrite,
    Permission,
    effective_permissions,
    permissions_by_name,
)
from sandbox.discord.world.snowflakes import Snowflakes, created_at

_COLOURS = ("#5865f2", "#3ba55c", "#eb459e", "#e67e22", "#1abc9c", "#9b59b6", "#e74c3c", "#c89b1a", "#2980b9")
_DM_PERMISSIONS = TALK | Permission.MENTION_EVERYONE | Permission.USE_EXTERNAL_EMOJIS

UserRef = str | int | User
ChannelRef = str | int | Channel


class World:
    """The whole state. Lookups take names, ids or objects, and raise LookupError with a hint."""

    def __init__(self, clock: Clock, feed: ChangeFeed, *, bot_name: str = "Questbell") -> None:
        self.clock = clock
        self.ids = Snowflakes(clock)
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.histories: dict[int, MessageHistory] = {}
        self.commands = CommandRegistry()
        self._feed = feed
        self._by_name: dict[str, User] = {}
        self._dms: dict[int, Channel] = {}
        self.bot = self.add_user(bot_name, colour="#5865f2", bot=True)

    def user(self, who: UserRef) -> User:
        """Return a user by name (ignoring case) or id."""
        if isinstance(who, User):
            return who
        found = self._by_name.get(who.casefold()) if isinstance(who, str) else None
        if found is None and str(who).isdecimal():
            found = self.users.get(int(who))
        if found is None:
            names = ", ".join(user.display_name for user in list(self.users.values())[:12])
            raise LookupError(f"there is no user {who!r}; there are {names}")
        return found

    def channel(self, where: ChannelRef) -> Channel:
        """Return a channel by id, or a guild's first channel with this name."""
        if isinstance(where, Channel):
            return where
        found = self.channels.get(int(where)) if str(where).isdecimal() else None
        if found is None and isinstance(where, str):
            name = where.removeprefix("#")
            found = next((c for c in self.channels.values() if c.name == name and c.guild_id is not None), None)
        if found is None:
            names = ", ".join(f"#{c.name}" for c in list(self.channels.values())[:12] if c.guild_id is not None)
            raise LookupError(f"there is no channel {where!r}; there are {names}")
        return found

    def guild_of(self, channel: Channel) -> Guild | None:
        """Return a channel's guild, or None for direct messages."""
        return None if channel.guild_id is None else self.guilds[channel.guild_id]

    def messages(self, channel_id: int) -> list[Message]:
        """A channel's public messages, oldest first."""
        return [message for message in self.histories.get(channel_id, MessageHistory()) if message.visible_to is None]

    def message(self, message_id: int) -> Message | None:
        """Return a message of any channel."""
        return next((found for history in self.histories.values() if (found := history.get(message_id))), None)

    def add_user(self, name: str, *, colour: str | None = None, bot: bool = False) -> User:
        """Create a user (or bot) who is in no guild yet."""
        if name.casefold() in self._by_name:
            raise ValueError(f"there is already a user {name!r}")
        paint = colour or _COLOURS[len(self.users) % len(_COLOURS)]
        username = name.casefold().replace(" ", "_")
        user = User(self.ids.place(), username, name, paint, bot)
        self.users[user.id] = user
        self._by_name[name.casefold()] = user
        return user

    def add_guild(
        self,
        name: str,
        *,
        owner: UserRef,
        everyone: Permission = TALK,
        channels: Mapping[str, Iterable[Overwrite]] = MappingProxyType({}),
    ) -> Guild:
        """Create a guild with its owner and the bot as members. `channels` are there before the bot joins."""
        guild = Guild(self.ids.place(), name, self.user(owner).id)
        guild.roles[guild.id] = Role(guild.id, "@everyone", everyone)
        self.guilds[guild.id] = guild
        self._join(guild, self.user(owner), ())
        bot_role = self.add_role(guild, self.bot.display_name, TALK | Permission.MENTION_EVERYONE, managed=True)
        self._join(guild, self.bot, (bot_role,))
        for channel_name, overwrites in channels.items():
            self.add_channel(guild, channel_name).overwrites.extend(overwrites)
        self._feed.publish(changes.GuildCreated(guild))
        return guild

    def add_role(
        self, guild: Guild, name: str, permissions: Permission, *, mentionable: bool = False, managed: bool = False
    ) -> Role:
        """Create a role above the earlier ones."""
        role = Role(self.ids.place(), name, permissions, len(guild.roles), 0, mentionable, managed)
        guild.roles[role.id] = role
        return role

    def add_member(self, guild: Guild, who: UserRef, *, roles: Iterable[Role] = ()) -> Member:
        """Add a user to a guild."""
        member = self._join(guild, self.user(who), roles)
        self._feed.publish(changes.MemberChanged(guild, member))
        return member

    def _join(self, guild: Guild, user: User, roles: Iterable[Role]) -> Member:
        member = Member(user, created_at(guild.id), [role.id for role in roles])
        guild.members[user.id] = member
        return member

    def remove_member(self, guild: Guild, who: UserRef) -> None:
        """Remove a user from a guild."""
        member = guild.members.pop(self.user(who).id)
        self._feed.publish(changes.MemberChanged(guild, member, gone=True))

    def add_channel(self, guild: Guild, name: str, *, topic: str = "") -> Channel:
        """Create a text channel at the end of the list."""
        channel = Channel(self.ids.place(), ChannelKind.TEXT, name, guild.id, topic=topic, position=len(guild.channels))
        guild.channels[channel.id] = channel
        self._open(channel)
        return channel

    def add_thread(
        self,
        where: ChannelRef,
        name: str,
        *,
        owner: UserRef,
        members: Iterable[UserRef] = (),
        private: bool = False,
        auto_archive_minutes: int = 1440,
    ) -> Channel:
        """Create a thread in a channel. Its owner is a member."""
        parent, creator = self.channel(where), self.user(owner)
        guild = self.guild_of(parent)
        if guild is None or parent.thread is not None:
            raise ValueError("a thread needs a text channel")
        kind = ChannelKind.PRIVATE_THREAD if private else ChannelKind.PUBLIC_THREAD
        thread = Thread(parent, creator.id, self.clock.wall(), auto_archive_minutes)
        thread.member_ids = {creator.id, *(self.user(who).id for who in members)}
        channel = Channel(self.ids.place(), kind, name, guild.id, thread=thread)
        guild.threads[channel.id] = channel
        self._open(channel)
        return channel

    def change_thread(self, where: ChannelRef, *, archived: bool | None = None, locked: bool | None = None) -> None:
        """Archive, open, lock or unlock a thread."""
        channel = self.channel(where)
        if channel.thread is None:
            raise ValueError(f"#{channel.name} is no thread")
        if archived is not None:
            channel.thread.archived, channel.thread.active_at = archived, self.clock.wall()
        if locked is not None:
            channel.thread.locked = locked
        self._feed.publish(changes.ChannelUpdated(channel))

    def archive_if_quiet(self, channel: Channel) -> None:
        """Archive a thread in which nothing was written for its time."""
        if channel.thread is not None and channel.thread.is_quiet(self.clock.wall()):
            self.change_thread(channel, archived=True)

    def delete_channel(self, where: ChannelRef) -> None:
        """Delete a channel with its threads and their messages."""
        channel = self.channel(where)
        for thread in [found for found in self.channels.values() if found.thread and found.thread.parent is channel]:
            self.delete_channel(thread)
        del self.channels[channel.id], self.histories[channel.id]
        if channel.guild_id is not None:
            guild = self.guilds[channel.guild_id]
            del (guild.channels if channel.thread is None else guild.threads)[channel.id]
        if channel.recipient is not None:
            del self._dms[channel.recipient.id]
        self._feed.publish(changes.ChannelDeleted(channel))

    def dm(self, who: UserRef) -> Channel | None:
        """Return a user's DM channel with the bot, if it was ever opened."""
        return self._dms.get(self.user(who).id)

    def open_dm(self, who: UserRef) -> Channel:
        """Return a user's DM channel with the bot, and open it if necessary."""
        user = self.user(who)
        if user.id not in self._dms:
            channel = Channel(self.ids.next(), ChannelKind.DM, user.name, recipient=user)
            self._dms[user.id] = channel
            self._open(channel)
        return self._dms[user.id]

    def _open(self, channel: Channel) -> None:
        self.channels[channel.id] = channel
        self.histories[channel.id] = MessageHistory()
        self._feed.publish(changes.ChannelCreated(channel))

    def close_dms(self, who: UserRef, *, closed: bool = True) -> None:
        """Close a user's DMs (`closed=False` opens them again). The bot notices only when it sends one."""
        user = self.user(who)
        user.dms_closed = closed
        for guild in self.guilds.values():
            if user.id in guild.members:
                self._feed.publish(changes.MemberChanged(guild, guild.members[user.id]))

    def deny(self, where: ChannelRef, *permissions: str) -> None:
        """Deny the bot permissions in a channel, by Discord's names: `deny("off-topic", "SEND_MESSAGES")`."""
        overwrite = self._bot_overwrite(self.channel(where))
        overwrite.deny |= permissions_by_name(*permissions)
        overwrite.allow &= ~overwrite.deny
        self._feed.publish(changes.ChannelUpdated(self.channel(where)))

    def restore(self, where: ChannelRef) -> None:
        """Restore the permissions that `deny` took from the bot in a channel."""
        channel = self.channel(where)
        channel.overwrites = [known for known in channel.overwrites if known.target_id != self.bot.id]
        self._feed.publish(changes.ChannelUpdated(channel))

    def _bot_overwrite(self, channel: Channel) -> Overwrite:
        for overwrite in channel.overwrites:
            if overwrite.target_id == self.bot.id:
                return overwrite
        channel.overwrites.append(Overwrite(self.bot.id, for_member=True))
        return channel.overwrites[-1]

    def guild_permissions(self, guild: Guild, user_id: int) -> Permission:
        """Return the permissions that a user's roles grant in a guild."""
        member = guild.members.get(user_id)
        if member is None:
            return Permission(0)
        if guild.owner_id == user_id:
            return EVERYTHING
        granted = guild.everyone.permissions
        for role_id in member.role_ids:
            granted |= guild.roles[role_id].permissions
        return EVERYTHING if Permission.ADMINISTRATOR in granted else granted

    def permissions(self, channel: Channel, user_id: int) -> Permission:
        """Return a user's permissions in a channel."""
        guild = self.guild_of(channel)
        if guild is None:
            recipient = channel.recipient
            inside = user_id == self.bot.id or (recipient is not None and recipient.id == user_id)
            return _DM_PERMISSIONS if inside else Permission(0)
        if channel.thread is not None:
            return self._thread_permissions(channel, channel.thread, user_id)
        base = self.guild_permissions(guild, user_id)
        if not channel.overwrites or user_id not in guild.members:
            return base
        return effective_permissions(
            base,
            channel.overwrites,
            everyone_id=guild.id,
            role_ids=guild.members[user_id].role_ids,
            member_id=user_id,
        )

    def _thread_permissions(self, channel: Channel, thread: Thread, user_id: int) -> Permission:
        """Return a user's permissions in a thread: those in its channel, with another permission to send."""
        granted = self.permissions(thread.parent, user_id) & ~Permission.SEND_MESSAGES
        if Permission.SEND_MESSAGES_IN_THREADS in granted:
            granted |= Permission.SEND_MESSAGES
        is_inside = user_id in thread.member_ids or Permission.MANAGE_THREADS in granted
        return granted if is_inside or channel.kind is ChannelKind.PUBLIC_THREAD else Permission(0)

    def shares_guild(self, user: User) -> bool:
        """Return whether the bot shares a guild with a user. Otherwise it cannot send them DMs."""
        return any(user.id in guild.members and self.bot.id in guild.members for guild in self.guilds.values())
