"""A Discord that keeps its messages, and forgets a nonce exactly when the product may no longer rely on it.

Every request stops here until the run decides its answer, so nothing happens at an unforeseen moment. The sandbox
Discord was rejected for this: over HTTP a run takes three times as long, and the sandbox has its own clock.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from shared.discord.errors import (
    CLOSED_DMS,
    UNKNOWN_MESSAGE,
    RateLimitedError,
    RequestRejectedError,
    TemporarilyUnavailableError,
    UncertainResultError,
)
from shared.discord.ids import delivery_id_of, first_id_at

PAUSE = 5.0
"""The `retry_after` of Discord's answers, in seconds."""
_FORBIDDEN = 50013
_FIRST_DM_CHANNEL = 10_000


def dm_channel(user_id: int) -> int:
    """Return the channel of DMs with a user."""
    return user_id + _FIRST_DM_CHANNEL


class Answer(enum.Enum):
    """What happens to a request. `DONE_` means that Discord did it, whatever the bot learns of that."""

    YES = "yes"
    REFUSED = "no, and never"
    GONE = "there is no such message"
    POSTPONED = "not now"
    POSTPONED_5_S = "not for five seconds"
    RATE_LIMITED = "not for five seconds, nor anything else here"
    LOST = "no answer"
    DONE_LOST = "done, and no answer"
    HELD = "still on its way"
    DONE_HELD = "done, and the answer is still on its way"
    DIES = "the bot dies before the request arrives"
    DONE_DIES = "done, and the bot dies before it gets the answer"
    BLIND = "an empty history"

    @property
    def is_done(self) -> bool:
        """Return whether Discord does what was requested."""
        return self in (Answer.YES, Answer.DONE_LOST, Answer.DONE_HELD, Answer.DONE_DIES)

    @property
    def is_held(self) -> bool:
        """Return whether the bot waits for the answer."""
        return self in (Answer.HELD, Answer.DONE_HELD)


@dataclass
class Call:
    """A request that waits for its answer."""

    kind: str
    channel_id: int
    at: datetime
    payload: dict[str, Any] = field(default_factory=dict)
    delivery_id: UUID | None = None
    nonce: str = ""
    message_id: int | None = None
    before: int | None = None
    is_done: bool = False
    is_checked: bool = False
    is_blind: bool = False
    """Whether a page was empty because the bot may not read it."""
    answered: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_dm(self) -> bool:
        return self.channel_id > _FIRST_DM_CHANNEL

    @property
    def pings(self) -> set[int]:
        return {int(user) for user in self.payload["allowed_mentions"].get("users", ())}


@dataclass(frozen=True)
class Message:
    """A message in a channel."""

    id: int
    channel_id: int
    at: datetime
    delivery_id: UUID
    payload: dict[str, Any]

    @property
    def pings(self) -> frozenset[int]:
        return frozenset(int(user) for user in self.payload["allowed_mentions"].get("users", ()))


class Discord:
    """The Discord of all bots."""

    def __init__(self, remembers: timedelta) -> None:
        self._remembers = remembers
        self.created: list[Message] = []
        """All messages that were ever created, as they were then."""
        self.messages: dict[int, Message] = {}
        """Those that exist, as they are now."""
        self._nonces: dict[str, Message] = {}

    def do(self, call: Call, now: datetime) -> None:
        """Do what a request asks for, once."""
        if call.is_done or call.kind == "read":
            return
        call.is_done = True
        if call.kind == "create":
            call.message_id = self._create(call, now)
        elif call.message_id in self.messages:
            self.messages[call.message_id] = replace(self.messages[call.message_id], payload=call.payload)

    def answer(self, call: Call, answer: Answer, now: datetime) -> None:
        """Give the bot an answer, after doing what was requested if the answer says so."""
        answer = self._possible(call, answer)
        if answer.is_done:
            self.do(call, now)
        match answer:
            case Answer.REFUSED:
                code = CLOSED_DMS if call.kind == "create" and call.is_dm else _FORBIDDEN
                call.answered.set_exception(RequestRejectedError("no", code=code))
            case Answer.GONE:
                self.messages.pop(call.message_id or 0, None)
                call.answered.set_exception(RequestRejectedError("no", code=UNKNOWN_MESSAGE))
            case Answer.POSTPONED:
                call.answered.set_exception(TemporarilyUnavailableError("not now"))
            case Answer.POSTPONED_5_S:
                call.answered.set_exception(TemporarilyUnavailableError("not now", retry_after=PAUSE))
            case Answer.RATE_LIMITED:
                call.answered.set_exception(RateLimitedError("slower", retry_after=PAUSE, is_global=False))
            case Answer.LOST | Answer.DONE_LOST:
                call.answered.set_exception(UncertainResultError("no answer"))
            case _:
                call.is_blind = answer is Answer.BLIND
                result = ([] if call.is_blind else self._read(call)) if call.kind == "read" else call.message_id
                call.answered.set_result(result)

    def message_of(self, delivery_id: UUID) -> int | None:
        """Return the message that exists for a delivery."""
        return next((message.id for message in self.messages.values() if message.delivery_id == delivery_id), None)

    def _possible(self, call: Call, answer: Answer) -> Answer:
        """Return the nearest answer that the request can have: only an edit finds that its message is gone, and DMs can
        always be read."""
        if answer.is_held or (answer is Answer.BLIND and (call.kind != "read" or call.is_dm)):
            answer = Answer.YES
        if call.kind != "edit":
            return Answer.REFUSED if answer is Answer.GONE else answer
        return Answer.GONE if answer.is_done and call.message_id not in self.messages else answer

    def _create(self, call: Call, now: datetime) -> int:
        earlier = self._nonces.get(call.nonce)
        if earlier is not None and now < earlier.at + self._remembers:
            return earlier.id
        assert call.delivery_id is not None
        message_id = first_id_at(now) + len(self.created)
        created = Message(message_id, call.channel_id, now, call.delivery_id, call.payload)
        self.created.append(created)
        self.messages[created.id] = self._nonces[call.nonce] = created
        return created.id

    def _read(self, call: Call) -> list[dict[str, Any]]:
        """Return the messages of a channel, newest first, as the API shows them."""
        here = [message for message in self.messages.values() if message.channel_id == call.channel_id]
        older = [message for message in here if call.before is None or message.id < call.before]
        return [{"id": str(message.id), **message.payload} for message in reversed(older)]


class StubClient:
    """Discord's REST API as the delivery code of one process sees it."""

    def __init__(self, called: Callable[[Call], None], now: Callable[[], datetime]) -> None:
        self._called = called
        self._now = now
        self._last_calls: WeakKeyDictionary[asyncio.Task[Any] | None, Call] = WeakKeyDictionary()
        """By the task that made it, because a bot handles several messages at once."""

    async def create_message(self, channel_id: int, payload: dict[str, Any], *, nonce: str) -> int:
        delivery_id = delivery_id_of(nonce)
        created: int = await self._call("create", channel_id, payload=payload, delivery_id=delivery_id, nonce=nonce)
        return created

    async def edit_message(self, channel_id: int, message_id: int, payload: dict[str, Any]) -> None:
        await self._call("edit", channel_id, payload=payload, message_id=message_id)

    async def list_messages(self, channel_id: int, *, before: int | None = None) -> list[dict[str, Any]]:
        page: list[dict[str, Any]] = await self._call("read", channel_id, before=before)
        return page

    async def may_read_history(self, channel_id: int) -> bool:
        return not self._last_calls[asyncio.current_task()].is_blind

    async def open_dm(self, user_id: int) -> int:
        return dm_channel(user_id)

    async def ping(self) -> None:
        return

    async def _call(self, kind: str, channel_id: int, **fields: Any) -> Any:
        call = self._last_calls[asyncio.current_task()] = Call(kind, channel_id, self._now(), **fields)
        self._called(call)
        return await call.answered
