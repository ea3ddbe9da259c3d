"""The bot's own messages in a channel since a moment, or the certainty that they cannot be read.

Discord answers a bot that may not read a channel's history with an empty list, which must not pass for a channel in
which nothing was said: nothing found counts only when something can be read there, or the channel never had a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cli.discord_ids import first_id_at, made_at
from cli.discord_rest import DiscordReader, UnreadableError
from cli.recognise import Post
from shared.errors import TransientError

PAGE = 100
"""Messages in one answer, the most that Discord gives
(https://discord.com/developers/docs/resources/message#get-channel-messages)."""
MOST_PAGES = 200
"""A busier channel than this is not read to its end."""


async def bot_messages(reader: DiscordReader, channel_id: int, *, bot_id: int, since: datetime) -> list[Post]:
    """Return what the bot said in a channel since a moment, oldest first.

    Raises:
        UnreadableError: the channel is gone, the bot may not read it, or it is too busy to be read.
        TransientError, ConfigurationError: Discord does not answer now, or refuses the token.
    """
    path = f"/channels/{channel_id}/messages"
    after = first_id_at(since)
    seen: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        page = await _list(reader, path, {"after": str(after), "limit": str(PAGE)})
        seen += page
        if len(page) < PAGE:
            break
        after = max(int(message["id"]) for message in page)
    else:
        raise UnreadableError(f"more than {MOST_PAGES * PAGE} messages were written since")
    if not seen:
        await _assert_readable(reader, channel_id)
    return sorted((_post(message) for message in seen if _is_by(message, bot_id)), key=lambda post: post.id)


async def _assert_readable(reader: DiscordReader, channel_id: int) -> None:
    if await _list(reader, f"/channels/{channel_id}/messages", {"limit": "1"}):
        return
    channel = await reader.get(f"/channels/{channel_id}")
    if not isinstance(channel, dict) or channel.get("last_message_id") is not None:
        raise UnreadableError("the bot lacks the permission Read Message History")


async def _list(reader: DiscordReader, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
    answer = await reader.get(path, query)
    if not isinstance(answer, list):
        raise TransientError("Discord's answer is no list of messages")
    return answer


def _is_by(message: dict[str, Any], bot_id: int) -> bool:
    return str(message.get("author", {}).get("id")) == str(bot_id)


def _post(message: dict[str, Any]) -> Post:
    nonce = message.get("nonce")
    message_id = int(message["id"])
    return Post(
        id=message_id,
        at=made_at(message_id),
        content=str(message.get("content", "")),
        nonce=None if nonce is None else str(nonce),
        custom_ids=frozenset(_custom_ids(message.get("components", []))),
    )


def _custom_ids(components: list[dict[str, Any]]) -> Iterator[str]:
    for component in components:
        if "custom_id" in component:
            yield str(component["custom_id"])
        yield from _custom_ids(component.get("components", []))
