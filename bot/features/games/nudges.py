"""Reads when those are nudged who have not answered a game, and whom the host may nudge."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.times import format_span, parse_time_before
from bot.rendering.formatting import format_role, format_timestamp
from shared.models import Game
from shared.schedule.nudges import planned_nudge


def parse_nudge(text: str) -> int | None:
    """Return how many minutes before the start those are nudged who have not answered, None if nobody is.

    Raises:
        UserError: the text is invalid, or too long a time.
    """
    return (parse_time_before(text, option="nudge") or None) if text else None


def require_possible_nudge(nudge_minutes: int | None, role_id: int | None, closes_minutes: int | None) -> None:
    """Check that a game's nudge fits its other details.

    Raises:
        UserError: there is a role to nudge without a time, or sign-ups are closed by then.
    """
    if nudge_minutes is None and role_id is not None:
        raise UserError("`nudge-role` is for games with a nudge. Enter `nudge` too, such as `1d`.")
    if nudge_minutes is not None and closes_minutes is not None and nudge_minutes <= closes_minutes:
        span = format_span(timedelta(minutes=closes_minutes))
        raise UserError(f"Sign-ups close {span} before the start, so nudge earlier. Enter a longer time for `nudge`.")


def require_mentionable(interaction: Interaction, role_id: int | None) -> None:
    """Check that the host and the bot may mention the role to nudge.

    Raises:
        UserError: one of them may not, or the role was deleted.
    """
    if role_id is None:
        return
    guild = interaction.guild
    if guild is None or not guild.roles:  # Discord describes the server soon after the bot has connected
        raise UserError("I've only just started. Please try again in a few seconds.")
    role = guild.get_role(role_id)
    if role is None:
        raise UserError("The role for `nudge-role` was deleted. Choose another one.")
    if role.mentionable:
        return
    for granted, who in ((interaction.permissions, "You"), (interaction.app_permissions, "I")):
        if not (granted.mention_everyone or granted.administrator):
            raise UserError(
                f"{who} can't mention {format_role(role_id)} without the Mention Everyone permission. "
                "Choose a role that everyone can mention, or ask an admin to allow it."
            )


def describe_nudge(game: Game, *, now: datetime, announce_at: datetime | None = None) -> list[str]:
    """Return a line about who is nudged and when, or why nobody is. It is empty for a game without a nudge."""
    planned = planned_nudge(game)
    if planned is None:
        return []
    if planned <= now:
        return ["🔕 Too late to nudge those who haven't answered."]
    if announce_at is not None and planned < announce_at:
        return ["🔕 I'll nudge nobody, because the game isn't announced by then."]
    if game.nudge_role_id is not None:
        who = format_role(game.nudge_role_id)
    else:
        who = "players of earlier games who haven't answered"
    return [f"📣 I'll nudge {who}: {format_timestamp(planned, 'f')}"]
