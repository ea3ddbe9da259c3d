"""A Discord that keeps its messages, and forgets a nonce exactly when the product may no longer rely on it.

Every request stops here until the run decides what becomes of it, so nothing happens at an unforeseen moment. The
sandbox's Discord was rejected for this: over HTTP the same would take three times as long, and its clock is its own.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.discord.ids import delivery_id_of, first_id_at
from tests.model.run import Run

RUN: ContextVar[Run] = ContextVar("run")
"""What the task that asks Discord belongs to."""
PAUSE = 5.0
"""The seconds for which Discord asks."""


def dm_channel(user_id: int) -> int:
    """Return the channel of direct messages with a user."""
    return user_id + 10_000


class Answer(enum.Enum):
    """What becomes of a request. `TAKEN_` means that Discord did it, whatever the bot learns of that."""

    YES = "yes"
    REFUSED = "no, and never"
    GONE = "there is no such message"
    POSTPONED = "not now"
    ASKED = "not for five seconds"
    TOO_MANY = "not for five seconds, nor anything else here"
    LOST = "no answer"
    TAKEN_LOST = "done, and no answer"
    HELD = "still on its way"
    TAKEN_HELD = "done, and the answer is still on its way"
    DIES = "the bot dies before it is heard"
    TAKEN_DIES = "done, and the bot dies before it hears so"
    BLIND = "an empty history"

    @property
    def is_taken(self) -> bool:
        """Whether Discord does what it was asked."""
        return self in (Answer.YES, Answer.TAKEN_LOST, Answer.TAKEN_HELD, Answer.TAKEN_DIES)


@dataclass
class Call:
    """A request that waits for its answer."""

    kind: str
    channel_id: int
    at: datetime
    run: Run
    payload: dict[str, Any] = field(default_factory=dict)
    delivery_id: UUID | None = None
    nonce: str = ""
    message_id: int | None = None
    before: int | None = None
    game_id: UUID | None = None
    revision: int = 0
    """Of the game, for a request that shows it."""
    is_taken: bool = False
    is_checked: bool = False
    place: tuple[Any, ...] = ()
    answered: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True)
class Message:
    """A message that stands in a channel."""

    id: int
    channel_id: int
    at: datetime
    delivery_id: UUID
    payload: dict[str, Any]

    @property
    def pings(self) -> frozenset[int]:
        """Whom it pings."""
        return frozenset(int(user) for user in self.payload["allowed_mentions"].get("users", ()))


class Discord:
    """What all bots talk to."""

    def __init__(self, remembers: timedelta) -> None:
        self._remembers = remembers
        self.made: list[Message] = []
        """All messages that were ever made."""
        self.messages: list[Message] = []
        """Those that still stand."""
        self.revisions: dict[int, int] = {}
        self._nonces: dict[str, Message] = {}

    def create(self, call: Call, *, now: datetime) -> int:
        """Make a message, or return the one that was made with the same nonce not long ago."""
        earlier = self._nonces.get(call.nonce)
        if earlier is not None and now < earlier.at + self._remembers:
            return earlier.id
        assert call.delivery_id is not None
        made = Message(first_id_at(now) + len(self.made), call.channel_id, now, call.delivery_id, call.payload)
        self.made.append(made)
        self.messages.append(made)
        self._nonces[call.nonce] = made
        self.revisions[made.id] = call.revision
        return made.id

    def edit(self, call: Call) -> None:
        """Let a post show something else."""
        if call.message_id is not None:
            self.revisions[call.message_id] = call.revision

    def delete(self, message_id: int) -> None:
        """Forget a post, as when a person deletes it."""
        del self.revisions[message_id]
        self.messages = [message for message in self.messages if message.id != message_id]

    def read(self, call: Call) -> list[dict[str, Any]]:
        """Return the messages of a channel, newest first, as the API shows them."""
        here = [message for message in self.messages if message.channel_id == call.channel_id]
        older = [message for message in here if call.before is None or message.id < call.before]
        return [{"id": str(message.id), **message.payload} for message in reversed(older)]

    def made_for(self, delivery_id: UUID) -> int | None:
        """Return the message that was made for a recipient."""
        return next((message.id for message in self.messages if message.delivery_id == delivery_id), None)

    def knows(self, channel_id: int) -> bool:
        """Whether anything stands in a channel."""
        return any(message.channel_id == channel_id for message in self.messages)


class Api:
    """Discord as the delivery code of one process sees it."""

    def __init__(self, called: Callable[[Call], None], now: Callable[[], datetime]) -> None:
        self._called = called
        self._now = now

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, nonce: str) -> int:
        delivery_id = delivery_id_of(nonce)
        made: int = await self._ask("create", channel_id, payload=payload, delivery_id=delivery_id, nonce=nonce)
        return made

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        await self._ask("edit", channel_id, payload=payload, message_id=message_id)

    async def list_messages(self, channel_id: int, *, before: int | None = None) -> list[dict[str, Any]]:
        page: list[dict[str, Any]] = await self._ask("read", channel_id, before=before)
        return page

    async def open_dm(self, user_id: int) -> int:
        raise AssertionError("the run told the database where everybody's direct messages go")

    async def ping(self) -> None:
        return

    async def _ask(self, kind: str, channel_id: int, **told: Any) -> Any:
        call = Call(kind, channel_id, self._now(), RUN.get(), **told)
        self._called(call)
        return await call.answered
