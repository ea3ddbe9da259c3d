"""Messages and the histories of channels.

A history keeps sorted ids beside the messages. A page of history then costs a bisection, also in a channel that a chaos
run has filled with a hundred thousand messages.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any

from sandbox.discord.world.entities import Channel, User

Json = dict[str, Any]


class MessageFlag(IntFlag):
    """Message flags by Discord's names.

    Source: https://docs.discord.com/developers/resources/message#message-object-message-flags
    """

    SUPPRESS_EMBEDS = 1 << 2
    EPHEMERAL = 1 << 6
    LOADING = 1 << 7
    SUPPRESS_NOTIFICATIONS = 1 << 12
    IS_COMPONENTS_V2 = 1 << 15


NO_FLAGS = MessageFlag(0)


@dataclass(frozen=True, slots=True)
class Pings:
    """Who is notified: the mentions that remain after `allowed_mentions` and permissions."""

    users: tuple[int, ...] = ()
    roles: tuple[int, ...] = ()
    everyone: bool = False


@dataclass(slots=True)
class Message:
    """One message. Ephemeral ones have `visible_to`; `invoked` is the interaction metadata of an answer."""

    id: int
    channel: Channel
    author: User
    created: float
    content: str = ""
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    flags: MessageFlag = NO_FLAGS
    pings: Pings = Pings()
    nonce: str | int | None = None
    edited: float | None = None
    visible_to: int | None = None
    replies_to: int | None = None
    invoked: Json | None = None
    webhook: bool = False
    encoded: str | None = None

    @property
    def loading(self) -> bool:
        """Whether this is still "… is thinking"."""
        return MessageFlag.LOADING in self.flags

    def component(self, custom_id: str) -> Json | None:
        """The button or select with this id, wherever it is nested."""
        return next((part for part in walk_components(self.components) if part.get("custom_id") == custom_id), None)


def walk_components(components: object) -> Iterator[Json]:
    """Yield every component, outer before inner, through rows, sections, containers and labels."""
    for part in components if isinstance(components, list) else ():
        if isinstance(part, dict):
            yield part
            yield from walk_components(part.get("components"))
            yield from walk_components([part.get("accessory"), part.get("component")])


class MessageHistory:
    """The messages of one channel, oldest first."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._by_id: dict[int, Message] = {}

    def __iter__(self) -> Iterator[Message]:
        return iter(self._by_id.values())

    def get(self, message_id: int) -> Message | None:
        """Return the message, or None if it never existed or was deleted."""
        return self._by_id.get(message_id)

    def put(self, message: Message) -> None:
        """Add the newest message."""
        self._ids.append(message.id)
        self._by_id[message.id] = message

    def remove(self, message: Message) -> None:
        """Delete a message. Its id stays in the sorted list."""
        del self._by_id[message.id]

    def after(self, message_id: int, limit: int) -> list[Message]:
        """Return up to `limit` public messages after `message_id`, oldest first."""
        return self._take(range(bisect_right(self._ids, message_id), len(self._ids)), limit)

    def before(self, message_id: int | None, limit: int) -> list[Message]:
        """Return up to `limit` public messages before `message_id` (None: the latest), newest first."""
        end = len(self._ids) if message_id is None else bisect_left(self._ids, message_id)
        return self._take(range(end - 1, -1, -1), limit)

    def _take(self, positions: range, limit: int) -> list[Message]:
        taken: list[Message] = []
        for position in positions:
            if len(taken) == limit:
                break
            message = self._by_id.get(self._ids[position])
            if message is not None and message.visible_to is None:
                taken.append(message)
        return taken
