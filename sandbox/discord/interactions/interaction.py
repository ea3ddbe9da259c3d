"""One interaction: an action of a user, and the bot's answer.

Discord's time limits are here: three seconds to answer, and fifteen minutes for the token. The object has two events,
so that a caller can wait for the answer instead of polling.
Source: https://docs.discord.com/developers/interactions/receiving-and-responding
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from sandbox.discord.world.entities import Channel, User
from sandbox.discord.world.messages import Message

Json = dict[str, Any]

ANSWER_WITHIN = 3.0
TOKEN_LIVES = 900.0


class InteractionKind(IntEnum):
    """The kind of action."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class AnswerKind(IntEnum):
    """How the bot answered, by Discord's numbers."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE = 7
    CHOICES = 8
    MODAL = 9


@dataclass(slots=True)
class Interaction:
    """An interaction from its creation to its last follow-up. Times are on the monotonic clock.

    Attributes:
        source: the message whose component was used.
        answer: None until the bot has answered.
        original: the message that `@original` refers to: the answer, or the updated message.
        opened_by: the interaction whose modal this one submits.
    """

    id: int
    token: str
    kind: InteractionKind
    user: User
    channel: Channel
    data: Json
    made: float
    name: str = ""
    source: Message | None = None
    opened_by: Interaction | None = None
    answer: AnswerKind | None = None
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    modal: Json | None = None
    choices: list[Json] = field(default_factory=list)
    failed: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def may_be_answered(self, now: float) -> bool:
        """Return whether a first answer is still in time."""
        return now - self.made <= ANSWER_WITHIN

    def token_lives(self, now: float) -> bool:
        """Return whether follow-ups and edits are still possible."""
        return now - self.made <= TOKEN_LIVES

    def settle(self, answer: AnswerKind, original: Message | None) -> None:
        """Record the first answer. A deferred answer is finished later."""
        self.answer = answer
        self.original = original
        self.answered.set()
        if answer not in (AnswerKind.DEFERRED_MESSAGE, AnswerKind.DEFERRED_UPDATE):
            self.finished.set()


@dataclass(frozen=True, slots=True)
class InteractionResult:
    """What a user sees of an interaction. It reflects later edits."""

    interaction: Interaction

    @property
    def id(self) -> int:
        """The interaction's id."""
        return self.interaction.id

    @property
    def answered(self) -> bool:
        """Whether the bot answered in time. Otherwise Discord shows "The application did not respond"."""
        return self.interaction.answer is not None

    @property
    def kind(self) -> AnswerKind | None:
        """How the bot answered."""
        return self.interaction.answer

    @property
    def message(self) -> Message | None:
        """The answer, or the message that was updated."""
        return self.interaction.original

    @property
    def content(self) -> str:
        """The text of `message`, or "" if there is none."""
        return "" if self.interaction.original is None else self.interaction.original.content

    @property
    def ephemeral(self) -> bool:
        """Whether only this user sees the answer."""
        return self.interaction.original is not None and self.interaction.original.visible_to is not None

    @property
    def followups(self) -> list[Message]:
        """Messages that the bot sent after its answer."""
        return self.interaction.followups

    @property
    def modal(self) -> Json | None:
        """The modal that the bot opened."""
        return self.interaction.modal

    @property
    def choices(self) -> list[Json]:
        """What the bot offered as completions."""
        return self.interaction.choices

    async def done(self, *, timeout: float = 15.0) -> InteractionResult:
        """Wait until a deferred answer is filled in, by an edit of the original or a follow-up.

        Raises:
            TimeoutError: it was not within `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            await self.interaction.finished.wait()
        return self
