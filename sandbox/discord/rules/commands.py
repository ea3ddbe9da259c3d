"""Checks application commands that a bot registers.

Source: https://docs.discord.com/developers/interactions/application-commands#application-command-object
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.rules.errors import api_error
from sandbox.discord.rules.form import Form, Path
from sandbox.discord.world.commands import CHAT_INPUT, SUB_COMMAND, SUB_COMMAND_GROUP

Json = dict[str, Any]

MAX_NAME = 32
MAX_DESCRIPTION = 100
MAX_OPTIONS = 25
MAX_CHOICES = 25
MAX_CHOICE = 100
MAX_SIZE = 8000
MAX_COMMANDS = {CHAT_INPUT: 100, 2: 15, 3: 15}
_OPTION_TYPES = range(1, 12)
_WITH_CHOICES = frozenset({3, 4, 10})
_PUNCTUATION = frozenset("-_'")


def check_command(form: Form, path: Path, command: Json) -> None:
    """Check one command of a registration."""
    kind = command.get("type") or CHAT_INPUT
    if kind not in MAX_COMMANDS:
        form.add((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of (1, 2, 3).")
    if kind != CHAT_INPUT:
        form.text((*path, "name"), command.get("name"), least=1, most=MAX_NAME, optional=False)
        if command.get("description"):
            form.add(
                (*path, "description"),
                "APPLICATION_COMMAND_DESCRIPTION_NOT_ALLOWED",
                "Context menu commands cannot have description",
            )
        return
    _check_names(form, path, command)
    _check_options(form, path, command, depth=0)
    if _size(command) > MAX_SIZE:
        form.add(path, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({MAX_SIZE})")


def check_registration(commands: list[Json]) -> None:
    """Check a list that replaces all commands of a scope.

    Raises:
        ApiError: 50035 with all errors, or 30032 if there are too many commands of a type.
    """
    form = Form()
    seen: set[tuple[object, object]] = set()
    for index, command in enumerate(commands):
        check_command(form, (index,), command)
        key = (command.get("type") or CHAT_INPUT, command.get("name"))
        if key in seen:
            form.add((index, "name"), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
        seen.add(key)
    form.refuse()
    for kind, most in MAX_COMMANDS.items():
        if sum((command.get("type") or CHAT_INPUT) == kind for command in commands) > most:
            raise api_error(30032)


def is_name(name: str) -> bool:
    """Discord's `^[-_'\\p{L}\\p{N}\\p{sc=Deva}\\p{sc=Thai}]{1,32}$`, lower case where there is one.

    Python's `re` has no character properties. Devanagari and Thai need their combining signs.
    """
    return 1 <= len(name) <= MAX_NAME and name == name.lower() and all(map(_is_allowed_in_name, name))


def _is_allowed_in_name(letter: str) -> bool:
    in_scripts = "\u0900" <= letter <= "\u097f" or "\u0e00" <= letter <= "\u0e7f"
    return letter.isalpha() or letter.isnumeric() or letter in _PUNCTUATION or in_scripts


def _check_names(form: Form, path: Path, node: Json) -> None:
    name = node.get("name")
    if not isinstance(name, str) or not name:
        form.required((*path, "name"))
    elif not is_name(name):
        form.add((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    form.text((*path, "description"), node.get("description"), least=1, most=MAX_DESCRIPTION, optional=False)


def _check_options(form: Form, path: Path, node: Json, *, depth: int) -> None:
    options = form.items((*path, "options"), node.get("options"), most=MAX_OPTIONS)
    nesting = [option.get("type") in (SUB_COMMAND, SUB_COMMAND_GROUP) for option in options]
    if any(nesting) and not all(nesting):
        form.add(
            (*path, "options"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        )
    names: set[object] = set()
    optional_seen = False
    for index, option in enumerate(options):
        at = (*path, "options", index)
        _check_names(form, at, option)
        if option.get("name") in names:
            form.add((*at, "name"), "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATE", "Option names must be unique")
        names.add(option.get("name"))
        if option.get("required") and optional_seen:
            form.add(
                (*at, "required"),
                "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                "Required options must be placed before non-required options",
            )
        optional_seen = optional_seen or not option.get("required")
        _check_option(form, at, option, depth=depth)


def _check_option(form: Form, path: Path, option: Json, *, depth: int) -> None:
    kind = option.get("type")
    if kind not in _OPTION_TYPES:
        form.add((*path, "type"), "BASE_TYPE_CHOICES", "Value must be one of (1, …, 11).")
    elif (kind == SUB_COMMAND_GROUP and depth > 0) or (kind == SUB_COMMAND and depth > 1):
        form.add(
            (*path, "type"),
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-commands nest one level deep within a group",
        )
    elif kind in (SUB_COMMAND, SUB_COMMAND_GROUP):
        _check_options(form, path, option, depth=depth + (2 if kind == SUB_COMMAND else 1))
        return
    choices = form.items((*path, "choices"), option.get("choices"), most=MAX_CHOICES)
    if choices and kind not in _WITH_CHOICES:
        form.add(
            (*path, "choices"), "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices need a text or number option"
        )
    if choices and option.get("autocomplete"):
        form.add(
            (*path, "autocomplete"),
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
            "Autocomplete and choices are mutually exclusive",
        )
    for index, choice in enumerate(choices):
        at = (*path, "choices", index)
        form.text((*at, "name"), choice.get("name"), least=1, most=MAX_CHOICE, optional=False)
        if isinstance(choice.get("value"), str):
            form.text((*at, "value"), choice["value"], most=MAX_CHOICE)
        elif choice.get("value") is None:
            form.required((*at, "value"))


def _size(node: Json) -> int:
    size = _longest(node, "name") + _longest(node, "description") + len(str(node.get("value", "")))
    return size + sum(_size(child) for kind in ("options", "choices") for child in node.get(kind) or [])


def _longest(node: Json, name: str) -> int:
    localized = (node.get(f"{name}_localizations") or {}).values()
    return max((len(str(text)) for text in (node.get(name) or "", *localized)), default=0)
