"""Resolves whom a message pings.

A mention notifies if it is in the content (or in a text component), and `allowed_mentions` and the permissions allow
it. Mentions in embeds and in code never notify.
Source: https://docs.discord.com/developers/resources/message#allowed-mentions-object
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.discord.rules.form import Form
from sandbox.discord.world.entities import Channel, User
from sandbox.discord.world.messages import Pings
from sandbox.discord.world.permissions import Permission
from sandbox.discord.world.world import World

Json = dict[str, Any]

MAX_IDS = 100
_TYPES = ("users", "roles", "everyone")
_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(?:everyone|here)\b")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A checked `allowed_mentions`: the types that are parsed, or the ids that are allowed."""

    parse: frozenset[str]
    users: frozenset[int] = frozenset()
    roles: frozenset[int] = frozenset()
    replied_user: bool = False


ALL = Allowed(frozenset(_TYPES), replied_user=True)  # a message without `allowed_mentions`
USERS_ONLY = Allowed(frozenset({"users"}))  # an interaction's answer without it


def check_allowed_mentions(form: Form, value: object, *, default: Allowed) -> Allowed:
    """Check `allowed_mentions`. None means `default`."""
    if value is None:
        return default
    mentions = form.mapping(("allowed_mentions",), value)
    parse = frozenset(_listed(form, mentions, "parse"))
    for unknown in parse - set(_TYPES):
        form.add(("allowed_mentions", "parse"), "BASE_TYPE_CHOICES", f"Value must be one of {_TYPES}, not {unknown!r}.")
    ids: dict[str, frozenset[int]] = {}
    for kind in ("users", "roles"):
        listed = _listed(form, mentions, kind)
        if len(listed) > MAX_IDS:
            form.add(("allowed_mentions", kind), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_IDS} or fewer in length.")
        if listed and kind in parse:
            form.add(
                ("allowed_mentions",),
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.',
            )
        ids[kind] = frozenset(int(item) for item in listed if item.isdecimal())
    return Allowed(parse, ids["users"], ids["roles"], bool(mentions.get("replied_user", False)))


def _listed(form: Form, mentions: Json, name: str) -> list[str]:
    listed = mentions.get(name) or []
    if not isinstance(listed, list):
        form.add(("allowed_mentions", name), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
        return []
    return [str(item) for item in listed]


def resolve(
    world: World, channel: Channel, author: User, text: str, allowed: Allowed, *, replied_to: User | None = None
) -> Pings:
    """Return whom `text` notifies if `author` sends it to `channel`."""
    users: dict[int, None] = {}
    if "@" not in text:
        text = ""
    visible_text = _CODE.sub("", text) if "`" in text else text
    for found in _USER.findall(visible_text):
        user_id = int(found)
        if ("users" in allowed.parse or user_id in allowed.users) and _is_here(world, channel, user_id):
            users[user_id] = None
    if replied_to is not None and allowed.replied_user and replied_to.id != author.id:
        users[replied_to.id] = None
    guild = world.guild_of(channel)
    if guild is None or not visible_text:
        return Pings(tuple(users))
    loud = Permission.MENTION_EVERYONE in world.permissions(channel, author.id)
    roles: dict[int, None] = {}
    for found in _ROLE.findall(visible_text):
        role = guild.roles.get(int(found))
        if role is None or not ("roles" in allowed.parse or role.id in allowed.roles):
            continue
        if role.mentionable or loud:
            roles[role.id] = None
    everyone = loud and "everyone" in allowed.parse and _EVERYONE.search(visible_text) is not None
    return Pings(tuple(users), tuple(roles), everyone)


def _is_here(world: World, channel: Channel, user_id: int) -> bool:
    guild = world.guild_of(channel)
    if guild is not None:
        return user_id in guild.members
    return channel.recipient is not None and user_id in (channel.recipient.id, world.bot.id)
