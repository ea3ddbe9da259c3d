"""The bot's answer to an interaction, and its follow-ups.

The rules are: which answers are valid for which interaction, what `@original` refers to after each, and that the first
follow-up to a deferred answer fills it in. Source:
https://docs.discord.com/developers/interactions/receiving-and-responding#responding-to-an-interaction
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.changes import ChangeFeed, InteractionChanged
from sandbox.discord.interactions.interaction import AnswerKind, Interaction, InteractionKind
from sandbox.discord.interactions.registry import invoked
from sandbox.discord.messaging import Messaging
from sandbox.discord.rules.components import check_modal
from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.form import Form, Path
from sandbox.discord.rules.mentions import USERS_ONLY
from sandbox.discord.rules.messages import check_draft, check_revision
from sandbox.discord.world.messages import Message, MessageFlag
from sandbox.discord.world.world import World

Json = dict[str, Any]

MAX_CHOICES = 25
_DATA = ("data",)
_FITTING: dict[InteractionKind, frozenset[AnswerKind]] = {
    InteractionKind.COMMAND: frozenset({AnswerKind.MESSAGE, AnswerKind.DEFERRED_MESSAGE, AnswerKind.MODAL}),
    InteractionKind.COMPONENT: frozenset(AnswerKind) - {AnswerKind.CHOICES},
    InteractionKind.AUTOCOMPLETE: frozenset({AnswerKind.CHOICES}),
    InteractionKind.MODAL_SUBMIT: frozenset(AnswerKind) - {AnswerKind.CHOICES, AnswerKind.MODAL},
}


class Answers:
    """Processes callbacks and follow-ups."""

    def __init__(self, world: World, messaging: Messaging, feed: ChangeFeed) -> None:
        self._world = world
        self._messaging = messaging
        self._feed = feed

    def answer(self, interaction: Interaction, body: Json, uploads: list[Json]) -> None:
        """Process the first answer.

        Raises:
            ApiError: 50035 if the answer is invalid, or invalid for this interaction.
        """
        kind = _answer_kind(interaction, body)
        data = _data(body)
        original: Message | None = None
        if kind is AnswerKind.MESSAGE:
            original = self._respond(interaction, data, uploads, under=_DATA)
        elif kind is AnswerKind.DEFERRED_MESSAGE:
            original = self._defer(interaction, data)
        elif kind is AnswerKind.UPDATE:
            original = self._update(interaction, data, uploads)
        elif kind is AnswerKind.DEFERRED_UPDATE:
            original = interaction.source
        elif kind is AnswerKind.CHOICES:
            interaction.choices = _check_choices(data)
        else:
            check_modal(data, under=_DATA)
            interaction.modal = data
        interaction.settle(kind, original)
        self._feed.publish(InteractionChanged(interaction))

    def follow_up(self, interaction: Interaction, body: Json, uploads: list[Json]) -> Message:
        """Send another message, or fill in the deferred answer if it is still empty."""
        original = interaction.original
        if interaction.answer is AnswerKind.DEFERRED_MESSAGE and original is not None and original.loading:
            return self.edit(interaction, original, body, uploads)
        message = self._respond(interaction, body, uploads)
        interaction.followups.append(message)
        self._finish(interaction)
        return message

    def edit(self, interaction: Interaction, message: Message, body: Json, uploads: list[Json]) -> Message:
        """Edit the answer or a follow-up."""
        self._messaging.revise(message, check_revision(message, body, uploads, default=USERS_ONLY))
        self._finish(interaction)
        return message

    def delete(self, interaction: Interaction, message: Message) -> None:
        """Delete the answer or a follow-up."""
        self._messaging.delete(message)
        self._finish(interaction)

    def find(self, interaction: Interaction, reference: str) -> Message:
        """Return the message that `@original` or an id refers to for this interaction.

        Raises:
            ApiError: 10008 if there is none, or it was deleted.
        """
        mine = [interaction.original, *interaction.followups]
        wanted = interaction.original
        if reference != "@original":
            wanted = next((message for message in mine if message and str(message.id) == reference), None)
        history = self._world.histories.get(interaction.channel.id)
        if wanted is None or history is None or history.get(wanted.id) is None:
            raise api_error(10008)
        return wanted

    def _respond(self, interaction: Interaction, data: Json, uploads: list[Json], *, under: Path = ()) -> Message:
        draft = check_draft(data, uploads, default=USERS_ONLY, under=under)
        ephemeral = MessageFlag.EPHEMERAL in draft.flags
        return self._messaging.create(
            interaction.channel,
            self._world.bot,
            draft,
            invoked=invoked(interaction),
            visible_to=interaction.user.id if ephemeral else None,
            replies_to=None if interaction.source is None else interaction.source.id,
        )

    def _defer(self, interaction: Interaction, data: Json) -> Message:
        form = Form(under=_DATA)
        ephemeral = MessageFlag.EPHEMERAL in MessageFlag(form.integer(("flags",), data.get("flags")))
        form.refuse()
        return self._messaging.create_placeholder(
            interaction.channel,
            invoked=invoked(interaction),
            visible_to=interaction.user.id if ephemeral else None,
            replies_to=None if interaction.source is None else interaction.source.id,
        )

    def _update(self, interaction: Interaction, data: Json, uploads: list[Json]) -> Message | None:
        message = interaction.source
        if message is not None:
            revision = check_revision(message, data, uploads, default=USERS_ONLY, under=_DATA)
            self._messaging.revise(message, revision)
        return message

    def _finish(self, interaction: Interaction) -> None:
        if not interaction.finished.is_set():
            interaction.finished.set()
            self._feed.publish(InteractionChanged(interaction))


def _answer_kind(interaction: Interaction, body: Json) -> AnswerKind:
    fitting = _FITTING[interaction.kind]
    if interaction.source is None:
        fitting = fitting - {AnswerKind.UPDATE, AnswerKind.DEFERRED_UPDATE}
    given = body.get("type")
    if given not in fitting:
        form = Form()
        choices = ", ".join(str(int(kind)) for kind in sorted(fitting))
        form.add(("type",), "BASE_TYPE_CHOICES", f"Value must be one of {{{choices}}}.")
        form.refuse()
    return AnswerKind(int(given or 0))


def _data(body: Json) -> Json:
    form = Form()
    data = form.mapping(_DATA, body.get("data"))
    form.refuse()
    return data


def _check_choices(data: Json) -> list[Json]:
    form = Form(under=_DATA)
    choices = form.items(("choices",), data.get("choices"), most=MAX_CHOICES)
    for index, choice in enumerate(choices):
        form.text(("choices", index, "name"), choice.get("name"), least=1, most=100, optional=False)
    form.refuse()
    return choices
