"""Checks messages: the bodies of create and edit requests become drafts and revisions.

Checking is separate from storing, so that a rejected message leaves no trace, and the same rules apply to requests,
answers to interactions and follow-ups.
Source: https://docs.discord.com/developers/resources/message#create-message
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.discord.rules.components import TEXT_DISPLAY, check_components
from sandbox.discord.rules.embeds import check_embeds
from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.form import Form, Path
from sandbox.discord.rules.mentions import ALL, Allowed, check_allowed_mentions
from sandbox.discord.world.messages import Message, MessageFlag, walk_components

Json = dict[str, Any]

MAX_CONTENT = 2000
MAX_NONCE = 25
MAX_ATTACHMENTS = 10
SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS
    | MessageFlag.SUPPRESS_NOTIFICATIONS
    | MessageFlag.IS_COMPONENTS_V2
    | MessageFlag.EPHEMERAL
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid new message."""

    content: str
    embeds: list[Json]
    components: list[Json]
    attachments: list[Json]
    flags: MessageFlag
    allowed: Allowed
    nonce: str | int | None
    enforce_nonce: bool
    replies_to: int | None
    reply_may_be_gone: bool

    def visible_text(self) -> str:
        """Return the text whose mentions count: the content and text components, never embeds."""
        return visible_text(self.content, self.components)


@dataclass(frozen=True, slots=True)
class Revision:
    """A valid edit. None leaves a field unchanged."""

    content: str | None
    embeds: list[Json] | None
    components: list[Json] | None
    attachments: list[Json] | None
    flags: MessageFlag | None
    allowed: Allowed


def visible_text(content: str, components: list[Json]) -> str:
    """Return the content and the text components as one text."""
    displayed = [
        str(part.get("content", "")) for part in walk_components(components) if part.get("type") == TEXT_DISPLAY
    ]
    return "\n".join([content, *displayed]) if displayed else content


def check_draft(body: Json, attachments: list[Json], *, default: Allowed = ALL, under: Path = ()) -> Draft:
    """Check the body of a new message. `under` is the path to it in the request.

    Raises:
        ApiError: 50035 with all errors, or 50006 if the message is empty.
    """
    form = Form(under=under)
    flags = MessageFlag(form.integer(("flags",), body.get("flags"))) & SETTABLE_FLAGS
    v2 = MessageFlag.IS_COMPONENTS_V2 in flags
    content = form.text(("content",), body.get("content"), most=MAX_CONTENT)
    embeds = check_embeds(form, body["embeds"]) if body.get("embeds") else []
    components = check_components(form, body["components"], v2=v2) if body.get("components") else []
    allowed = check_allowed_mentions(form, body.get("allowed_mentions"), default=default)
    nonce = _check_nonce(form, body.get("nonce"))
    reference = form.mapping(("message_reference",), body.get("message_reference"))
    replies_to = form.integer(("message_reference", "message_id"), reference.get("message_id"))
    if v2:
        _refuse_legacy_fields(form, body)
    if len(attachments) > MAX_ATTACHMENTS:
        form.add(("attachments",), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_ATTACHMENTS} or fewer in length.")
    form.refuse()
    text = (content or "").strip()
    if not (text or embeds or components or attachments):
        raise api_error(50006)
    return Draft(
        content=text,
        embeds=embeds,
        components=components,
        attachments=attachments,
        flags=flags,
        allowed=allowed,
        nonce=nonce,
        enforce_nonce=bool(body.get("enforce_nonce", False)),
        replies_to=replies_to or None,
        reply_may_be_gone=reference.get("fail_if_not_exists") is False,
    )


def check_revision(
    message: Message, body: Json, uploads: list[Json], *, default: Allowed = ALL, under: Path = ()
) -> Revision:
    """Check the body of an edit of `message`. Missing fields stay, and null clears a field.

    Raises:
        ApiError: 50035 with all errors, or 50006 if the message would be empty.
    """
    form = Form(under=under)
    flags = message.flags
    if body.get("flags") is not None:
        editable = MessageFlag.SUPPRESS_EMBEDS | MessageFlag.IS_COMPONENTS_V2
        flags = (message.flags & ~MessageFlag.SUPPRESS_EMBEDS) | (
            MessageFlag(form.integer(("flags",), body["flags"])) & editable
        )
    v2 = MessageFlag.IS_COMPONENTS_V2 in flags
    content = form.text(("content",), body.get("content"), most=MAX_CONTENT)
    revision = Revision(
        content=(content or "").strip() if "content" in body else None,
        embeds=check_embeds(form, body["embeds"]) if "embeds" in body else None,
        components=check_components(form, body["components"], v2=v2) if "components" in body else None,
        attachments=_kept(message, body["attachments"]) + uploads if "attachments" in body else None,
        flags=flags if flags != message.flags else None,
        allowed=check_allowed_mentions(form, body.get("allowed_mentions"), default=default),
    )
    if v2:
        _refuse_legacy_fields(form, body)
    form.refuse()
    if not any(_after(message, revision)):
        raise api_error(50006)
    return revision


def _after(message: Message, revision: Revision) -> tuple[object, ...]:
    return (
        message.content if revision.content is None else revision.content,
        message.embeds if revision.embeds is None else revision.embeds,
        message.components if revision.components is None else revision.components,
        message.attachments if revision.attachments is None else revision.attachments,
    )


def _kept(message: Message, wanted: list[Json] | None) -> list[Json]:
    ids = {str(item.get("id")) for item in wanted or []}
    return [attachment for attachment in message.attachments if attachment["id"] in ids]


def _check_nonce(form: Form, nonce: object) -> str | int | None:
    if nonce is None or isinstance(nonce, (int, str)):
        if len(str(nonce or "")) > MAX_NONCE:
            form.add(("nonce",), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_NONCE} or fewer in length.")
        return nonce
    form.add(("nonce",), "NONCE_TYPE_CONVERT", "Nonce must be an integer or a string.")
    return None


def _refuse_legacy_fields(form: Form, body: Json) -> None:
    for name in ("content", "embeds", "sticker_ids", "poll"):
        if body.get(name):
            form.add(
                (name,),
                "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                f"The '{name}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
            )
