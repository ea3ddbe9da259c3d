"""Accepting messages: the one place where a checked draft becomes a message.

Requests, interactions' answers, follow-ups and people at the page all end here, so that nonces, pings and evidence
cannot be forgotten on one of the ways. Rules have been applied before; what is left to decide is only what needs the
state: whether a nonce was seen, whom the text pings, and how often an old message was edited.
"""

from __future__ import annotations

from sandbox.discord import changes
from sandbox.discord.changes import Announcer
from sandbox.discord.rules.errors import refusal
from sandbox.discord.rules.form import Form
from sandbox.discord.rules.mentions import resolve
from sandbox.discord.rules.messages import Draft, Revision, check_draft, spoken
from sandbox.discord.world.entities import Channel, User
from sandbox.discord.world.evidence import Evidence
from sandbox.discord.world.evidence import Kind as EvidenceKind
from sandbox.discord.world.messages import Json, Message, MessageFlag, Shelf
from sandbox.discord.world.world import World


class Messaging:
    """Creates, edits and deletes messages, and writes each down."""

    def __init__(self, world: World, evidence: Evidence, announcer: Announcer, *, nonce_window: float) -> None:
        self._world = world
        self._evidence = evidence
        self._announcer = announcer
        self._nonce_window = nonce_window
        self._nonces: dict[tuple[int, str], tuple[float, Message]] = {}

    def create(
        self,
        channel: Channel,
        author: User,
        draft: Draft,
        *,
        invoked: Json | None = None,
        visible_to: int | None = None,
        replies_to: int | None = None,
    ) -> Message:
        """Accept a message, or return the earlier one with its nonce when the draft enforces that.

        Raises:
            ApiError: 10008 when the nonce's earlier message was deleted; 50035 when it replies to nothing.
        """
        if draft.nonce is not None and draft.enforce_nonce:
            earlier = self._earlier(author, draft.nonce)
            if earlier is not None:
                self._write_down("create", earlier, returned_earlier=True)
                return earlier
        message = self._compose(channel, author, draft)
        message.visible_to = visible_to
        message.replies_to = message.replies_to or replies_to
        message.invoked = invoked
        message.webhook = invoked is not None
        self._remember(message)
        return self._put(message)

    def _compose(self, channel: Channel, author: User, draft: Draft) -> Message:
        replied = self._replied(channel, draft)
        answered = None if replied is None else replied.author
        return Message(
            id=self._world.ids.next(),
            channel=channel,
            author=author,
            created=self._world.clock.wall(),
            content=draft.content,
            embeds=draft.embeds,
            components=draft.components,
            attachments=draft.attachments,
            flags=draft.flags,
            nonce=draft.nonce,
            replies_to=None if replied is None else replied.id,
            pings=resolve(self._world, channel, author, draft.spoken(), draft.allowed, replied_to=answered),
        )

    def promise(self, channel: Channel, *, invoked: Json, visible_to: int | None, replies_to: int | None) -> Message:
        """The bot's "… is thinking": a message without content that a later edit fills."""
        flags = MessageFlag.LOADING if visible_to is None else MessageFlag.LOADING | MessageFlag.EPHEMERAL
        message = Message(
            id=self._world.ids.next(),
            channel=channel,
            author=self._world.bot,
            created=self._world.clock.wall(),
            flags=flags,
            visible_to=visible_to,
            replies_to=replies_to,
            invoked=invoked,
            webhook=True,
        )
        return self._put(message)

    def say(self, channel: Channel, author: User, text: str) -> Message:
        """A person writes something; Discord's rules hold for them too."""
        return self.create(channel, author, check_draft({"content": text}, []))

    def revise(self, message: Message, revision: Revision) -> None:
        """Apply an edit. Mentions are weighed anew only when the content is edited.

        Raises:
            ApiError: 10008 when the message was deleted.
        """
        if self._shelf(message.channel).get(message.id) is None:
            raise refusal(10008)
        if revision.content is not None:
            message.content = revision.content
        if revision.embeds is not None:
            message.embeds = revision.embeds
        if revision.components is not None:
            message.components = revision.components
        if revision.attachments is not None:
            message.attachments = revision.attachments
        if revision.flags is not None:
            message.flags = revision.flags
        if revision.content is not None or MessageFlag.IS_COMPONENTS_V2 in message.flags:
            text = spoken(message.content, message.components)
            message.pings = resolve(self._world, message.channel, message.author, text, revision.allowed)
        if message.loading:
            message.flags &= ~MessageFlag.LOADING
        else:
            message.edited = self._world.clock.wall()
        message.encoded = None
        self._write_down("edit", message)
        self._announcer.publish(changes.MessageEdited(message))

    def delete(self, message: Message) -> None:
        """Delete a message; its nonce stays remembered."""
        self._shelf(message.channel).remove(message)
        self._write_down("delete", message)
        self._announcer.publish(changes.MessageDeleted(message))

    def _shelf(self, channel: Channel) -> Shelf:
        """The channel's messages; 10003 when the channel is gone, which an interaction may outlive."""
        shelf = self._world.shelves.get(channel.id)
        if shelf is None:
            raise refusal(10003)
        return shelf

    def _put(self, message: Message) -> Message:
        self._shelf(message.channel).put(message)
        if message.visible_to is None:
            message.channel.last_message_id = message.id
        self._write_down("create", message)
        self._announcer.publish(changes.MessageCreated(message))
        return message

    def _write_down(self, kind: EvidenceKind, message: Message, *, returned_earlier: bool = False) -> None:
        clock = self._world.clock
        self._evidence.record(
            kind, message, monotonic=clock.monotonic(), wall=clock.wall(), returned_earlier=returned_earlier
        )

    def _replied(self, channel: Channel, draft: Draft) -> Message | None:
        if draft.replies_to is None:
            return None
        message = self._shelf(channel).get(draft.replies_to)
        if message is None and not draft.reply_may_be_gone:
            form = Form()
            form.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            form.refuse()
        return message

    def _earlier(self, author: User, nonce: str | int) -> Message | None:
        """The message of this author with this nonce, while it is remembered.

        Source: https://docs.discord.com/developers/resources/message#create-message, and the feature's author on the
        window and on deleted messages: https://github.com/discord/discord-api-docs/pull/6647
        """
        self._forget()
        remembered = self._nonces.get((author.id, str(nonce)))
        if remembered is None:
            return None
        message = remembered[1]
        shelf = self._world.shelves.get(message.channel.id)
        if shelf is None or shelf.get(message.id) is None:
            raise refusal(10008)
        return message

    def _remember(self, message: Message) -> None:
        if message.nonce is not None:
            key = (message.author.id, str(message.nonce))
            self._nonces.pop(key, None)  # so that the order of the dict stays the order of expiry
            self._nonces[key] = (self._world.clock.monotonic() + self._nonce_window, message)

    def _forget(self) -> None:
        now = self._world.clock.monotonic()
        while self._nonces:
            key = next(iter(self._nonces))
            if self._nonces[key][0] > now:
                return
            del self._nonces[key]
