"""What Discord's gateway refuses, as our errors.

Only a token that the REST API refuses ends the process: deliveries use REST alone, so whatever else the gateway
refuses must not stop them. Close codes:
https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
import discord

from shared.errors import ConfigurationError, TransientError, describe

BAD_TOKEN = 4004
TOO_FEW_SHARDS = 4011
REFUSED_PAUSE = 300.0
"""Seconds until a refused connection is tried again. A person has to act first, and each try costs a session start."""
LONGEST_PAUSE = 3600.0
"""Seconds. Discord may ask for a day, but asking again costs one request."""

_REFUSALS: Mapping[int, str] = {
    BAD_TOKEN: "the gateway rejects the token, though the REST API accepts it",
    4010: "invalid shard; check QUESTBELL_BOT_SHARDS",
    TOO_FEW_SHARDS: "the bot is in too many servers for its shards; set QUESTBELL_BOT_SHARDS to auto, or to more",
    4012: "Discord no longer serves this version of the gateway; upgrade Questbell",
    4013: "invalid intents; upgrade Questbell",
    4014: (
        "disallowed intents; switch Server Members Intent on at https://discord.com/developers/applications (Bot), "
        "or set QUESTBELL_BOT_MEMBERS_INTENT to false"
    ),
}


class GatewayClosedError(TransientError):
    """Discord closed the gateway connection."""

    def __init__(self, close_code: int) -> None:
        reason = _REFUSALS.get(close_code)
        super().__init__(
            f"Discord closed the gateway connection with code {close_code}{f': {reason}' if reason else ''}",
            retry_after=REFUSED_PAUSE if reason else None,
        )
        self.close_code = close_code


@contextmanager
def translated() -> Iterator[None]:
    """Raise discord.py's failures as our errors.

    Raises:
        ConfigurationError: the REST API rejects the token.
        TransientError: anything else. `retry_after` is set if Discord gave a delay, or if a person must act first.
    """
    try:
        yield
    except discord.LoginFailure as error:
        raise bad_token_error() from error
    except discord.ConnectionClosed as error:
        raise GatewayClosedError(error.code) from error
    except discord.RateLimited as error:
        raise TransientError("Discord: too many requests", retry_after=_bounded(error.retry_after)) from error
    except discord.HTTPException as error:
        raise TransientError(
            f"Discord answered {error.status}: {error.text[:200]}", retry_after=_retry_after(error)
        ) from error
    except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TransientError(f"Discord cannot be reached: {describe(error)}") from error


def bad_token_error() -> ConfigurationError:
    """Return the error of a rejected token."""
    return ConfigurationError(
        "DISCORD_TOKEN: Discord rejects this token. Copy the bot's token again from "
        "https://discord.com/developers/applications (Bot, Reset Token)"
    )


def starts_used_up_error(remaining: int, total: int, reset_after: int) -> TransientError:
    """Return the error of too few session starts. `reset_after` is in milliseconds."""
    return TransientError(
        f"only {remaining} of {total} session starts are left at Discord; the bot may be restarting in a loop",
        retry_after=_bounded(reset_after / 1000),
    )


def _retry_after(error: discord.HTTPException) -> float | None:
    header = error.response.headers.get("Retry-After", "")
    return _bounded(float(header)) if header.replace(".", "", 1).isdecimal() else None


def _bounded(seconds: float) -> float:
    return min(seconds, LONGEST_PAUSE)
