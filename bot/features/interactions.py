"""Answers interactions: acknowledge within three seconds, do the work, then edit the reply.

A follow-up message was rejected because discord.py repeats webhook requests after a 5xx, so it could appear twice. Two
kinds of answers are exceptions. Discord takes a modal as the first answer alone, so it is opened without waiting for
the database, or not for long. Discord notifies nobody whom an edit mentions, so a public reply is the first answer too,
unless the work takes too long. All errors become replies here and nowhere else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import aiohttp
import discord
from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.warnings import add_warnings, record_shown
from bot.rendering import Payload
from shared import database, logs
from shared.errors import TransientError, describe
from shared.interactions import find_answer, record_answer
from shared.logs import Logger
from shared.schedule.retry import Backoff, retry

ACKNOWLEDGE_TIMEOUT = 3.0
"""Discord's limit, in seconds, after which the interaction has failed.

Source: https://docs.discord.com/developers/interactions/receiving-and-responding
"""
FIRST_ANSWER_TIMEOUT = 1.5
"""Seconds for the work before a first answer with content, which leave Discord as many to take it."""
WORK_TIMEOUT = 30.0
EDIT_TIMEOUT = 30.0
ATTEMPTS = 3

_BACKOFF = Backoff(first=0.25, longest=1.0)
_ALREADY_ACKNOWLEDGED = 40060
_OUTDATED = "This command has just changed. Please try again in a minute. If that doesn't help, restart Discord."
_TEMPORARY = "I couldn't do that just now, because my database is unavailable. Please try again in a minute."
_NO_MODAL = "I couldn't open the form just now, because my database is slow. Please try again in a moment."

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """The answer to an interaction. Only the user sees it, unless it is public."""

    text: str = ""
    embeds: list[Payload] = field(default_factory=list)
    view: discord.ui.View | None = None
    mentions: tuple[int, ...] = ()
    """The users whom a public answer notifies."""
    keeps_rest: bool = False
    """Whether only the text changes of a message that is edited in place: its embeds and buttons are still valid."""


async def respond(
    interaction: Interaction,
    work: Callable[[], Awaitable[Reply]],
    *,
    in_place: bool = False,
) -> None:
    """Show the reply that `work` returns, or why it failed. Never raises.

    `in_place` replaces the message whose button was pressed, which must be an earlier reply to the user.
    """
    log = logs.get(interaction_id=interaction.id, command=command_name(interaction))
    with interaction.client.answering():
        if await _acknowledge(interaction, log, in_place=in_place):
            reply, sessions = await _run(work, log), interaction.client.sessions
            text, warnings = await add_warnings(sessions, interaction.user.id, reply.text)
            message_id = await _show(interaction, replace(reply, text=text), log)
            if message_id is not None:
                await record_shown(sessions, warnings, message_id=message_id)


async def respond_publicly(interaction: Interaction, work: Callable[[], Awaitable[Reply]]) -> None:
    """Show everyone in the channel the text that `work` returns, or why it failed. Never raises.

    The users whom the reply mentions are notified once at most: not if the work takes longer than
    `FIRST_ANSWER_TIMEOUT`. Warnings are for the user alone, so none are shown.
    """
    log = logs.get(interaction_id=interaction.id, command=command_name(interaction))
    with interaction.client.answering():
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_run(work, log))
            await asyncio.wait([running], timeout=FIRST_ANSWER_TIMEOUT)
            if running.done() and await _show_first(interaction, running.result()):
                return
            if await _acknowledge(interaction, log, is_public=True):
                await _show(interaction, await running, log)


async def respond_in_transaction(interaction: Interaction, work: Callable[[AsyncSession], Awaitable[Reply]]) -> None:
    """Show the reply that `work` reads in one transaction. Never raises."""
    await respond(interaction, lambda: _run_transaction(interaction, work))


async def respond_once(
    interaction: Interaction,
    work: Callable[[AsyncSession], Awaitable[str]],
    *,
    keep: Callable[[AsyncSession], Awaitable[None]] | None = None,
    show: Callable[[AsyncSession], Awaitable[Reply]] | None = None,
    in_place: bool = False,
) -> None:
    """Show the text that `work` returns from the one transaction in which it changes something. Never raises.

    If `work` refuses what the user entered, `keep` saves it. `show` reads the embeds and buttons that belong to the
    text, for each delivery as they are then.
    """

    async def run() -> Reply:
        return await run_once(interaction, work, keep=keep, show=show)

    await respond(interaction, run, in_place=in_place)


async def run_once(
    interaction: Interaction,
    work: Callable[[AsyncSession], Awaitable[str]],
    *,
    keep: Callable[[AsyncSession], Awaitable[None]] | None = None,
    show: Callable[[AsyncSession], Awaitable[Reply]] | None = None,
) -> Reply:
    """Run `work` in a transaction and return its text or its refusal, for each delivery of the interaction the same.

    Raises:
        TransientError: the last attempt failed too.
    """

    async def answer(session: AsyncSession) -> Reply:
        text = await find_answer(session, interaction.id)
        if text is None:
            try:
                async with session.begin_nested():
                    text = await work(session)
            except UserError as error:
                _log_refusal(logs.get(interaction_id=interaction.id, command=command_name(interaction)))
                text = str(error)
                if keep is not None:
                    await keep(session)
            await record_answer(session, interaction.id, text)
        return Reply(text) if show is None else replace(await show(session), text=text)

    return await _run_transaction(interaction, answer)


async def respond_with_modal(interaction: Interaction, make: Callable[[], Awaitable[discord.ui.Modal]]) -> None:
    """Open the modal that `make` returns in time, or say why it can't be opened. Never raises."""
    log = logs.get(interaction_id=interaction.id, command=command_name(interaction))
    with interaction.client.answering():
        made = await _make_modal(make, log)
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT - FIRST_ANSWER_TIMEOUT):
                if isinstance(made, str):
                    await interaction.response.send_message(made, ephemeral=True)
                else:
                    await interaction.response.send_modal(made)
                    log.info("Opened a form", action="interaction_answered")
        except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            # A second delivery, or our first attempt, whose response was lost, has opened it already.
            if not (isinstance(error, discord.HTTPException) and error.code == _ALREADY_ACKNOWLEDGED):
                log.warning("Could not open the form", action="interaction_lost", error=describe(error))


async def _make_modal(make: Callable[[], Awaitable[discord.ui.Modal]], log: Logger) -> discord.ui.Modal | str:
    """Return the modal, or the reply that says why there is none."""
    try:
        async with asyncio.timeout(FIRST_ANSWER_TIMEOUT):
            modal = await make()
    except UserError as error:
        _log_refusal(log)
        return str(error)
    except (TransientError, TimeoutError) as error:
        log.warning("Could not read what the form shows", action="interaction_failed", error=str(error) or "timed out")
        return _NO_MODAL
    except Exception as error:
        return _log_unexpected(log, error)
    modal.stop()  # its submission is found by its id, so discord.py need not remember it
    return modal


async def _run_transaction(interaction: Interaction, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    async def attempt() -> T:
        async with database.transaction(interaction.client.sessions) as session:
            return await work(session)

    return await retry(attempt, backoff=_BACKOFF, attempts=ATTEMPTS)


def command_name(interaction: Interaction) -> str:
    """Return the command's name or the button's kind, without user input."""
    if interaction.command is not None:
        return interaction.command.qualified_name
    data: Mapping[str, Any] = interaction.data or {}
    return str(data.get("custom_id", "")).rpartition(":")[0] or "unknown"


class QuestbellTree(app_commands.CommandTree[Any]):
    """The command tree, which also answers commands that discord.py refuses to run."""

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """Reply that the command is outdated, or apologise for an unexpected error."""
        log = logs.get(interaction_id=interaction.id, command=command_name(interaction))
        match error:
            case app_commands.CommandNotFound() | app_commands.CommandSignatureMismatch():
                text = _OUTDATED
            case _:
                text = _log_unexpected(log, error)
        try:
            if not interaction.response.is_done():
                await interaction.response.send_message(text, ephemeral=True)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as failure:
            log.warning("Reply not shown", action="answer_lost", error=repr(failure))


async def _acknowledge(
    interaction: Interaction, log: Logger, *, in_place: bool = False, is_public: bool = False
) -> bool:
    """Show "thinking…", unless the answer replaces a message. Return False if the user may see a failure instead."""
    try:
        async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
            await interaction.response.defer(ephemeral=not is_public, thinking=not in_place)
    except discord.HTTPException as error:
        # By our first attempt, whose response was lost, or by another process with this token.
        if error.code == _ALREADY_ACKNOWLEDGED:
            return True
        log.warning("Too late to reply", action="interaction_lost", status=error.status, code=error.code)
        return False
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("Could not acknowledge", action="interaction_lost", error=repr(error))
        return False
    return True


async def _run(work: Callable[[], Awaitable[Reply]], log: Logger) -> Reply:
    try:
        async with asyncio.timeout(WORK_TIMEOUT):
            reply = await work()
    except UserError as error:
        _log_refusal(log)
        return Reply(str(error), keeps_rest=True)
    except (TransientError, TimeoutError) as error:
        log.warning("Could not save", action="interaction_failed", error=str(error) or "timed out")
        return Reply(_TEMPORARY, keeps_rest=True)
    # The user must get a reply whatever failed.
    except Exception as error:
        return Reply(_log_unexpected(log, error), keeps_rest=True)
    log.info("Answered", action="interaction_answered")
    return reply


def _log_refusal(log: Logger) -> None:
    log.info("Refused", action="interaction_refused")


def _log_unexpected(log: Logger, error: Exception) -> str:
    reference = secrets.token_hex(4)
    log.error("Unexpected failure", action="interaction_failed", reference=reference, exc_info=error)
    return (
        "Sorry, something went wrong on my end. Please try again. "
        f"If it keeps happening, send the bot's admin this reference: `{reference}`."
    )


async def _show_first(interaction: Interaction, reply: Reply) -> bool:
    """Show everyone the text of a reply as the first answer. Return False if it may not be shown."""
    try:
        async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT - FIRST_ANSWER_TIMEOUT):
            await interaction.response.send_message(reply.text, allowed_mentions=_allow_mentions(reply))
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError):
        return False  # by our first attempt or another process it may be, and the caller edits what there is
    return True


def _allow_mentions(reply: Reply) -> discord.AllowedMentions:
    users = [discord.Object(user_id) for user_id in reply.mentions]
    return discord.AllowedMentions(everyone=False, roles=False, users=users, replied_user=False)


async def _show(interaction: Interaction, reply: Reply, log: Logger) -> int | None:
    """Show a reply, and return the id of its message, None if it may not be shown."""

    embeds = [discord.Embed.from_dict(embed) for embed in reply.embeds]
    rest: dict[str, Any] = {} if reply.keeps_rest else {"embeds": embeds, "view": reply.view}

    async def edit() -> int:
        try:
            async with asyncio.timeout(EDIT_TIMEOUT):
                message = await interaction.edit_original_response(
                    content=reply.text or None, allowed_mentions=_allow_mentions(reply), **rest
                )
                return message.id
        except (aiohttp.ClientError, OSError, TimeoutError, discord.DiscordServerError) as error:
            raise TransientError(f"could not show the reply: {describe(error)}") from error

    try:
        return await retry(edit, backoff=_BACKOFF, attempts=ATTEMPTS)
    except (TransientError, discord.HTTPException) as error:
        log.warning("Reply not shown", action="answer_lost", error=str(error))
        return None
