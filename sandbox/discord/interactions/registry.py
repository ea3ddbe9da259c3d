"""Creates interactions and finds them again.

An interaction is delivered over the gateway only. The bot answers it over HTTP with its id and token. Interactions that
are too old to be answered are dropped when new ones are created.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from sandbox.discord.changes import ChangeFeed, InteractionChanged
from sandbox.discord.interactions.interaction import TOKEN_LIVES, Interaction, InteractionKind
from sandbox.discord.rules.errors import api_error
from sandbox.discord.world.entities import Channel, User
from sandbox.discord.world.messages import Message
from sandbox.discord.world.payloads import (
    channel_payload,
    guild_payload,
    member_payload,
    message_payload,
    user_payload,
)
from sandbox.discord.world.world import World

Json = dict[str, Any]

_ATTACHMENT_LIMIT = 10 * 1024 * 1024
_GUILD, _BOT_DM = 0, 1


class Interactions:
    """All interactions whose tokens may still be valid."""

    def __init__(self, world: World, feed: ChangeFeed) -> None:
        self._world = world
        self._feed = feed
        self._by_token: dict[str, Interaction] = {}
        self._by_id: dict[int, Interaction] = {}
        self.deliver: Callable[[Interaction], None] = lambda interaction: None

    def make(
        self,
        kind: InteractionKind,
        user: User,
        channel: Channel,
        data: Json,
        *,
        name: str = "",
        source: Message | None = None,
        opened_by: Interaction | None = None,
    ) -> Interaction:
        """Create an interaction and deliver it to the bot."""
        self._forget()
        interaction = Interaction(
            id=self._world.ids.next(),
            token=secrets.token_urlsafe(48),
            kind=kind,
            user=user,
            channel=channel,
            data=data,
            made=self._world.clock.monotonic(),
            name=name,
            source=source,
            opened_by=opened_by,
        )
        self._by_token[interaction.token] = interaction
        self._by_id[interaction.id] = interaction
        self.deliver(interaction)
        self._feed.publish(InteractionChanged(interaction))
        return interaction

    def get(self, interaction_id: int) -> Interaction | None:
        """Return an interaction by id, while it is remembered."""
        return self._by_id.get(interaction_id)

    def peek(self, token: str) -> Interaction | None:
        """Return the interaction of a token in any state."""
        return self._by_token.get(token)

    def get_for_answer(self, interaction_id: int, token: str) -> Interaction:
        """Return the interaction for a first answer.

        Raises:
            ApiError: 10062 if it is unknown or older than three seconds, 40060 if it was already answered.
        """
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise api_error(10062)
        if interaction.answer is not None:
            raise api_error(40060)
        if not interaction.may_be_answered(self._world.clock.monotonic()):
            raise api_error(10062)
        return interaction

    def get_for_followup(self, token: str) -> Interaction:
        """Return the answered interaction for a follow-up.

        Raises:
            ApiError: 50027 if the token is unknown or 15 minutes old, 10015 if there was no first answer yet.
        """
        interaction = self._by_token.get(token)
        if interaction is None or not interaction.token_lives(self._world.clock.monotonic()):
            raise api_error(50027)
        if interaction.answer is None:
            raise api_error(10015)
        return interaction

    def fail(self, interaction: Interaction) -> None:
        """Record that no answer came. Discord shows "The application did not respond"."""
        interaction.failed = True
        self._feed.publish(InteractionChanged(interaction))

    def _forget(self) -> None:
        now = self._world.clock.monotonic()
        while self._by_token:
            oldest = next(iter(self._by_token.values()))
            if now - oldest.made <= TOKEN_LIVES:
                return
            del self._by_token[oldest.token], self._by_id[oldest.id]


def interaction_payload(world: World, interaction: Interaction) -> Json:
    """https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object."""
    channel, user = interaction.channel, interaction.user
    payload: Json = {
        "id": str(interaction.id),
        "application_id": str(world.bot.id),
        "type": int(interaction.kind),
        "data": interaction.data,
        "token": interaction.token,
        "version": 1,
        "channel_id": str(channel.id),
        "channel": {**channel_payload(channel), "permissions": str(int(world.permissions(channel, user.id)))},
        "app_permissions": str(int(world.permissions(channel, world.bot.id))),
        "locale": "en-US",
        "entitlements": [],
        "attachment_size_limit": _ATTACHMENT_LIMIT,
    }
    guild = world.guild_of(channel)
    if guild is None:
        payload.update(user=user_payload(user), context=_BOT_DM, authorizing_integration_owners={"0": "0"})
    else:
        payload.update(
            guild_id=str(guild.id),
            guild={"id": str(guild.id), "locale": "en-US", "features": guild_payload(guild)["features"]},
            guild_locale="en-US",
            context=_GUILD,
            authorizing_integration_owners={"0": str(guild.id)},
            member={
                **member_payload(guild.members[user.id]),
                "permissions": str(int(world.permissions(channel, user.id))),
            },
        )
    if interaction.source is not None:
        payload["message"] = message_payload(world, interaction.source)
    return payload


def invoked(interaction: Interaction) -> Json:
    """Return the interaction metadata of an answer's messages.

    https://docs.discord.com/developers/resources/message#message-interaction-metadata-object
    """
    user = user_payload(interaction.user)
    metadata: Json = {
        "id": str(interaction.id),
        "type": int(interaction.kind),
        "user": user,
        "authorizing_integration_owners": {},
    }
    if interaction.source is not None:
        metadata["interacted_message_id"] = str(interaction.source.id)
    said: Json = {"interaction_metadata": metadata}
    if interaction.kind is InteractionKind.COMMAND:
        said["interaction"] = {"id": str(interaction.id), "type": 2, "name": interaction.name, "user": user}
    return said
