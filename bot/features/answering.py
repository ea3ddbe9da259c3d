"""The way of every interaction: acknowledge within Discord's three seconds, do the work, edit the answer into place.

Editing `@original` was chosen over a follow-up message because it is repeatable: discord.py tries webhook requests
again after any 5xx, and a follow-up that was accepted the first time would appear twice.

What goes wrong is said here and nowhere else: a `UserError` in its own words, trouble with the database as "try
again", and anything unexpected as an apology whose reference is in the log beside the traceback.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import discord

from bot.features.errors import UserError
from bot.features.retrying import persistently
from bot.rendering import Payload
from shared import logs
from shared.errors import TransientError
from shared.logs import Logger

if TYPE_CHECKING:
    from bot.gateway import QuestbellBot

    Interaction = discord.Interaction[QuestbellBot]

ACKNOWLEDGE_TIMEOUT = 3.0
"""Discord's own limit, in seconds, after which the interaction has failed.

Source: https://docs.discord.com/developers/interactions/receiving-and-responding
"""
WORK_TIMEOUT = 30.0
EDIT_TIMEOUT = 30.0

_ALREADY_ACKNOWLEDGED = 40060


@dataclass(frozen=True)
class Answer:
    """What the person sees, and nobody else."""

    text: str = ""
    embeds: list[Payload] = field(default_factory=list)
    view: discord.ui.View | None = None


async def answer(interaction: Interaction, work: Callable[[], Awaitable[Answer]]) -> None:
    """Answer an interaction with what `work` returns, or with what kept it from returning. Never raises."""
    log = logs.get(interaction_id=interaction.id, asked=asked(interaction))
    with interaction.client.in_flight():
        if await _acknowledged(interaction, log):
            await _show(interaction, await _outcome(work, log), log)


def asked(interaction: Interaction) -> str:
    """Return what was used: a command's name or a button's kind, without what the person wrote."""
    if interaction.command is not None:
        return interaction.command.qualified_name
    data: Mapping[str, Any] = interaction.data or {}
    return str(data.get("custom_id", "")).rpartition(":")[0] or "unknown"


async def _acknowledged(interaction: Interaction, log: Logger) -> bool:
    """Say "thinking…". When Discord may not have heard it, nothing is done: the person was told that it failed."""
    try:
        async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
            await interaction.response.defer(ephemeral=True, thinking=True)
    except discord.HTTPException as error:
        # Acknowledged already: by our own first try whose answer was lost, or by another process with this token.
        if error.code == _ALREADY_ACKNOWLEDGED:
            return True
        log.warning("Too late to answer", action="interaction_lost", status=error.status, code=error.code)
        return False
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("Could not acknowledge", action="interaction_lost", error=repr(error))
        return False
    return True


async def _outcome(work: Callable[[], Awaitable[Answer]], log: Logger) -> Answer:
    try:
        async with asyncio.timeout(WORK_TIMEOUT):
            made = await work()
    except UserError as error:
        log.info("Refused", action="interaction_refused")
        return Answer(str(error))
    except (TransientError, TimeoutError) as error:
        log.warning("Could not save", action="interaction_failed", error=str(error) or "timed out")
        return Answer("I couldn't complete that right now. Please try again in a minute.")
    except Exception as error:  # reason: the person must get an answer; the log has the traceback by its reference
        return Answer(apology(log, error))
    log.info("Answered", action="interaction_answered")
    return made


def apology(log: Logger, error: Exception) -> str:
    """Log an unexpected exception with its traceback, and return an apology that refers to it."""
    reference = secrets.token_hex(4)
    log.error("Unexpected failure", action="interaction_failed", reference=reference, exc_info=error)
    return (
        "Sorry, something went wrong on my end. "
        f"If it keeps happening, give this reference to the bot's administrator: `{reference}`."
    )


async def _show(interaction: Interaction, made: Answer, log: Logger) -> None:
    async def edit() -> None:
        try:
            async with asyncio.timeout(EDIT_TIMEOUT):
                await interaction.edit_original_response(
                    content=made.text or None,
                    embeds=[discord.Embed.from_dict(embed) for embed in made.embeds],
                    view=made.view,
                )
        except (aiohttp.ClientError, OSError, TimeoutError, discord.DiscordServerError) as error:
            raise TransientError(f"could not show the answer: {error!r}") from error

    try:
        await persistently(edit)
    except (TransientError, discord.HTTPException) as error:
        log.warning("Answer not shown", action="answer_lost", error=str(error))
