"""What happens in the sandbox, announced as it happens.

One stream of small typed facts feeds everything that follows the world: the gateway tells bots, the page is redrawn,
and tests wait on conditions. Publishing is synchronous and in order, so a listener never sees a message before the
channel it stands in. Letting listeners poll the state instead was rejected: polling is where tests begin to sleep.
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
    """A message has other content than before."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A message is gone."""

    message: Message


@dataclass(frozen=True, slots=True)
class GuildCreated:
    """The bot is in a new guild."""

    guild: Guild


@dataclass(frozen=True, slots=True)
class ChannelCreated:
    """A channel, or a direct-message channel, was opened."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelUpdated:
    """A channel's name, topic or permissions changed."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class ChannelDeleted:
    """A channel is gone, with all that was in it."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """Someone joined a guild, left it (`gone`), or changed (roles, closed direct messages)."""

    guild: Guild
    member: Member
    gone: bool = False


@dataclass(frozen=True, slots=True)
class CommandsChanged:
    """The bot registered other commands."""


@dataclass(frozen=True, slots=True)
class InteractionChanged:
    """An interaction was made, answered, or failed."""

    interaction: Interaction


@dataclass(frozen=True, slots=True)
class GatewayChanged:
    """A bot connected or disconnected."""


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
    | FaultsChanged
)


class Announcer:
    """Hands each change to every listener, and wakes those who wait for a condition."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Change], None]] = []
        self._changed = asyncio.Event()

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` with every change from now on; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, change: Change) -> None:
        """Tell everyone, in the order in which they subscribed."""
        for listener in tuple(self._listeners):
            listener(change)
        self.wake()

    def wake(self) -> None:
        """Let everyone who waits ask again."""
        self._changed.set()
        self._changed.clear()  # set() has already released everyone who waits now

    async def wait_for(self, predicate: Callable[[], T], *, timeout: float) -> T:
        """Wait until `predicate()` is true, asking again after each change; returns what it returned.

        Raises:
            TimeoutError: it was not true within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not (value := predicate()):
                await self._changed.wait()
        return value
