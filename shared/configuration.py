"""Reads settings from the environment, or from files named like the variables in `QUESTBELL_SECRETS_DIR`.

Reading settings at import was rejected, because a mistake must become one clear line. That line begins with the
setting's name and says what to write.
"""

from __future__ import annotations

import os
import string
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.errors import ConfigurationError

SECRETS_DIR = "QUESTBELL_SECRETS_DIR"
_AROUND = string.whitespace + "\ufeff\u200b\u00a0"
"""White space, and what editors and web pages add: a byte order mark, and spaces that cannot be seen or broken."""


class Settings(BaseSettings):
    """Settings as people paste them: an empty one is not set, and quotes and white space around one are removed."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    @field_validator("*", mode="before")
    @classmethod
    def _clean(cls, value: object) -> object:
        return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """Return a setting without what surrounds it.

    Raises:
        ValueError: nothing is left, or it has white space inside.
    """
    cleaned = text.strip(_AROUND)
    if len(cleaned) > 1 and cleaned[0] == cleaned[-1] and cleaned[0] in "\"'":
        cleaned = cleaned[1:-1].strip(_AROUND)
    if not cleaned:
        raise ValueError("is empty")
    if any(char.isspace() or not char.isprintable() for char in cleaned):
        raise ValueError("has white space, a line break or an invisible character inside")
    return cleaned


S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S]) -> S:
    """Read one group of settings.

    Raises:
        ConfigurationError: naming each variable that is missing or wrong, and what it must look like.
    """
    directory = os.environ.get(SECRETS_DIR, "").strip() or None
    if directory and not Path(directory).is_dir():
        raise ConfigurationError(
            f"{SECRETS_DIR}: {directory} is not a directory; write the one with the secrets' files"
        )
    try:
        return kind(_secrets_dir=directory)
    except (SettingsError, OSError) as error:
        cause = error.__cause__ or error
        reason = "a file is not text in UTF-8" if isinstance(cause, UnicodeDecodeError) else str(cause)
        raise ConfigurationError(f"{SECRETS_DIR}: {reason}") from error
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(kind, problem) for problem in error.errors())) from error


def _explain(kind: type[BaseSettings], problem: ErrorDetails) -> str:
    """Return the setting's name and what to write."""
    prefix, context = str(kind.model_config.get("env_prefix", "")), problem.get("ctx", {})
    field = "_".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    if not field:  # it is about several settings of one group, and begins with the first one's name
        return f"{prefix}{message.partition(' ')[0].upper()}: {message}"
    name = prefix + field.upper()
    match problem["type"]:
        case "missing":
            return f"{name} is not set ({kind.model_fields[field].description})"
        case "value_error":
            return f"{name}: {message}"
        case "greater_than_equal":
            return f"{name}: must be at least {context['ge']:g}"
        case "less_than_equal":
            return f"{name}: must be at most {context['le']:g}"
        case "literal_error":
            return f"{name}: must be {context['expected']}"
        case "bool_parsing":
            return f"{name}: must be true or false"
        case "string_pattern_mismatch":
            return f"{name}: must be {kind.model_fields[field].description}"
        case "int_parsing" | "int_from_float" | "float_parsing" | "finite_number":
            return f"{name}: must be a number, such as {kind.model_fields[field].default}"
        case _:
            return f"{name}: {message}"
