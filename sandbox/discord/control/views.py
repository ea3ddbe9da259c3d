"""The sandbox in JSON, for the page and for scenarios in other processes.

Messages are Discord's own JSON plus what only the sandbox knows (who sees them, whom they ping). Everything else has
only the fields that the page needs.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.discord.engine import Engine
from sandbox.discord.gateway.gateway import Gateway
from sandbox.discord.interactions.interaction import Interaction, InteractionResult
from sandbox.discord.world.commands import Leaf
from sandbox.discord.world.entities import Channel, Guild, Thread, User
from sandbox.discord.world.messages import Message
from sandbox.discord.world.payloads import encode, message_json
from sandbox.discord.world.permissions import Permission

Json = dict[str, Any]


def state_view(engine: Engine) -> Json:
    """Return the whole state except messages."""
    world = engine.world
    return {
        "url": engine.url,
        "bot": {**user_view(world.bot), "online": engine.gateway.online, "sessions": len(engine.gateway.sessions)},
        "users": [user_view(user) for user in world.users.values() if not user.bot],
        "guilds": [guild_view(engine, guild) for guild in world.guilds.values()],
        "dms": [channel_view(channel) for channel in world.channels.values() if channel.recipient is not None],
        "faults": faults_view(engine),
        "limits": engine.limiter.limits.to_json(),
        "gateway": gateway_view(engine.gateway),
        "evidence": len(engine.evidence.records),
        "invalid_requests": len(engine.limiter.invalid),
        "rate_limited": +engine.limiter.refused,
        "unimplemented": engine.unimplemented,
        "demo": None if engine.demo is None else engine.demo.view(),
    }


def gateway_view(gateway: Gateway) -> Json:
    """Return what the gateway recommends and allows, the connected shards, and how often it refused a bot."""
    return {
        "recommended_shards": gateway.shard_count(),
        "max_concurrency": gateway.max_concurrency,
        "session_starts_left": gateway.starts_left,
        "shards": [[shard.id, shard.count] for shard in gateway.connected_shards],
        "refused": gateway.refused,
    }


def user_view(user: User) -> Json:
    """Return a user."""
    return {
        "id": str(user.id),
        "name": user.display_name,
        "colour": user.colour,
        "bot": user.bot,
        "dms_closed": user.dms_closed,
    }


def channel_view(channel: Channel) -> Json:
    """Return a channel, or a user's direct messages."""
    return {
        "id": str(channel.id),
        "name": channel.name,
        "topic": channel.topic,
        "guild": None if channel.guild_id is None else str(channel.guild_id),
        "recipient": None if channel.recipient is None else str(channel.recipient.id),
        "thread": None if channel.thread is None else thread_view(channel.thread),
        "last_message": None if channel.last_message_id is None else str(channel.last_message_id),
    }


def thread_view(thread: Thread) -> Json:
    """Return what a thread has beside a channel."""
    return {"parent": str(thread.parent.id), "archived": thread.archived, "locked": thread.locked}


def guild_view(engine: Engine, guild: Guild) -> Json:
    """Return a guild with its channels, roles and members."""
    roles = {role_id: role.name for role_id, role in guild.roles.items()}
    return {
        "id": str(guild.id),
        "name": guild.name,
        "channels": [channel_view(channel) for channel in (*guild.channels.values(), *guild.threads.values())],
        "roles": [{"id": str(role_id), "name": name} for role_id, name in roles.items()],
        "members": [
            {
                "id": str(user_id),
                "owner": user_id == guild.owner_id,
                "manager": Permission.MANAGE_GUILD in engine.world.guild_permissions(guild, user_id),
                "roles": [roles[role_id] for role_id in member.role_ids],
            }
            for user_id, member in guild.members.items()
        ],
    }


def faults_view(engine: Engine) -> list[Json]:
    """All faults with how often each fired."""
    now = engine.clock.monotonic()
    return [fault.to_json(now) for fault in engine.faults.all()]


def message_view(engine: Engine, message: Message) -> str:
    """A message as JSON text: Discord's, and the sandbox's own under `sandbox`."""
    own = {
        "visible_to": None if message.visible_to is None else str(message.visible_to),
        "loading": message.loading,
        "pings": [str(user_id) for user_id in _pinged(engine, message)],
        "guild": None if message.channel.guild_id is None else str(message.channel.guild_id),
        "recipient": None if message.channel.recipient is None else str(message.channel.recipient.id),
    }
    return f'{message_json(engine.world, message)[:-1]},"sandbox":{encode(own)}}}'


def interaction_view(interaction: Interaction) -> Json:
    """Return the progress of an interaction."""
    component = interaction.data.get("custom_id") if interaction.source is not None else None
    return {
        "id": str(interaction.id),
        "kind": interaction.kind.name.lower(),
        "name": interaction.name,
        "user": str(interaction.user.id),
        "channel": str(interaction.channel.id),
        "message": None if interaction.source is None else str(interaction.source.id),
        "custom_id": component,
        "answered": interaction.answer is not None,
        "finished": interaction.finished.is_set(),
        "failed": interaction.failed,
    }


def result_view(engine: Engine, result: InteractionResult) -> Json:
    """Return what a user got from an interaction."""
    interaction = result.interaction
    return {
        **interaction_view(interaction),
        "answer": None if interaction.answer is None else interaction.answer.name.lower(),
        "ephemeral": result.ephemeral,
        "message": None if result.message is None else json.loads(message_view(engine, result.message)),
        "followups": [json.loads(message_view(engine, message)) for message in result.followups],
        "modal": interaction.modal,
        "choices": interaction.choices,
    }


def command_view(leaf: Leaf) -> Json:
    """A command that can be run."""
    return {"name": leaf.name, "description": leaf.description, "options": leaf.options}


def _pinged(engine: Engine, message: Message) -> list[int]:
    """Return everyone whom the message notifies, by name, role, @everyone or as a direct message."""
    guild = engine.world.guild_of(message.channel)
    if guild is None:
        recipient = message.channel.recipient
        return [] if recipient is None or recipient is message.author else [recipient.id]
    roles = set(message.pings.roles)
    return [
        user_id
        for user_id, member in guild.members.items()
        if message.pings.everyone or user_id in message.pings.users or roles.intersection(member.role_ids)
    ]
