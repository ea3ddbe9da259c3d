"""Converts the options that a user enters into what Discord sends to the bot.

Discord's client checks options before it sends them: required ones, choices, bounds, and the user, channel or role for
a name. The sandbox does the same and reports mistakes in a sentence, so that they are not taken for the bot's.
Source: https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-structure
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from sandbox.discord.rules.errors import UsageError
from sandbox.discord.world.commands import Leaf
from sandbox.discord.world.entities import Channel
from sandbox.discord.world.payloads import channel_payload, member_payload, role_payload, user_payload
from sandbox.discord.world.world import World

Json = dict[str, Any]


class OptionKind(IntEnum):
    """Types of options, by Discord's numbers."""

    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


class ResolvedOptions:
    """The options of one invocation, with the users, channels and roles that they refer to."""

    def __init__(self, world: World, channel: Channel) -> None:
        self._world = world
        self._guild = world.guild_of(channel)
        self.options: list[Json] = []
        self.resolved: dict[str, Json] = {}

    def fill(self, leaf: Leaf, given: dict[str, Any], *, focused: str | None = None) -> None:
        """Set the leaf's options from `given`. While one is `focused`, others may still be missing.

        Raises:
            UsageError: an unknown or missing option, or a value that does not fit.
        """
        known = {str(option["name"]): option for option in leaf.options}
        for name in given:
            if name not in known:
                raise UsageError(f"/{leaf.name} has no option {name!r}; it has {', '.join(known) or 'none'}")
        for name, option in known.items():
            if given.get(name) is None:
                if option.get("required") and focused is None:
                    raise UsageError(f"/{leaf.name} needs the option {name!r}")
                continue
            filled: Json = {"name": name, "type": option["type"]}
            if name == focused:
                self.options.append({**filled, "value": str(given[name]), "focused": True})
            else:
                self.options.append({**filled, "value": self._value(option, given[name])})

    def _value(self, option: Json, given: Any) -> Any:
        kind = OptionKind(option["type"])
        if option.get("choices"):
            return _choice(option, given)
        if kind is OptionKind.STRING:
            return _text(option, given)
        if kind in (OptionKind.INTEGER, OptionKind.NUMBER):
            return _number(option, given, kind)
        if kind is OptionKind.BOOLEAN:
            return _boolean(option, given)
        if kind is OptionKind.ATTACHMENT:
            raise UsageError("the sandbox doesn't support attachments as options")
        return self._resolve(option, given, kind)

    def _resolve(self, option: Json, given: Any, kind: OptionKind) -> str:
        try:
            if kind is OptionKind.CHANNEL:
                return self._channel(given)
            if kind is OptionKind.ROLE:
                return self._role(given)
            return self._user(given)
        except LookupError as error:
            raise UsageError(f"{option['name']}: {error}") from error

    def _user(self, given: Any) -> str:
        user = self._world.user(given if isinstance(given, int) else str(given).strip("<@!>"))
        self.resolved.setdefault("users", {})[str(user.id)] = user_payload(user)
        if self._guild is not None and user.id in self._guild.members:
            member = member_payload(self._guild.members[user.id], with_user=False)
            permissions = str(int(self._world.guild_permissions(self._guild, user.id)))
            self.resolved.setdefault("members", {})[str(user.id)] = {**member, "permissions": permissions}
        return str(user.id)

    def _channel(self, given: Any) -> str:
        channel = self._world.channel(given if isinstance(given, int) else str(given).strip("<#>"))
        payload = channel_payload(channel)
        payload["permissions"] = str(int(self._world.permissions(channel, self._world.bot.id)))
        self.resolved.setdefault("channels", {})[str(channel.id)] = payload
        return str(channel.id)

    def _role(self, given: Any) -> str:
        roles = {} if self._guild is None else self._guild.roles
        wanted = str(given).strip("<@&>")
        role = next((role for role in roles.values() if wanted in (str(role.id), role.name)), None)
        if role is None:
            raise LookupError(f"there is no role {given!r}; there are {', '.join(r.name for r in roles.values())}")
        self.resolved.setdefault("roles", {})[str(role.id)] = role_payload(role)
        return str(role.id)


def _choice(option: Json, given: Any) -> Any:
    for choice in option["choices"]:
        if given in (choice["value"], choice["name"]) or str(choice["value"]) == str(given):
            return choice["value"]
    names = ", ".join(str(choice["name"]) for choice in option["choices"])
    raise UsageError(f"{option['name']} must be one of {names}, not {given!r}")


def _text(option: Json, given: Any) -> str:
    text = str(given)
    least, most = option.get("min_length", 0), option.get("max_length", 6000)
    if not least <= len(text) <= most:
        raise UsageError(f"{option['name']} must have {least} to {most} characters, not {len(text)}")
    return text


def _number(option: Json, given: Any, kind: OptionKind) -> int | float:
    try:
        number = int(given) if kind is OptionKind.INTEGER else float(given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{option['name']} must be a number, not {given!r}") from error
    least, most = option.get("min_value", -(2**53)), option.get("max_value", 2**53)
    if not least <= number <= most:
        raise UsageError(f"{option['name']} must be between {least} and {most}, not {number}")
    return number


def _boolean(option: Json, given: Any) -> bool:
    words = {"true": True, "false": False}
    if str(given).casefold() not in words:
        raise UsageError(f"{option['name']} must be true or false, not {given!r}")
    return words[str(given).casefold()]
