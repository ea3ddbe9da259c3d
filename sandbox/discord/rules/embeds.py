"""Checks embeds.

Source: https://docs.discord.com/developers/resources/message#embed-object-embed-limits
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.rules.form import Form, Path

Json = dict[str, Any]

MAX_EMBEDS = 10
MAX_TOTAL = 6000
MAX_FIELDS = 25
MAX_TITLE = 256
MAX_DESCRIPTION = 4096
MAX_FIELD_NAME = 256
MAX_FIELD_VALUE = 1024
MAX_FOOTER = 2048
MAX_AUTHOR = 256
MAX_COLOUR = 0xFFFFFF


def check_embeds(form: Form, value: object) -> list[Json]:
    """Check all embeds of a message, each and together, and return them as Discord stores them."""
    embeds = form.items(("embeds",), value, most=MAX_EMBEDS)
    for index, embed in enumerate(embeds):
        _check(form, ("embeds", index), embed)
    if sum(map(_length, embeds)) > MAX_TOTAL:
        form.add(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {MAX_TOTAL}")
    return [{**embed, "type": "rich"} for embed in embeds]


def _check(form: Form, path: Path, embed: Json) -> None:
    form.text((*path, "title"), embed.get("title"), most=MAX_TITLE)
    form.text((*path, "description"), embed.get("description"), most=MAX_DESCRIPTION)
    for part, name, most in (("footer", "text", MAX_FOOTER), ("author", "name", MAX_AUTHOR)):
        if embed.get(part) is not None:
            text = form.mapping((*path, part), embed[part]).get(name)
            form.text((*path, part, name), text, most=most, optional=False)
    colour = embed.get("color")
    if colour is not None and not (isinstance(colour, int) and 0 <= colour <= MAX_COLOUR):
        form.add((*path, "color"), "NUMBER_TYPE_MAX", f"int value should be less than or equal to {MAX_COLOUR}.")
    for index, field in enumerate(form.items((*path, "fields"), embed.get("fields"), most=MAX_FIELDS)):
        at = (*path, "fields", index)
        form.text((*at, "name"), field.get("name"), least=1, most=MAX_FIELD_NAME, optional=False)
        form.text((*at, "value"), field.get("value"), least=1, most=MAX_FIELD_VALUE, optional=False)


def _length(embed: Json) -> int:
    texts = [embed.get("title"), embed.get("description")]
    for part in (embed.get("footer"), embed.get("author"), *(embed.get("fields") or [])):
        if isinstance(part, dict):
            texts += [part.get("text"), part.get("name"), part.get("value")]
    return sum(len(text.strip()) for text in texts if isinstance(text, str))
