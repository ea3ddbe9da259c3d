"""Making interactions and finding them again.

An interaction is delivered over the gateway only; the bot answers it by HTTP under its id and token. What is too old to
be answered is forgotten as new ones are made, so a chaos run's buttons do not pile up.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from sandbox.discord.changes import Announcer, InteractionChanged
from sandbox.discord.interactions.interaction import TOKEN_LIVES, Interaction, InteractionKind
from sandbox.discord.rules.errors import refusal
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
    """All interactions whose token may still live."""

    def __init__(self, world: World, announcer: Announcer) -> None:
        self._world = world
        self._announcer = announcer
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
        """Make an interaction and deliver it to the bot."""
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
        self._announcer.publish(InteractionChanged(interaction))
        return interaction

    def get(self, interaction_id: int) -> Interaction | None:
        """An interaction by id, while it is remembered."""
        return self._by_id.get(interaction_id)

    def peek(self, token: str) -> Interaction | None:
        """The interaction of a token, whatever its state."""
        return self._by_token.get(token)

    def to_answer(self, interaction_id: int, token: str) -> Interaction:
        """The interaction that a first answer is for.

        Raises:
            ApiError: 10062 when it is unknown or three seconds have passed, 40060 when it has an answer.
        """
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise refusal(10062)
        if interaction.answer is not None:
            raise refusal(40060)
        if not interaction.may_be_answered(self._world.clock.monotonic()):
            raise refusal(10062)
        return interaction

    def by_webhook(self, token: str) -> Interaction:
        """The answered interaction that a follow-up is for.

        Raises:
            ApiError: 50027 when the token is unknown or 15 minutes old, 10015 when there was no first answer yet.
        """
        interaction = self._by_token.get(token)
        if interaction is None or not interaction.token_lives(self._world.clock.monotonic()):
            raise refusal(50027)
        if interaction.answer is None:
            raise refusal(10015)
        return interaction

    def fail(self, interaction: Interaction) -> None:
        """Note that no answer came: what a person reads as "The application did not respond"."""
        interaction.failed = True
        self._announcer.publish(InteractionChanged(interaction))

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
    """What the messages of an interaction say of it.

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
