"""Shows a host, with the answer to a command, the warnings that could not be sent as direct messages."""

from __future__ import annotations

from collections.abc import Sequence

from bot.rendering import warning_message
from bot.rendering.escaping import utf16_length
from bot.rendering.payload import CONTENT_LIMIT
from shared import database, logs
from shared.database import Sessions
from shared.errors import TransientError
from shared.schedule.warnings import UnseenWarning, mark_warnings_seen, read_unseen_warnings


async def add_warnings(sessions: Sessions, host_id: int, text: str) -> tuple[str, list[UnseenWarning]]:
    """Return an answer with the user's warnings below it, as far as they fit, and these warnings.

    The answer does not depend on it. It stays as it is while the database is unavailable.
    """
    added: list[UnseenWarning] = []
    try:
        async with database.transaction(sessions) as session:
            unseen = await read_unseen_warnings(session, host_id)
    except TransientError:
        return text, added
    for warning in unseen:
        content = warning_message(warning.game, reason=warning.reason)["content"]
        longer = f"{text}\n\n{content}".lstrip("\n")
        if utf16_length(longer) <= CONTENT_LIMIT:
            text, added = longer, [*added, warning]
    return text, added


async def record_shown(sessions: Sessions, warnings: Sequence[UnseenWarning], *, message_id: int) -> None:
    """Record that the user saw the warnings. After a failure, the next answer shows them again."""
    if not warnings:
        return
    try:
        async with database.transaction(sessions) as session:
            await mark_warnings_seen(session, [warning.delivery_id for warning in warnings], message_id=message_id)
    except TransientError as error:
        logs.get().warning("Warnings not marked as shown", action="warnings_unmarked", error=str(error))
