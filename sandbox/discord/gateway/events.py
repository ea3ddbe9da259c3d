"""The gateway's events, with their intents and their JSON.

An event is encoded once for all sessions. A message has two encodings, with and without the content that requires the
message-content intent. The bot's own messages, direct messages and messages that mention the bot always have their
content. Ephemeral messages cause no event.
Source: https://docs.discord.com/developers/events/gateway#gateway-intents
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Any

from sandbox.discord import changes
from sandbox.discord.changes import Change
from sandbox.discord.world.entities import Channel
from sandbox.discord.world.messages import Message
from sandbox.discord.world.payloads import (
    channel_payload,
    encode,
    guild_create_payload,
    member_payload,
    message_json,
    message_payload,
    user_payload,
)
from sandbox.discord.world.world import World

Json = dict[str, Any]


class Intent(IntFlag):
    """The intents that the sandbox's events need."""

    NONE = 0
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


PRIVILEGED = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT


@dataclass(frozen=True, slots=True)
class Event:
    """One event. With `intent` NONE all sessions get it. `bare` is the JSON for sessions that may not read content."""

    name: str
    data: str
    intent: Intent = Intent.NONE
    guild_id: int | None = None
    bare: str | None = None


def event_for(world: World, change: Change) -> Event | None:
    """Return the event for a change, or None if there is none."""
    match change:
        case changes.MessageCreated(message) if message.visible_to is None:
            return _message(world, "MESSAGE_CREATE", message)
        case changes.MessageEdited(message) if message.visible_to is None:
            return _message(world, "MESSAGE_UPDATE", message)
        case changes.MessageDeleted(message) if message.visible_to is None:
            deleted = {"id": str(message.id), **_place(message.channel)}
            return Event("MESSAGE_DELETE", encode(deleted), _intent(message.channel), message.channel.guild_id)
        case changes.GuildCreated(guild):
            payload = guild_create_payload(world, guild, is_new=True)
            return Event("GUILD_CREATE", encode(payload), Intent.GUILDS, guild.id)
        case changes.ChannelCreated(channel) if channel.guild_id is not None:
            return _channel("CREATE", channel)
        case changes.ChannelUpdated(channel):
            return _channel("UPDATE", channel)
        case changes.ChannelDeleted(channel):
            return _channel("DELETE", channel)
        case changes.MemberChanged(guild, member, gone=True) if member.user is world.bot:
            return Event("GUILD_DELETE", encode({"id": str(guild.id)}), Intent.GUILDS, guild.id)
        case changes.MemberChanged(guild, member, gone):
            data: Json = {"guild_id": str(guild.id), "user": user_payload(member.user)}
            data = data if gone else {**member_payload(member), **data}
            name = "GUILD_MEMBER_REMOVE" if gone else "GUILD_MEMBER_UPDATE"
            return Event(name, encode(data), Intent.GUILD_MEMBERS, guild.id)
        case _:
            return None


def _channel(what: str, channel: Channel) -> Event:
    name = f"{'CHANNEL' if channel.thread is None else 'THREAD'}_{what}"
    return Event(name, encode(channel_payload(channel)), Intent.GUILDS, channel.guild_id)


def _intent(channel: Channel) -> Intent:
    return Intent.DIRECT_MESSAGES if channel.guild_id is None else Intent.GUILD_MESSAGES


def _place(channel: Channel) -> Json:
    place = {"channel_id": str(channel.id)}
    if channel.guild_id is not None:
        place["guild_id"] = str(channel.guild_id)
    return place


def _message(world: World, name: str, message: Message) -> Event:
    """Return an event with the message's JSON, preceded by the guild and the author's membership."""
    channel = message.channel
    guild = world.guild_of(channel)
    front = ""
    if guild is not None:
        front = f'"guild_id":"{guild.id}",'
        member = guild.members.get(message.author.id)
        if member is not None and not message.webhook:
            front += f'"member":{encode(member_payload(member, with_user=False))},'
    bare = None
    if not _content_is_for_all(world, message):
        stripped = message_payload(world, message)
        stripped.update(content="", embeds=[], attachments=[], components=[])
        bare = "{" + front + encode(stripped)[1:]
    return Event(name, "{" + front + message_json(world, message)[1:], _intent(channel), channel.guild_id, bare)


def _content_is_for_all(world: World, message: Message) -> bool:
    own = message.author.id == world.bot.id
    return own or message.channel.guild_id is None or world.bot.id in message.pings.users
