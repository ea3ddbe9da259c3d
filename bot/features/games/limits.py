"""Reads and words what limits the sign-ups of a game."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

import discord

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.times import format_span, parse_time_before
from bot.rendering.formatting import format_role, format_timestamp, format_title
from bot.rendering.payload import message_link
from shared.formatting import format_duration, plural
from shared.models import Game
from shared.schedule.minimum import planned_count
from shared.signup_rules import closing_time


def parse_closing(text: str) -> int | None:
    """Return how many minutes before the start sign-ups close, None if that is at the start.

    Raises:
        UserError: the text is invalid, or too long a time.
    """
    return (parse_time_before(text, option="closes") or None) if text else None


def read_role(interaction: Interaction, role: discord.Role | None) -> int | None:
    """Return the role's id, 0 for the role that everybody has, None if none was entered."""
    if role is None:
        return None
    return 0 if role.id == interaction.guild_id else role.id


def roles_of(user: discord.Member | discord.User) -> Collection[int]:
    """Return the roles that a member has. Outside the server nobody has any."""
    # `roles` has only those that Discord has described already.
    return frozenset(user._roles) if isinstance(user, discord.Member) else frozenset()


def require_roles_known(interaction: Interaction, game: Game) -> None:
    """Check that the interaction says which roles the user has, if the game needs one.

    Raises:
        UserError: it comes from a direct message.
    """
    if game.required_role_id is not None and not isinstance(interaction.user, discord.Member):
        link = message_link(game)
        announcement = "its announcement" if link is None else f"[its announcement]({link})"
        raise UserError(
            f"{format_title(game.title)} is for a role of its server, and I can't see your roles here. "
            f"Press Join on {announcement}."
        )


def describe_required_role(game: Game) -> str:
    """Return whom a game is for."""
    return f"for members with the role {format_role(game.required_role_id or 0)}"


def parse_check(text: str) -> int:
    """Return how many minutes before the start the players are counted.

    Raises:
        UserError: the text is invalid, or means the start.
    """
    minutes = parse_time_before(text, option="minimum-check")
    if not minutes:
        raise UserError("The start is too late to count the players. For `minimum-check`, enter a time such as `1d`.")
    return minutes


def require_possible_minimum(minimum: int | None, check_minutes: int | None, *, seats: int | None) -> None:
    """Check that a game's limits fit together.

    Raises:
        UserError: there is a time to count the players without a minimum, or fewer players can join.
    """
    if minimum is None and check_minutes is not None:
        raise UserError("`minimum-check` is for games that need a minimum of players. Enter `minimum` too.")
    if minimum is not None and seats is not None and minimum > seats:
        needs = f"The game needs {plural(minimum, 'player')}, but only {seats} can join."
        raise UserError(f"{needs} Enter a smaller `minimum` or allow more players.")


def require_open_sign_ups(start: datetime, closes_minutes: int | None, *, now: datetime) -> None:
    """Check that players can join a new game.

    Raises:
        UserError: sign-ups would be closed already.
    """
    if closes_minutes is not None and start - timedelta(minutes=closes_minutes) <= now:
        span = format_span(timedelta(minutes=closes_minutes))
        raise UserError(
            f"{span} before the start is in the past, so nobody could join. "
            "Enter a shorter time for `closes`, or leave it out."
        )


def format_minutes(minutes: int | None) -> str:
    """Return "1h30m", which is read as the same length, or an empty text for none."""
    return format_span(timedelta(minutes=minutes)) if minutes else ""


def describe_limits(game: Game, *, now: datetime, announce_at: datetime | None = None) -> list[str]:
    """Return a line for each limit of the sign-ups that has a time."""
    lines, closes_at = [], closing_time(game)
    if closes_at is not None:
        close = "close" if closes_at > now else "have been closed since"
        lines.append(f"🚪 Sign-ups {close}: {format_timestamp(closes_at, 'f')}")
    if game.offer_minutes is not None:
        span = format_duration(timedelta(minutes=game.offer_minutes))
        lines.append(f"⏳ A player from the waitlist has {span} to take a free seat.")
    lines.extend(_describe_count(game, now=now, announce_at=announce_at))
    return lines


def _describe_count(game: Game, *, now: datetime, announce_at: datetime | None) -> list[str]:
    is_open = announce_at is not None and announce_at > now  # a preview may be older than its announcement
    counted_at = planned_count(game, announce_at=announce_at if is_open else None)
    if counted_at is None:
        return []
    at = f"on {format_timestamp(counted_at, 'f')}" if counted_at > now else "before the start"
    why = "" if counted_at == planned_count(game) else " That's halfway between the announcement and the start."
    fewer = f"fewer than {plural(game.minimum_players or 0, 'player')}"
    return [f"👥 With {fewer}, I'll ask the host {at} whether to cancel.{why}"]
