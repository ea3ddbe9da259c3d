"""The bot's account on a real Discord: whether the token is good, and the link that invites the bot."""

from __future__ import annotations

from urllib.parse import urlencode

import aiohttp
from discord import Permissions

from shared.errors import ConfigurationError, TransientError
from shared.settings import DiscordSettings

PERMISSIONS = Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    embed_links=True,
    read_message_history=True,
)
"""What the bot needs in the channels it posts in."""
APPLICATIONS = "https://discord.com/developers/applications"
_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


async def fetch_invite_link(settings: DiscordSettings) -> str:
    """Return the link that adds the bot to a server.

    Source: https://discord.com/developers/docs/topics/oauth2#get-current-bot-application-information

    Raises:
        ConfigurationError: Discord rejects the token.
        TransientError: Discord cannot be reached, or does not answer as expected.
    """
    url = f"{settings.api_url.rstrip('/')}/api/v10/oauth2/applications/@me"
    headers = {"Authorization": f"Bot {settings.token.get_secret_value()}"}
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url, headers=headers) as response:
            if response.status == 401:
                raise ConfigurationError(
                    f"DISCORD_TOKEN: Discord rejects this token. Copy the bot's token from {APPLICATIONS}"
                )
            response.raise_for_status()
            application = await response.json()
            return invite_link(str(application["id"]))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
        reason = str(error) or type(error).__name__
        raise TransientError(f"cannot look up the bot's application at {settings.api_url}: {reason}") from error


def invite_link(client_id: str) -> str:
    """Return the link for an application."""
    query = {"client_id": client_id, "scope": "bot applications.commands", "permissions": PERMISSIONS.value}
    return f"https://discord.com/oauth2/authorize?{urlencode(query)}"
