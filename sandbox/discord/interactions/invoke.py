"""Actions of users: running a command, pressing a button, typing into an option, submitting a modal.

An action that Discord's client would not offer is rejected with a sentence: a hidden command, a disabled button, an
ephemeral message of another user. Otherwise it becomes an interaction. Its answer is awaited for up to three seconds.
"""

from __future__ import annotations

import asyncio
from typing import Any

from sandbox.discord.interactions.interaction import (
    ANSWER_WITHIN,
    Interaction,
    InteractionKind,
    InteractionResult,
)
from sandbox.discord.interactions.modals import fill_modal
from sandbox.discord.interactions.options import ResolvedOptions
from sandbox.discord.interactions.registry import Interactions
from sandbox.discord.rules.components import BUTTON, LINK_STYLE, PREMIUM_STYLE, SELECTS, STRING_SELECT
from sandbox.discord.rules.errors import UsageError
from sandbox.discord.world.commands import Leaf, may_use
from sandbox.discord.world.entities import Channel, User
from sandbox.discord.world.messages import Message
from sandbox.discord.world.permissions import Permission
from sandbox.discord.world.world import ChannelRef, UserRef, World

Json = dict[str, Any]


class Invoker:
    """Acts as users. All methods raise UsageError for actions that Discord's client would not allow."""

    def __init__(self, world: World, interactions: Interactions) -> None:
        self._world = world
        self._interactions = interactions

    def commands(self, who: UserRef, where: ChannelRef) -> list[Leaf]:
        """Return the commands that a user is shown in a channel, by name."""
        user, channel = self._place(who, where)
        guild = self._world.guild_of(channel)
        leaves = self._world.commands.leaves(channel.guild_id)
        if guild is not None:
            permissions = self._world.guild_permissions(guild, user.id)
            leaves = [leaf for leaf in leaves if may_use(leaf, permissions)]
        return sorted(leaves, key=lambda leaf: leaf.name)

    async def slash(self, who: UserRef, where: ChannelRef, command: str, options: Json) -> InteractionResult:
        """Run a command as a user and wait for the bot's answer."""
        user, channel = self._place(who, where)
        leaf = self._leaf(user, channel, command)
        filled = ResolvedOptions(self._world, channel)
        filled.fill(leaf, options)
        data = _command_data(leaf, filled)
        return await self._await_answer(
            self._interactions.make(InteractionKind.COMMAND, user, channel, data, name=leaf.name)
        )

    async def autocomplete(
        self, who: UserRef, where: ChannelRef, command: str, focused: str, options: Json
    ) -> InteractionResult:
        """Type into the option `focused` as a user. Its text so far is among `options`."""
        user, channel = self._place(who, where)
        leaf = self._leaf(user, channel, command)
        if not any(option["name"] == focused and option.get("autocomplete") for option in leaf.options):
            raise UsageError(f"/{leaf.name} has no suggestions for the option {focused!r}")
        filled = ResolvedOptions(self._world, channel)
        filled.fill(leaf, {focused: "", **options}, focused=focused)
        data = _command_data(leaf, filled)
        return await self._await_answer(
            self._interactions.make(InteractionKind.AUTOCOMPLETE, user, channel, data, name=leaf.name)
        )

    async def click(
        self, who: UserRef, message_id: int, custom_id: str, values: list[str] | None = None
    ) -> InteractionResult:
        """Press a button as a user, or pick `values` in a select."""
        user = self._world.user(who)
        message = self._seen(user, message_id)
        part = message.component(custom_id)
        if part is None:
            raise UsageError(f"message {message_id} has no component {custom_id!r}")
        if part.get("disabled"):
            raise UsageError(f"{part.get('label') or custom_id} is disabled")
        if part.get("type") == BUTTON and part.get("style") in (LINK_STYLE, PREMIUM_STYLE):
            raise UsageError(f"{part.get('label') or custom_id} sends nothing to the bot")
        data: Json = {"custom_id": custom_id, "component_type": part["type"]}
        if part["type"] in SELECTS:
            data.update(self._picked(message.channel, part, values or []))
        return await self._await_answer(
            self._interactions.make(InteractionKind.COMPONENT, user, message.channel, data, source=message)
        )

    async def submit_modal(self, who: UserRef, interaction_id: int, values: Json) -> InteractionResult:
        """Submit an interaction's modal as a user, with text (or a list of values) by custom id."""
        user = self._world.user(who)
        opener = self._interactions.get(interaction_id)
        if opener is None or opener.modal is None or opener.user is not user:
            raise UsageError(f"interaction {interaction_id} opened no modal for {user.display_name}")
        data = fill_modal(opener.modal, values)
        opener_source = opener.source
        return await self._await_answer(
            self._interactions.make(
                InteractionKind.MODAL_SUBMIT,
                user,
                opener.channel,
                data,
                name=opener.name,
                source=opener_source,
                opened_by=opener,
            )
        )

    async def _await_answer(self, interaction: Interaction) -> InteractionResult:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await interaction.answered.wait()
        except TimeoutError:
            self._interactions.fail(interaction)
        return InteractionResult(interaction)

    def _place(self, who: UserRef, where: ChannelRef) -> tuple[User, Channel]:
        try:
            user, channel = self._world.user(who), self._world.channel(where)
        except LookupError as error:
            raise UsageError(str(error)) from error
        if Permission.VIEW_CHANNEL not in self._world.permissions(channel, user.id):
            raise UsageError(f"{user.display_name} can't see #{channel.name}")
        return user, channel

    def _leaf(self, user: User, channel: Channel, command: str) -> Leaf:
        wanted = command.removeprefix("/").strip()
        leaves = self.commands(user, channel)
        for leaf in leaves:
            if leaf.name == wanted:
                return leaf
        names = ", ".join(f"/{leaf.name}" for leaf in leaves) or "none: no bot has registered any"
        raise UsageError(f"{user.display_name} has no command /{wanted} here; there is {names}")

    def _seen(self, user: User, message_id: int) -> Message:
        message = self._world.message(message_id)
        visible = message is not None and message.visible_to in (None, user.id)
        if message is None or not visible:
            raise UsageError(f"{user.display_name} can't see message {message_id}")
        self._place(user, message.channel)
        return message

    def _picked(self, channel: Channel, select: Json, values: list[str]) -> Json:
        least, most = select.get("min_values", 1), select.get("max_values", 1)
        if not least <= len(values) <= most:
            raise UsageError(f"choose {least} to {most} values, not {len(values)}")
        if select["type"] == STRING_SELECT:
            offered = {option["value"] for option in select["options"]}
            if not set(values) <= offered:
                raise UsageError(f"{sorted(set(values) - offered)} are not options; choose from {sorted(offered)}")
            return {"values": values}
        filled = ResolvedOptions(self._world, channel)
        kind = {5: 6, 6: 8, 7: 9, 8: 7}[select["type"]]  # the option type that means the same
        options = [{"name": str(place), "type": kind} for place in range(len(values))]
        filled.fill(Leaf({}, ("select",), "", options), {str(place): value for place, value in enumerate(values)})
        return {"values": [option["value"] for option in filled.options], "resolved": filled.resolved}


def _command_data(leaf: Leaf, filled: ResolvedOptions) -> Json:
    data: Json = {
        "id": leaf.root["id"],
        "name": leaf.root["name"],
        "type": leaf.root["type"],
        "options": leaf.wrap(filled.options),
    }
    if filled.resolved:
        data["resolved"] = filled.resolved
    if leaf.root.get("guild_id"):
        data["guild_id"] = leaf.root["guild_id"]
    return data
