"""The button Edit on an announcement and its form, which change a game as `/game edit` does.

The form's id carries the game and a short hash of each value that it showed, so it can be submitted after a restart and
to any process. What the user left as it was does not change, even if somebody else has changed it meanwhile.

After a mistake, what was entered is a draft, so that the form opens with it again. Its id keeps the hashes: what the
user left as it was at first still does not change.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.buttons import NONCE, ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.confirmations import show_ask_button
from bot.features.games.creation import parse_seats
from bot.features.games.editing import EditGameOptions, edit_from_options, require_scheduled
from bot.features.games.form import make_form, text_field
from bot.features.games.lookup import require_game
from bot.features.games.templates import copy_options
from bot.features.interactions import Reply, respond_once, respond_with_modal
from bot.features.rights import require_manager
from bot.features.times import StartTime, format_start_time
from bot.rendering.payload import EDIT_ID
from shared import database
from shared.drafts import find_draft, find_requested_draft, save_draft
from shared.models import Game, new_id

EDIT_FORM_ID = "questbell:edit-form:"
EDIT_AGAIN_ID = "questbell:edit-again:"
_HASH_BYTES = 4
_FIELDS = ("title", "when", "players", "reminders", "description")
"""Discord allows five fields."""
SHOWN = r":(?P<shown>[\w-]{27})"
"""The hashes of the five values, in Base64."""
_GONE = "What you entered is gone. To change the game, press Edit on its announcement."


class EditGameButton(RowButton, template=EDIT_ID + ROW_ID + NONCE):
    """Opens the form with what the game is like."""

    prefix = EDIT_ID
    text = "Edit"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Open the form for who may change the game. It reads a few rows, however many players there are."""

        async def make() -> discord.ui.Modal:
            async with database.transaction(interaction.client.sessions) as session:
                return edit_form(await _require_editable_game(session, interaction, self.row_id))

        await respond_with_modal(interaction, make)


class EditAgainButton(RowButton, template=EDIT_AGAIN_ID + ROW_ID):
    """Opens the form with what was entered before a mistake."""

    prefix = EDIT_AGAIN_ID
    text = "Edit"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Open the form for who entered it, if they may still change the game."""

        async def make() -> discord.ui.Modal:
            async with database.transaction(interaction.client.sessions) as session:
                draft = await find_draft(session, self.row_id)
                if draft is None or draft.user_id != interaction.user.id:
                    raise UserError(_GONE)
                entered = draft.options
                game = await _require_editable_game(session, interaction, UUID(entered["game"]))
                return edit_form(game, entered["values"], shown=entered["shown"])

        await respond_with_modal(interaction, make)


async def _require_editable_game(session: AsyncSession, interaction: Interaction, game_id: UUID) -> Game:
    """Return the game without its players, however many there are.

    Raises:
        UserError: it is deleted or has started, or the user may not change it.
    """
    game = await require_game(session, game_id, guild_id=interaction.guild_id, has_roster=False)
    await require_manager(session, interaction, game, verb="change")
    require_scheduled(game)
    return game


def edit_form(game: Game, entered: Mapping[str, str] | None = None, *, shown: str | None = None) -> discord.ui.Modal:
    """Return the form with what the game is like, or with what was `entered`.

    `shown` are the hashes of what the form showed when it was opened first.
    """
    start = format_start_time(StartTime(game.scheduled_at), zone=game.zone)
    values = asdict(copy_options(game, when=start)) if entered is None else entered
    times = "friday 8pm, tomorrow 19:30, in 2 hours"
    fields = (
        ("Title", text_field("title", values["title"], 100, required=True)),
        ("When", text_field("when", values["when"], 100, hint=times, required=True), f"Times are in {game.zone}"),
        ("Players", text_field("players", values["players"], 20, hint="How many can join (empty: no limit)")),
        ("Reminders", text_field("reminders", values["reminders"], 100, hint="1d, 1h, 0 (0 is the start), or none")),
        ("Description", text_field("description", values["description"], 1000, several_lines=True)),
    )
    shown = shown or _hash_values({field.custom_id: field.default or "" for _label, field, *_ in fields})
    return make_form("Edit the game", f"{EDIT_FORM_ID}{game.id}:{shown}", *fields)


async def submit_edit_form(interaction: Interaction, match: re.Match[str], values: dict[str, str]) -> None:
    """Change what its user has changed on the form, or keep what they entered if they can correct it."""
    game_id, shown = UUID(match["id"]), match["shown"]

    async def work(session: AsyncSession) -> str:
        return await edit_from_options(session, interaction, _read_changes(game_id, values, shown=shown))

    async def keep(session: AsyncSession) -> None:
        with suppress(UserError):  # nothing that its user enters would change the game
            game = await _require_editable_game(session, interaction, game_id)
            entered = {name: values.get(name, "") for name in _FIELDS}
            await save_draft(
                session,
                new_id(),
                interaction_id=interaction.id,
                user_id=interaction.user.id,
                guild_id=game.guild_id,
                channel_id=game.channel_id,
                options={"game": str(game.id), "shown": shown, "values": entered},
            )

    async def show(session: AsyncSession) -> Reply:
        draft = await find_requested_draft(session, interaction.id)
        if draft is None:
            return await show_ask_button(session, interaction, match["id"])
        view = discord.ui.View(timeout=None)
        view.add_item(EditAgainButton(draft.id))
        return Reply(view=view)

    opened_from = interaction.message
    in_place = opened_from is not None and opened_from.flags.ephemeral  # and not from the announcement
    await respond_once(interaction, work, keep=keep, show=show, in_place=in_place)


def _read_changes(game_id: UUID, values: Mapping[str, str], *, shown: str) -> EditGameOptions:
    before, after = _split_hashes(shown), _split_hashes(_hash_values(values))
    changed = {name: values.get(name, "") for name in _FIELDS if before[name] != after[name]}
    if not changed:
        raise UserError("You changed nothing on the form, so the game stays as it is.")
    players = changed.get("players")
    return EditGameOptions(
        game=str(game_id),
        title=changed.get("title"),
        when=changed.get("when"),
        in_zone_of_game=True,
        players=None if players is None else parse_seats(players) or 0,
        reminders=changed.get("reminders"),
        description=changed.get("description"),
    )


def _hash_values(values: Mapping[str, str]) -> str:
    """Return the hashes of the fields' values. Spaces around lines, which Discord may change, do not count."""
    hashes = b"".join(
        hashlib.blake2b(
            "\n".join(line.strip() for line in values.get(name, "").strip().splitlines()).encode(),
            digest_size=_HASH_BYTES,
        ).digest()
        for name in _FIELDS
    )
    return base64.urlsafe_b64encode(hashes).decode().rstrip("=")


def _split_hashes(text: str) -> dict[str, bytes]:
    hashes = base64.urlsafe_b64decode(text + "=")
    return {name: hashes[number * _HASH_BYTES :][:_HASH_BYTES] for number, name in enumerate(_FIELDS)}
