"""The world in Discord's JSON.

Each resource has one function, with all fields that Discord documents as always present, as strict clients expect.
Messages are encoded once: the response to the request, the gateway's event and the page all send the same bytes.
Source: https://docs.discord.com/developers/resources
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.discord.clock import timestamp
from sandbox.discord.world.entities import Channel, ChannelKind, Guild, Member, Role, Thread, User
from sandbox.discord.world.messages import Message
from sandbox.discord.world.permissions import Permission
from sandbox.discord.world.snowflakes import created_at
from sandbox.discord.world.world import World

Json = dict[str, Any]

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_DEFAULT, _REPLY, _SLASH_COMMAND = 0, 19, 20


def encode(payload: object) -> str:
    """Return JSON without spaces, as Discord sends it."""
    return _ENCODER.encode(payload)


def user_payload(user: User) -> Json:
    """https://docs.discord.com/developers/resources/user#user-object."""
    return {
        "id": str(user.id),
        "username": user.name,
        "global_name": None if user.bot else user.display_name,
        "discriminator": "0000" if user.bot else "0",
        "avatar": None,
        "bot": user.bot,
        "public_flags": 0,
    }


def self_payload(user: User) -> Json:
    """Return the bot's own user, with its private fields."""
    return {**user_payload(user), "verified": True, "mfa_enabled": False, "locale": "en-US", "flags": 0, "email": None}


def member_payload(member: Member, *, with_user: bool = True) -> Json:
    """https://docs.discord.com/developers/resources/guild#guild-member-object."""
    payload: Json = {
        "roles": [str(role_id) for role_id in member.role_ids],
        "joined_at": timestamp(member.joined_at),
        "nick": None,
        "avatar": None,
        "premium_since": None,
        "deaf": False,
        "mute": False,
        "pending": False,
        "flags": 0,
        "communication_disabled_until": None,
    }
    if with_user:
        payload["user"] = user_payload(member.user)
    return payload


def role_payload(role: Role) -> Json:
    """https://docs.discord.com/developers/topics/permissions#role-object."""
    return {
        "id": str(role.id),
        "name": role.name,
        "permissions": str(int(role.permissions)),
        "position": role.position,
        "color": role.colour,
        "colors": {"primary_color": role.colour, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "managed": role.managed,
        "mentionable": role.mentionable,
        "flags": 0,
    }


def channel_payload(channel: Channel) -> Json:
    """https://docs.discord.com/developers/resources/channel#channel-object."""
    last = None if channel.last_message_id is None else str(channel.last_message_id)
    if channel.kind is ChannelKind.DM and channel.recipient is not None:
        recipients = [user_payload(channel.recipient)]
        return {"id": str(channel.id), "type": 1, "last_message_id": last, "flags": 0, "recipients": recipients}
    if channel.thread is not None:
        return _thread_payload(channel, channel.thread, last=last)
    return {
        "id": str(channel.id),
        "type": int(channel.kind),
        "guild_id": str(channel.guild_id),
        "name": channel.name,
        "topic": channel.topic or None,
        "position": channel.position,
        "permission_overwrites": [
            {
                "id": str(overwrite.target_id),
                "type": int(overwrite.for_member),
                "allow": str(int(overwrite.allow)),
                "deny": str(int(overwrite.deny)),
            }
            for overwrite in channel.overwrites
        ],
        "parent_id": None,
        "nsfw": False,
        "rate_limit_per_user": 0,
        "last_message_id": last,
        "flags": 0,
    }


def _thread_payload(channel: Channel, thread: Thread, *, last: str | None) -> Json:
    return {
        "id": str(channel.id),
        "type": int(channel.kind),
        "guild_id": str(channel.guild_id),
        "parent_id": str(thread.parent.id),
        "owner_id": str(thread.owner_id),
        "name": channel.name,
        "last_message_id": last,
        "rate_limit_per_user": 0,
        "message_count": 0,
        "total_message_sent": 0,
        "member_count": len(thread.member_ids),
        "flags": 0,
        "thread_metadata": {
            "archived": thread.archived,
            "auto_archive_duration": thread.auto_archive_minutes,
            "archive_timestamp": timestamp(thread.active_at),
            "locked": thread.locked,
            "create_timestamp": timestamp(created_at(channel.id)),
        },
    }


def guild_payload(guild: Guild) -> Json:
    """https://docs.discord.com/developers/resources/guild#guild-object."""
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "splash": None,
        "discovery_splash": None,
        "description": None,
        "banner": None,
        "owner_id": str(guild.owner_id),
        "afk_channel_id": None,
        "afk_timeout": 300,
        "verification_level": 0,
        "default_message_notifications": 1,
        "explicit_content_filter": 0,
        "mfa_level": 0,
        "nsfw_level": 0,
        "premium_tier": 0,
        "premium_progress_bar_enabled": False,
        "system_channel_id": None,
        "system_channel_flags": 0,
        "rules_channel_id": None,
        "public_updates_channel_id": None,
        "safety_alerts_channel_id": None,
        "vanity_url_code": None,
        "preferred_locale": "en-US",
        "features": [],
        "emojis": [],
        "stickers": [],
        "roles": [role_payload(role) for role in guild.roles.values()],
    }


def guild_create_payload(world: World, guild: Guild, *, is_new: bool = False) -> Json:
    """Return the gateway's form of a guild. Without the members intent, the bot is its only member.

    A guild that the bot has just joined lacks `unavailable`, by which clients tell it from one that it was in before.
    """
    return {
        **guild_payload(guild),
        "joined_at": timestamp(guild.members[world.bot.id].joined_at),
        "large": len(guild.members) > 250,
        **({} if is_new else {"unavailable": False}),
        "member_count": len(guild.members),
        "members": [member_payload(guild.members[world.bot.id])],
        "channels": [channel_payload(channel) for channel in guild.channels.values()],
        "threads": [channel_payload(thread) for thread in guild.threads.values() if _is_active(world, thread)],
        "presences": [],
        "voice_states": [],
        "stage_instances": [],
        "guild_scheduled_events": [],
        "soundboard_sounds": [],
    }


def _is_active(world: World, channel: Channel) -> bool:
    """Return whether Discord names a thread to the bot: the bot sees it, and it is not archived."""
    is_visible = Permission.VIEW_CHANNEL in world.permissions(channel, world.bot.id)
    return is_visible and channel.thread is not None and not channel.thread.archived


def application_payload(world: World) -> Json:
    """https://docs.discord.com/developers/resources/application#application-object; its id is the bot's."""
    owner = next((user for user in world.users.values() if not user.bot), world.bot)
    return {
        "id": str(world.bot.id),
        "name": world.bot.display_name,
        "icon": None,
        "description": "",
        "bot_public": True,
        "bot_require_code_grant": False,
        "owner": user_payload(owner),
        "verify_key": "0" * 64,
        "team": None,
        "flags": 0,
        "approximate_guild_count": len(world.guilds),
        "bot": user_payload(world.bot),
    }


def message_payload(world: World, message: Message, *, with_reference: bool = True) -> Json:
    """https://docs.discord.com/developers/resources/message#message-object."""
    pings = message.pings
    payload: Json = {
        "id": str(message.id),
        "channel_id": str(message.channel.id),
        "author": user_payload(message.author),
        "content": message.content,
        "timestamp": timestamp(message.created),
        "edited_timestamp": None if message.edited is None else timestamp(message.edited),
        "tts": False,
        "mention_everyone": pings.everyone,
        "mentions": [user_payload(world.users[user_id]) for user_id in pings.users],
        "mention_roles": [str(role_id) for role_id in pings.roles],
        "attachments": message.attachments,
        "embeds": message.embeds,
        "components": message.components,
        "pinned": False,
        "type": _DEFAULT,
        "flags": int(message.flags),
    }
    if message.nonce is not None:
        payload["nonce"] = message.nonce
    if message.invoked is not None:
        payload.update(message.invoked, type=_SLASH_COMMAND if "interaction" in message.invoked else _DEFAULT)
    if message.webhook:
        payload["webhook_id"] = payload["application_id"] = str(world.bot.id)
    if message.replies_to is not None and with_reference:
        payload.update(_reference(world, message))
    return payload


def _reference(world: World, message: Message) -> Json:
    reference = {"type": 0, "message_id": str(message.replies_to), "channel_id": str(message.channel.id)}
    if message.channel.guild_id is not None:
        reference["guild_id"] = str(message.channel.guild_id)
    referred = world.histories[message.channel.id].get(message.replies_to or 0)
    resolved = None if referred is None else message_payload(world, referred, with_reference=False)
    return {"type": _REPLY, "message_reference": reference, "referenced_message": resolved}


def message_json(world: World, message: Message) -> str:
    """The message as JSON text, encoded once until it changes."""
    if message.encoded is None:
        message.encoded = encode(message_payload(world, message))
    return message.encoded
