"""The preview of a game, and its buttons to post, edit and discard it.

Only the host sees it. It is made from a row, and its buttons carry the row's id, so they work after a restart and on
any replica.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.buttons import ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.creation import (
    READ_IN_UTC,
    CreateGameOptions,
    choose_place,
    confirm_creation,
    create_from_options,
    describe_schedule,
    plan_game,
)
from bot.features.games.form import ON_THE_FORM, game_form, more_form, read_form, sign_ups_form
from bot.features.games.templates import fill_from_template, require_unlocked
from bot.features.interactions import Reply, respond_once, respond_with_modal
from bot.features.repeats import is_once, plan_series
from bot.rendering import game_embed
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_timestamp
from shared import database
from shared.drafts import discard_draft, find_draft, find_requested_draft, lock_draft, save_draft
from shared.formatting import format_duration
from shared.games import build_game, find_requested_game
from shared.models import Draft, new_id
from shared.users import find_zone

ReadOptions = Callable[[AsyncSession], Awaitable[CreateGameOptions]]
MakeForm = Callable[[UUID, CreateGameOptions], discord.ui.Modal]

POST_ID = "questbell:draft-post:"
EDIT_ID = "questbell:draft-edit:"
MORE_ID = "questbell:draft-more:"
SIGN_UPS_ID = "questbell:draft-sign-ups:"
DISCARD_ID = "questbell:draft-discard:"

_GONE = "This draft is gone. To plan a game, use `/game create`."
_POSTED = "This game is already posted. To change it, use `/game edit`."


async def respond_with_preview(interaction: Interaction, read: ReadOptions) -> None:
    """Save the options that `read` returns as a draft, and show its preview."""
    draft_id = new_id()

    async def work(session: AsyncSession) -> str:
        await choose_place(session, interaction)
        draft = await _save(session, interaction, draft_id, await read(session))
        return (await _preview(session, interaction, draft)).text

    async def show(session: AsyncSession) -> Reply:
        draft = await find_requested_draft(session, interaction.id)
        return Reply() if draft is None else await _preview(session, interaction, draft)

    await respond_once(interaction, work, show=show)


async def create_from_command(interaction: Interaction, options: CreateGameOptions) -> None:
    """Show the preview of a game, or the form if the options do not suffice."""

    async def read(session: AsyncSession) -> CreateGameOptions:
        return await fill_from_template(session, interaction.guild_id or 0, options)

    if options.when and (options.title or options.template):
        await respond_with_preview(interaction, read)
    else:
        await _open_form(interaction, options, read)


async def _open_form(interaction: Interaction, options: CreateGameOptions, read: ReadOptions) -> None:
    """Open the form of a new draft. Only options that are not on it have to be saved before."""
    draft_id = new_id()
    entered = asdict(options)
    off_the_form = any(entered[name] for name in entered.keys() - ON_THE_FORM)

    async def make() -> discord.ui.Modal:
        if not off_the_form:
            return game_form(draft_id, options)
        async with database.transaction(interaction.client.sessions) as session:
            draft = await _save(session, interaction, draft_id, await read(session))
            return game_form(draft.id, CreateGameOptions.load(draft.options))

    await respond_with_modal(interaction, make)


async def submit_form(interaction: Interaction, match: re.Match[str], values: dict[str, str]) -> None:
    """Save what the host entered in the form, and show the preview."""
    draft_id = UUID(match["id"])

    async def work(session: AsyncSession) -> str:
        draft = await lock_draft(session, draft_id)
        if draft is None:
            options = read_form(values, CreateGameOptions())
            draft = await _save(session, interaction, draft_id, options)
        elif draft.is_posted:
            raise UserError(_POSTED)
        else:
            draft.options = await _stamp(session, interaction, read_form(values, CreateGameOptions.load(draft.options)))
            await session.flush()
        return (await _preview(session, interaction, draft)).text

    in_place = interaction.message is not None  # the form was opened from the preview
    await respond_once(interaction, work, show=_shown_preview(interaction, draft_id), in_place=in_place)


async def submit_other_form(interaction: Interaction, match: re.Match[str], values: dict[str, str]) -> None:
    """Save what the host entered in a form without the start, which stays as it was, and show the preview."""
    draft_id = UUID(match["id"])

    async def work(session: AsyncSession) -> str:
        draft = await lock_draft(session, draft_id)
        if draft is None:
            raise UserError(_GONE)
        if draft.is_posted:
            raise UserError(_POSTED)
        draft.options = asdict(read_form(values, CreateGameOptions.load(draft.options)))
        await session.flush()
        return (await _preview(session, interaction, draft)).text

    await respond_once(interaction, work, show=_shown_preview(interaction, draft_id), in_place=True)


class PostButton(RowButton, template=POST_ID + ROW_ID):
    """Creates the game."""

    prefix = POST_ID
    text = "Post it"
    style = discord.ButtonStyle.success

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Create the game once, however often it is pressed."""

        async def work(session: AsyncSession) -> str:
            draft = await lock_draft(session, self.row_id)
            if draft is None:
                raise UserError(_GONE)
            if (game := await find_requested_game(session, draft.interaction_id)) is not None:
                return await confirm_creation(session, game)
            options, request_id = CreateGameOptions.load(draft.options), draft.interaction_id
            draft.is_posted = True
            await require_unlocked(session, draft.guild_id, options)
            return await create_from_options(session, interaction, options, request_id=request_id)

        await respond_once(interaction, work, show=_shown_preview(interaction, self.row_id), in_place=True)


class EditButton(RowButton, template=EDIT_ID + ROW_ID):
    """Opens the form with what was entered."""

    prefix = EDIT_ID
    text = "Edit"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Open the form."""
        await _open_form_of_draft(interaction, self.row_id, game_form)


class MoreButton(RowButton, template=MORE_ID + ROW_ID):
    """Opens the form with more options."""

    prefix = MORE_ID
    text = "More"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Open the form."""
        await _open_form_of_draft(interaction, self.row_id, more_form)


class SignUpsButton(RowButton, template=SIGN_UPS_ID + ROW_ID):
    """Opens the form of who can sign up."""

    prefix = SIGN_UPS_ID
    text = "Sign-ups"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Open the form."""
        await _open_form_of_draft(interaction, self.row_id, sign_ups_form)


async def _open_form_of_draft(interaction: ButtonInteraction, draft_id: UUID, form: MakeForm) -> None:
    async def make() -> discord.ui.Modal:
        async with database.transaction(interaction.client.sessions) as session:
            draft = await find_draft(session, draft_id)
            if draft is None:
                raise UserError(_GONE)
            if draft.is_posted:
                raise UserError(_POSTED)
            return form(draft.id, CreateGameOptions.load(draft.options))

    await respond_with_modal(interaction, make)


class DiscardButton(RowButton, template=DISCARD_ID + ROW_ID):
    """Deletes the draft."""

    prefix = DISCARD_ID
    text = "Discard"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Delete the draft."""

        async def work(session: AsyncSession) -> str:
            draft = await lock_draft(session, self.row_id)
            if draft is None:
                raise UserError(_GONE)
            if draft.is_posted:
                raise UserError(_POSTED)
            await discard_draft(session, draft)
            return "Discarded. Nothing was posted."

        await respond_once(interaction, work, show=_shown_preview(interaction, self.row_id), in_place=True)


def draft_view(draft_id: UUID, *, is_valid: bool) -> discord.ui.View:
    """Return the buttons under a preview. What is invalid can't be posted."""
    view = discord.ui.View(timeout=None)
    if is_valid:
        view.add_item(PostButton(draft_id))
    view.add_item(EditButton(draft_id))
    view.add_item(SignUpsButton(draft_id))
    view.add_item(MoreButton(draft_id))
    view.add_item(DiscardButton(draft_id))
    return view


def _shown_preview(interaction: Interaction, draft_id: UUID) -> Callable[[AsyncSession], Awaitable[Reply]]:
    async def show(session: AsyncSession) -> Reply:
        draft = await find_draft(session, draft_id)
        return Reply() if draft is None or draft.is_posted else await _preview(session, interaction, draft)

    return show


async def _preview(session: AsyncSession, interaction: Interaction, draft: Draft) -> Reply:
    """Return what the announcement will look like, or what has to be changed first."""
    if draft.is_posted:
        return Reply(_POSTED)
    options = CreateGameOptions.load(draft.options)
    try:
        await require_unlocked(session, draft.guild_id, options)
        new = await plan_game(session, interaction, options, request_id=draft.interaction_id)
        game = build_game(new)
        repeats = [] if is_once(options.repeat) else plan_series(game, options.repeat)
    except UserError as error:
        text = f"{error}\n-# To change what you entered, press Edit, Sign-ups or More."
        return Reply(text, view=draft_view(draft.id, is_valid=False))
    later = "" if new.announce_at is None else f" on {format_timestamp(new.announce_at, 'F')}"
    lines = [
        f"This is a preview that only you see. To announce the game in <#{game.channel_id}>{later}, press **Post it**.",
        f"“{escape(options.when, limit=100)}” is {format_timestamp(game.scheduled_at, 'F')} "
        f"({format_timestamp(game.scheduled_at, 'R')}), for {format_duration(game.duration)}.",
        *describe_schedule(game, now=await database.now(session), announce_at=new.announce_at),
        *repeats,
    ]
    if game.zone == "UTC":
        lines.append(f"{READ_IN_UTC}, then press Edit and Submit.")
    return Reply("\n".join(lines), embeds=[game_embed(game)], view=draft_view(draft.id, is_valid=True))


async def _save(session: AsyncSession, interaction: Interaction, draft_id: UUID, options: CreateGameOptions) -> Draft:
    return await save_draft(
        session,
        draft_id,
        interaction_id=interaction.id,
        user_id=interaction.user.id,
        guild_id=interaction.guild_id or 0,
        channel_id=interaction.channel_id or 0,
        options=await _stamp(session, interaction, options),
    )


async def _stamp(session: AsyncSession, interaction: Interaction, options: CreateGameOptions) -> dict[str, Any]:
    """Return the options as they are saved: "in 2 hours" and "8pm" stay the times that the preview shows."""
    zone = await find_zone(session, interaction.user.id, guild_id=interaction.guild_id or 0)
    return asdict(replace(options, entered_at=datetime.now(UTC).isoformat(), zone=zone))
