"""Collecting what is wrong with a request body, in the shape of Discord's 50035.

Discord reports every fault of a body at once, nested by the path that leads to each; a client that prints `errors`
shows the same lines against the sandbox as against Discord.
Source: https://docs.discord.com/developers/reference#error-messages
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.rules.errors import ApiError, refusal

Json = dict[str, Any]
Path = tuple[str | int, ...]


class Form:
    """The faults found so far in one body; `under` is where the body stands in what was sent."""

    def __init__(self, *, under: Path = ()) -> None:
        self._under = under
        self._errors: Json = {}

    def add(self, path: Path, code: str, message: str) -> None:
        """Note a fault at `path` (keys and indexes; empty for the body as a whole)."""
        node = self._errors
        for step in (*self._under, *path):
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def required(self, path: Path) -> None:
        """Note that a field is missing."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def text(self, path: Path, value: object, *, most: int, least: int = 0, optional: bool = True) -> str | None:
        """Check a text's type and its length without surrounding blanks; returns it, or None when it is no text."""
        if value is None:
            if not optional:
                self.required(path)
            return None
        if not isinstance(value, str):
            self.add(path, "STRING_TYPE_CONVERT", "Could not interpret value as string.")
            return None
        length = len(value.strip())
        if length == 0 and least > 0:
            self.required(path)
        elif not least <= length <= most:
            if least > 0:
                self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
            else:
                self.add(path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")
        return value

    def integer(self, path: Path, value: object) -> int:
        """Check that a value is a whole number (or a text of digits, or null for 0); returns it, or 0."""
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return int(value)
        if value is not None:
            self.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake or number.')
        return 0

    def mapping(self, path: Path, value: object) -> Json:
        """Check that a value is an object (or null for an empty one); returns it, or an empty one."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return {}

    def items(self, path: Path, value: object, *, most: int, least: int = 0) -> list[Json]:
        """Check a list of objects and its length; returns those that are objects."""
        if value is None:
            value = []
        if not isinstance(value, list):
            self.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return []
        if not least <= len(value) <= most:
            self.add(path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                self.add((*path, index), "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return [item for item in value if isinstance(item, dict)]

    def refuse(self) -> None:
        """Raise the 50035 that tells all faults, if there are any."""
        if self._errors:
            error = refusal(50035)
            raise ApiError(error.status, error.code, error.message, errors=self._errors)
