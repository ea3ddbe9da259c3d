"""The bot's own messages in a channel since a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cli.discord_access import patiently
from shared.discord.client import PAGE_SIZE, DiscordClient
from shared.discord.errors import RequestRejectedError
from shared.discord.history import ChannelMessage, Extent, read_history
from shared.discord.ids import first_id_at

MAX_PAGES = 200
"""A busier channel is not read to its end."""


async def bot_messages(client: DiscordClient, channel_id: int, *, bot_id: int, since: datetime) -> list[ChannelMessage]:
    """Return the bot's messages in a channel since a moment, oldest first.

    Raises:
        RequestRejectedError: the channel is gone, the bot may not read it, or it is too busy to be read.
        TransientError, ConfigurationError: Discord does not answer now, or rejects the token.
    """

    async def read_page(before: int | None) -> list[dict[str, Any]]:
        return await patiently(lambda: client.list_messages(channel_id, before=before))

    messages, extent = await read_history(read_page, since=since, max_pages=MAX_PAGES)
    if extent is Extent.CUT_OFF:
        raise RequestRejectedError(f"more than {MAX_PAGES * PAGE_SIZE} messages were written since")
    if extent is Extent.EMPTY:
        await _assert_readable(client, channel_id)
    own = [message for message in messages if message.author_id == bot_id and message.id >= first_id_at(since)]
    return sorted(own, key=lambda message: message.id)


async def _assert_readable(client: DiscordClient, channel_id: int) -> None:
    channel = await patiently(lambda: client.get_channel(channel_id))
    if channel.get("last_message_id") is not None:
        raise RequestRejectedError("the bot lacks the permission Read Message History")
