"""The `/template` commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from discord import app_commands
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.lookup import find_game_by_text, suggest_all_games, suggest_templates
from bot.features.games.templates import TEMPLATE_FIELDS, copy_options, parse_locked
from bot.features.interactions import Reply, respond_in_transaction, respond_once
from bot.features.repeats import format_repeat
from bot.features.rights import require_games_manager
from bot.rendering.embeds import STATUS_STYLES
from bot.rendering.escaping import clean, escape, is_blank
from shared.formatting import join_words
from shared.guild_settings import get_guild_settings
from shared.models import GameStatus, GameTemplate
from shared.series.rule import Rule
from shared.templates import MOST_TEMPLATES, SaveResult, delete_template, list_templates, save_template


class TemplateCommands(app_commands.Group):
    """Save what your games have in common."""

    def __init__(self) -> None:
        super().__init__(
            name="template",
            description="Save what your games have in common.",
            guild_only=True,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )

    @app_commands.command()
    @app_commands.describe(
        game="The game whose title, duration, players and other details it gets",
        name="What hosts pick in `/game create`",
        lock="What hosts can't change: “players, duration” (default: nothing)",
    )
    @app_commands.autocomplete(game=suggest_all_games)
    async def save(
        self,
        interaction: Interaction,
        game: str,
        name: app_commands.Range[str, 1, 50],
        lock: app_commands.Range[str, 1, 100] = "",
    ) -> None:
        """Save a game as a template."""

        async def work(session: AsyncSession) -> str:
            guild_id = interaction.guild_id or 0
            await _require_rights(session, interaction)
            found = await find_game_by_text(session, game, guild_id=guild_id, is_over=True)
            rule = "" if found.series_rule is None else format_repeat(Rule.parse(found.series_rule))
            options = asdict(copy_options(found)) | {"repeat": rule}
            shown, locked = clean(name), parse_locked(lock)
            if is_blank(shown):
                raise UserError("The name is empty. Enter what hosts should pick, such as `Weekly game`.")
            defaults = {field: options[field] for field in TEMPLATE_FIELDS}
            result = await save_template(
                session, guild_id, shown, defaults=defaults, locked=locked, user_id=interaction.user.id
            )
            if result is SaveResult.TOO_MANY:
                raise UserError(
                    f"This server already has {MOST_TEMPLATES} templates, which is the limit. "
                    "Delete one with `/template delete`, or replace one by saving under its name."
                )
            verb = "saved" if result is SaveResult.CREATED else "replaced"
            return f"The template “{escape(shown, limit=80)}” is {verb}. To use it, pick it in `/game create`."

        await respond_once(interaction, work)

    @app_commands.command(name="list")
    async def list_(self, interaction: Interaction) -> None:
        """Show this server's templates."""

        async def work(session: AsyncSession) -> Reply:
            return _describe(await list_templates(session, interaction.guild_id or 0))

        await respond_in_transaction(interaction, work)

    @app_commands.command()
    @app_commands.describe(name="The template")
    @app_commands.autocomplete(name=suggest_templates)
    async def delete(self, interaction: Interaction, name: app_commands.Range[str, 1, 100]) -> None:
        """Delete a template. Games that were made with it stay."""

        async def work(session: AsyncSession) -> str:
            await _require_rights(session, interaction)
            if not await delete_template(session, interaction.guild_id or 0, clean(name)):
                raise UserError(f"There's no template called “{escape(name, limit=80)}”. See `/template list` for all.")
            return f"The template “{escape(name, limit=80)}” is deleted. Games that were made with it stay."

        await respond_once(interaction, work)


async def _require_rights(session: AsyncSession, interaction: Interaction) -> None:
    settings = await get_guild_settings(session, interaction.guild_id or 0)
    require_games_manager(interaction, settings, verb="change templates")


def _describe(templates: Sequence[GameTemplate]) -> Reply:
    if not templates:
        return Reply("This server has no templates yet. To save a game as one, use `/template save`.")
    lines = "\n".join(map(_describe_one, templates))
    colour = STATUS_STYLES[GameStatus.SCHEDULED].colour
    return Reply(embeds=[{"title": "📋 Templates", "description": lines, "color": colour}])


def _describe_one(template: GameTemplate) -> str:
    title = escape(str(template.defaults.get("title", "")), limit=35)
    locked = f" · locked: {join_words(template.locked)}" if template.locked else ""
    return f"**{escape(template.name, limit=55)}**: {title}{locked}"
