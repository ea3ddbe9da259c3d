"""Accepts messages: the one place where a checked draft becomes a message.

Requests, answers to interactions, follow-ups and users of the page all end here, so that none of them can skip nonces,
pings or evidence. The rules were applied before. Only checks that need the state remain: whether a nonce is known, whom
the text pings, and how often an old message was edited.
"""

from __future__ import annotations

from sandbox.discord import changes
from sandbox.discord.changes import ChangeFeed
from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.form import Form
from sandbox.discord.rules.mentions import resolve
from sandbox.discord.rules.messages import Draft, Revision, check_draft, visible_text
from sandbox.discord.world.entities import Channel, User
from sandbox.discord.world.evidence import Evidence
from sandbox.discord.world.evidence import Kind as EvidenceKind
from sandbox.discord.world.messages import Json, Message, MessageFlag, MessageHistory
from sandbox.discord.world.world import World


class Messaging:
    """Creates, edits and deletes messages, and records each change as evidence."""

    def __init__(self, world: World, evidence: Evidence, feed: ChangeFeed, *, nonce_window: float) -> None:
        self._world = world
        self._evidence = evidence
        self._feed = feed
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
        """Accept a message, or return the earlier message with the same nonce if the draft enforces it.

        Raises:
            ApiError: 10008 if the earlier message was deleted; 50035 if it replies to an unknown message.
        """
        if draft.nonce is not None and draft.enforce_nonce:
            earlier = self._find_by_nonce(author, draft.nonce)
            if earlier is not None:
                self._record("create", earlier, returned_earlier=True)
                return earlier
        message = self._compose(channel, author, draft)
        message.visible_to = visible_to
        message.replies_to = message.replies_to or replies_to
        message.invoked = invoked
        message.webhook = invoked is not None
        self._remember(message)
        return self._store(message)

    def _compose(self, channel: Channel, author: User, draft: Draft) -> Message:
        replied = self._find_replied(channel, draft)
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
            pings=resolve(self._world, channel, author, draft.visible_text(), draft.allowed, replied_to=answered),
        )

    def create_placeholder(
        self, channel: Channel, *, invoked: Json, visible_to: int | None, replies_to: int | None
    ) -> Message:
        """Create the "… is thinking" message, which a later edit fills."""
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
        return self._store(message)

    def say(self, channel: Channel, author: User, text: str) -> Message:
        """Write a message as a user. Discord's rules apply to users too."""
        return self.create(channel, author, check_draft({"content": text}, []))

    def revise(self, message: Message, revision: Revision) -> None:
        """Apply an edit. Mentions are resolved again only if the content is edited.

        Raises:
            ApiError: 10008 if the message was deleted.
        """
        if self._history(message.channel).get(message.id) is None:
            raise api_error(10008)
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
            text = visible_text(message.content, message.components)
            message.pings = resolve(self._world, message.channel, message.author, text, revision.allowed)
        if message.loading:
            message.flags &= ~MessageFlag.LOADING
        else:
            message.edited = self._world.clock.wall()
        message.encoded = None
        self._record("edit", message)
        self._feed.publish(changes.MessageEdited(message))

    def delete(self, message: Message) -> None:
        """Delete a message. Its nonce is still remembered."""
        self._history(message.channel).remove(message)
        self._record("delete", message)
        self._feed.publish(changes.MessageDeleted(message))

    def _history(self, channel: Channel) -> MessageHistory:
        """Return the channel's messages, or raise 10003: an interaction may outlive its channel."""
        history = self._world.histories.get(channel.id)
        if history is None:
            raise api_error(10003)
        return history

    def _store(self, message: Message) -> Message:
        self._history(message.channel).put(message)
        if message.visible_to is None:
            message.channel.last_message_id = message.id
            self._keep_active(message.channel)
        self._record("create", message)
        self._feed.publish(changes.MessageCreated(message))
        return message

    def _keep_active(self, channel: Channel) -> None:
        """Open an archived thread in which a message is written, and restart the time until it is archived."""
        if channel.thread is not None and channel.thread.archived:
            self._world.change_thread(channel, archived=False)
        elif channel.thread is not None:
            channel.thread.active_at = self._world.clock.wall()

    def _record(self, kind: EvidenceKind, message: Message, *, returned_earlier: bool = False) -> None:
        clock = self._world.clock
        self._evidence.record(
            kind, message, monotonic=clock.monotonic(), wall=clock.wall(), returned_earlier=returned_earlier
        )

    def _find_replied(self, channel: Channel, draft: Draft) -> Message | None:
        if draft.replies_to is None:
            return None
        message = self._history(channel).get(draft.replies_to)
        if message is None and not draft.reply_may_be_gone:
            form = Form()
            form.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            form.refuse()
        return message

    def _find_by_nonce(self, author: User, nonce: str | int) -> Message | None:
        """Return the message of this author with this nonce, while it is remembered.

        Source: https://docs.discord.com/developers/resources/message#create-message, and the feature's author on the
        window and on deleted messages: https://github.com/discord/discord-api-docs/pull/6647
        """
        self._forget()
        remembered = self._nonces.get((author.id, str(nonce)))
        if remembered is None:
            return None
        message = remembered[1]
        history = self._world.histories.get(message.channel.id)
        if history is None or history.get(message.id) is None:
            raise api_error(10008)
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
