"""Everything that changes in the sandbox, published as it happens.

One stream of small typed changes serves all observers: the gateway sends events to bots, the page is redrawn, and tests
wait for conditions. Publishing is synchronous and in order, so a listener never sees a message before its channel.
Polling the state was rejected, because it makes tests sleep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sandbox.discord.interactions.interaction import Interaction
    from sandbox.discord.world.entities import Channel, Guild, Member
    from sandbox.discord.world.messages import Message

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MessageCreated:
    """A message was accepted."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A message was edited."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A message was deleted."""

    message: Message


@dataclass(frozen=True, slots=True)
class GuildCreated:
    """The bot joined a guild."""

    guild: Guild


@dataclass(frozen=True, slots=True)
class ChannelCreated:
    """A channel or a DM channel was created."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelUpdated:
    """A channel's name, topic or permissions changed."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelDeleted:
    """A channel was deleted with all of its messages."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """A member joined a guild, left it (`gone`), or changed (roles, closed DMs)."""

    guild: Guild
    member: Member
    gone: bool = False


@dataclass(frozen=True, slots=True)
class CommandsChanged:
    """The bot's registered commands changed."""


@dataclass(frozen=True, slots=True)
class InteractionChanged:
    """An interaction was created, was answered, or failed."""

    interaction: Interaction


@dataclass(frozen=True, slots=True)
class GatewayChanged:
    """A bot connected or disconnected."""


@dataclass(frozen=True, slots=True)
class DemoChanged:
    """A process of the demo died or started, or its figures changed."""


@dataclass(frozen=True, slots=True)
class FaultsChanged:
    """A fault was added, removed, or fired."""


Change = (
    MessageCreated
    | MessageEdited
    | MessageDeleted
    | GuildCreated
    | ChannelCreated
    | ChannelUpdated
    | ChannelDeleted
    | MemberChanged
    | CommandsChanged
    | InteractionChanged
    | GatewayChanged
    | DemoChanged
    | FaultsChanged
)


class ChangeFeed:
    """Passes each change to every listener, and wakes tasks that wait for a condition."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Change], None]] = []
        self._changed = asyncio.Event()

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` with every change from now on. Return a function that unsubscribes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, change: Change) -> None:
        """Pass a change to all listeners, in the order in which they subscribed."""
        for listener in tuple(self._listeners):
            listener(change)
        self.wake()

    def wake(self) -> None:
        """Make all waiting tasks check their conditions again."""
        self._changed.set()
        self._changed.clear()  # set() has already released all waiting tasks

    async def wait_for(self, predicate: Callable[[], T], *, timeout: float) -> T:
        """Wait until `predicate()` is true and return its value. It is checked after each change.

        Raises:
            TimeoutError: it was not true within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not (value := predicate()):
                await self._changed.wait()
        return value
