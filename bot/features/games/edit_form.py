"""The button Edit on an announcement and its form, which change a game as `/game edit` does.

The form's id carries the game and a short hash of each value that it showed, so it can be submitted after a restart and
to any process. What the user left as it was does not change, even if somebody else has changed it meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
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
from bot.features.interactions import respond_once, respond_with_modal
from bot.features.rights import require_manager
from bot.features.times import StartTime, format_start_time
from bot.rendering.payload import EDIT_ID
from shared import database
from shared.models import Game

EDIT_FORM_ID = "questbell:edit-form:"
_HASH_BYTES = 4
_FIELDS = ("title", "when", "players", "reminders", "description")
"""Discord allows five fields."""
SHOWN = r":(?P<shown>[\w-]{27})"
"""The hashes of the five values, in Base64."""


class EditGameButton(RowButton, template=EDIT_ID + ROW_ID + NONCE):
    """Opens the form with what the game is like."""

    prefix = EDIT_ID
    text = "Edit"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Open the form for who may change the game. It reads a few rows, however many players there are."""

        async def make() -> discord.ui.Modal:
            async with database.transaction(interaction.client.sessions) as session:
                game = await require_game(session, self.row_id, guild_id=interaction.guild_id, has_roster=False)
                await require_manager(session, interaction, game, verb="change")
                require_scheduled(game)
                return edit_form(game)

        await respond_with_modal(interaction, make)


def edit_form(game: Game) -> discord.ui.Modal:
    """Return the form with what the game is like."""
    options = copy_options(game, when=format_start_time(StartTime(game.scheduled_at), zone=game.zone))
    times = "friday 8pm, tomorrow 19:30, in 2 hours"
    fields = (
        ("Title", text_field("title", options.title, 100, required=True)),
        ("When", text_field("when", options.when, 100, hint=times, required=True), f"Times are in {game.zone}"),
        ("Players", text_field("players", options.players, 20, hint="How many can join (empty: no limit)")),
        ("Reminders", text_field("reminders", options.reminders, 100, hint="1d, 1h, 0 (0 is the start), or none")),
        ("Description", text_field("description", options.description, 1000, several_lines=True)),
    )
    shown = _hash_values({field.custom_id: field.default or "" for _label, field, *_ in fields})
    return make_form("Edit the game", f"{EDIT_FORM_ID}{game.id}:{shown}", *fields)


async def submit_edit_form(interaction: Interaction, match: re.Match[str], values: dict[str, str]) -> None:
    """Change what its user has changed on the form."""

    async def work(session: AsyncSession) -> str:
        options = _read_changes(UUID(match["id"]), values, shown=match["shown"])
        return await edit_from_options(session, interaction, options)

    await respond_once(interaction, work, show=lambda session: show_ask_button(session, interaction, match["id"]))


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
