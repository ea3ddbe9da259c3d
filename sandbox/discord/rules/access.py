"""The bot's permissions, and what threads allow.

Discord distinguishes a channel that the bot cannot see (50001) from any other missing permission (50013). It reports
closed DMs when a message is sent (50007), not when the channel is opened.
Source: https://docs.discord.com/developers/resources/message and /topics/permissions
"""

from __future__ import annotations

from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.messages import Draft
from sandbox.discord.world.entities import Channel
from sandbox.discord.world.messages import Message
from sandbox.discord.world.permissions import Permission
from sandbox.discord.world.world import World


def visible_channel(world: World, channel_id: int) -> Channel:
    """Return the channel, if it exists (10003) and the bot can see it (50001)."""
    channel = world.channels.get(channel_id)
    if channel is None:
        raise api_error(10003)
    if Permission.VIEW_CHANNEL not in world.permissions(channel, world.bot.id):
        raise api_error(50001)
    world.archive_if_quiet(channel)
    return channel


def visible_message(world: World, channel: Channel, message_id: int) -> Message:
    """Return a public message of the channel (10008), if the bot may read history (50013)."""
    if Permission.READ_MESSAGE_HISTORY not in world.permissions(channel, world.bot.id):
        raise api_error(50013)
    message = world.histories[channel.id].get(message_id)
    if message is None or message.visible_to is not None:
        raise api_error(10008)
    return message


def may_send(world: World, channel: Channel) -> None:
    """Raise if the bot may not write here: 50013 in guilds, 50007 and 50278 in DMs."""
    if channel.recipient is None:
        _require(world, channel, Permission.SEND_MESSAGES)
        if channel.thread is not None and channel.thread.locked and not _has(world, channel, Permission.MANAGE_THREADS):
            raise api_error(160005)
    elif channel.recipient.dms_closed:
        raise api_error(50007)
    elif not world.shares_guild(channel.recipient):
        raise api_error(50278)


def may_send_draft(world: World, channel: Channel, draft: Draft) -> None:
    """Raise if the draft contains embeds or files for which the bot has no permission."""
    if draft.embeds:
        _require(world, channel, Permission.EMBED_LINKS)
    if draft.attachments:
        _require(world, channel, Permission.ATTACH_FILES)
    if draft.replies_to is not None and not _has(world, channel, Permission.READ_MESSAGE_HISTORY):
        raise api_error(160002)


def may_change_message(channel: Channel) -> None:
    """Raise if nothing may be changed here, because the thread is archived (50083)."""
    if channel.thread is not None and channel.thread.archived:
        raise api_error(50083)


def may_unarchive(world: World, channel: Channel) -> None:
    """Raise if the bot may not open an archived thread: it needs to write, and more if it is locked."""
    is_locked = channel.thread is not None and channel.thread.locked
    _require(world, channel, Permission.MANAGE_THREADS if is_locked else Permission.SEND_MESSAGES)


def may_manage_thread(world: World, channel: Channel) -> None:
    """Raise if the bot may not archive, lock or unlock a thread."""
    _require(world, channel, Permission.MANAGE_THREADS)


def may_delete(world: World, message: Message) -> None:
    """Raise if the bot deletes another user's message without the permission to manage messages."""
    if message.author is not world.bot:
        _require(world, message.channel, Permission.MANAGE_MESSAGES)


def _has(world: World, channel: Channel, permission: Permission) -> bool:
    return permission in world.permissions(channel, world.bot.id)


def _require(world: World, channel: Channel, permission: Permission) -> None:
    if not _has(world, channel, permission):
        raise api_error(50013)
