"""Collects the errors of a request body, in the format of Discord's 50035.

Discord reports all errors of a body at once, nested by their paths. A client that prints `errors` shows the same lines
for the sandbox as for Discord.
Source: https://docs.discord.com/developers/reference#error-messages
"""

from __future__ import annotations

from typing import Any

from sandbox.discord.rules.errors import ApiError, api_error

Json = dict[str, Any]
Path = tuple[str | int, ...]


class Form:
    """The errors found so far in one body. `under` is the path to the body in the request."""

    def __init__(self, *, under: Path = ()) -> None:
        self._under = under
        self._errors: Json = {}

    def add(self, path: Path, code: str, message: str) -> None:
        """Add an error at `path` (keys and indexes; empty for the whole body)."""
        node = self._errors
        for step in (*self._under, *path):
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def required(self, path: Path) -> None:
        """Add an error for a missing field."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def text(self, path: Path, value: object, *, most: int, least: int = 0, optional: bool = True) -> str | None:
        """Check a text's type and stripped length. Return the text, or None if it is not a text."""
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
        """Check that a value is an integer (or digits as text, or null for 0). Return it, or 0."""
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return int(value)
        if value is not None:
            self.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake or number.')
        return 0

    def mapping(self, path: Path, value: object) -> Json:
        """Check that a value is an object (or null for an empty one). Return it, or an empty one."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return {}

    def items(self, path: Path, value: object, *, most: int, least: int = 0) -> list[Json]:
        """Check a list of objects and its length. Return its objects."""
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
        """Raise a 50035 with all errors, if there are any."""
        if self._errors:
            error = api_error(50035)
            raise ApiError(error.status, error.code, error.message, errors=self._errors)
