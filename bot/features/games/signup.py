"""The buttons Join, Maybe and Can't. Their ids carry the game, so they work after a restart and on any replica."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.buttons import ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.limits import describe_required_role, require_roles_known, roles_of
from bot.features.interactions import respond_once
from bot.rendering.escaping import escape
from bot.rendering.formatting import format_mention, format_timestamp
from bot.rendering.payload import JOIN_ID, LEAVE_ID, MAYBE_ID
from shared import database
from shared.games import find_game, remember_guild_name
from shared.models import Answer, Game, GameStatus
from shared.schedule.populate import reminder_times
from shared.signup import JoinResult, LeaveResult, join_game, leave_game, list_waitlist
from shared.signup_rules import closing_time
from shared.users import read_own_settings

_NONCE = r"(?::[\w-]{22})?"
"""The nonce that identifies a delivered message."""

_CLOSED_REASONS = {
    GameStatus.IN_PROGRESS: "has started, so sign-ups are closed. Want to join late? Ask {host}.",
    GameStatus.COMPLETED: "is over.",
    GameStatus.CANCELLED: "is cancelled.",
}

_SEAT_FREE = "If a seat becomes free, it's yours, and I'll let you know."


class JoinButton(RowButton, template=JOIN_ID + ROW_ID + _NONCE):
    """Gives the user a seat in a game, or a place on its waitlist."""

    prefix = JOIN_ID
    text = "Join"
    style = discord.ButtonStyle.success

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Sign up."""

        async def work(session: AsyncSession) -> str:
            game = await _require_game(session, self.row_id, guild_id=interaction.guild_id)
            if interaction.guild is not None and interaction.guild.name:
                await remember_guild_name(session, game.guild_id, name=interaction.guild.name)
            require_roles_known(interaction, game)
            roles = roles_of(interaction.user)
            result = await join_game(session, game.id, user_id=interaction.user.id, role_ids=roles)
            return await _describe_join(session, game, result, interaction.user.id)

        await respond_once(interaction, work)


class MaybeButton(RowButton, template=MAYBE_ID + ROW_ID + _NONCE):
    """Records that the user may come."""

    prefix = MAYBE_ID
    text = "Maybe"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Answer that the user may come."""
        await _answer_without_seat(interaction, self.row_id, Answer.MAYBE)


class LeaveButton(RowButton, template=LEAVE_ID + ROW_ID + _NONCE):
    """Records that the user cannot come, and frees their seat."""

    prefix = LEAVE_ID
    text = "Can't"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Answer that the user cannot come."""
        await _answer_without_seat(interaction, self.row_id, Answer.DECLINED)


async def _answer_without_seat(interaction: ButtonInteraction, game_id: UUID, answer: Answer) -> None:
    async def work(session: AsyncSession) -> str:
        game = await _require_game(session, game_id, guild_id=interaction.guild_id)
        result = await leave_game(session, game.id, user_id=interaction.user.id, answer=answer)
        if answer is Answer.MAYBE:
            return _describe_maybe(game, result)
        return _describe_leave(game, result, is_host=interaction.user.id == game.host_id)

    await respond_once(interaction, work)


def signup_view(game_id: UUID) -> discord.ui.View:
    """Return the buttons for a reply."""
    view = discord.ui.View(timeout=None)
    for button in (JoinButton, MaybeButton, LeaveButton):
        view.add_item(button(game_id))
    return view


async def _describe_join(session: AsyncSession, game: Game, result: JoinResult, user_id: int) -> str:
    title = _format_title(game)
    when = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    match result:
        case JoinResult.JOINED:
            return f"You're in! {title} starts on {when}.{await _promise_reminders(session, game, user_id)}"
        case JoinResult.ALREADY_JOINED:
            return f"You're already in. {title} starts on {when}.{await _promise_reminders(session, game, user_id)}"
        case JoinResult.WAITLISTED | JoinResult.ALREADY_WAITLISTED:
            place = (await list_waitlist(session, game.id)).index(user_id) + 1
            is_full = "is still full" if result is JoinResult.ALREADY_WAITLISTED else "is full"
            return f"{title} {is_full}. You're number {place} on the waitlist. {_SEAT_FREE}"
        case JoinResult.SIGN_UPS_CLOSED:
            waits = user_id in await list_waitlist(session, game.id)
            return _describe_closing(game) + (f" You stay on the waitlist. {_SEAT_FREE}" if waits else "")
        case JoinResult.ROLE_MISSING:
            return f"{title} is {describe_required_role(game)}. Ask a server admin for it."
        case JoinResult.CLOSED:
            reason = _CLOSED_REASONS.get(game.status, "isn't open for sign-ups.")
            return f"{title} {reason.format(host=format_mention(game.host_id))}"


def _describe_closing(game: Game) -> str:
    closed_at = closing_time(game) or game.scheduled_at
    since = f"{format_timestamp(closed_at, 'f')} ({format_timestamp(closed_at, 'R')})"
    host = format_mention(game.host_id)
    return f"Sign-ups for {_format_title(game)} closed on {since}. Want to join late? Ask {host}."


def _describe_leave(game: Game, result: LeaveResult, *, is_host: bool) -> str:
    title = _format_title(game)
    match result:
        case LeaveResult.LEFT if is_host:
            return f"You've left {title}. I'll still remind you, because you're the host."
        case LeaveResult.LEFT:
            return f"You've left {title}. I won't remind you about it."
        case LeaveResult.LEFT_WAITLIST:
            return f"You're off the waitlist of {title}."
        case LeaveResult.ANSWERED:
            return f"Noted: you can't make it to {title}."
        case LeaveResult.UNCHANGED:
            return f"You've already said that you can't make it to {title}."
        case LeaveResult.OVER:
            return f"{title} {_CLOSED_REASONS[game.status]}"


def _describe_maybe(game: Game, result: LeaveResult) -> str:
    title = _format_title(game)
    match result:
        case LeaveResult.LEFT:
            return f"You're a maybe for {title} now, and your seat is free for someone else. To take one, press Join."
        case LeaveResult.LEFT_WAITLIST:
            return f"You're a maybe for {title} now, and off the waitlist."
        case LeaveResult.ANSWERED:
            return f"You're a maybe for {title}. I won't remind you. To take a seat, press Join."
        case LeaveResult.UNCHANGED:
            return f"You're already a maybe for {title}."
        case LeaveResult.OVER:
            return f"{title} {_CLOSED_REASONS[game.status]}"


async def _promise_reminders(session: AsyncSession, game: Game, user_id: int) -> str:
    """Return where and when the next reminder comes, or an empty text if none is left."""
    now, settings = await database.now(session), await read_own_settings(session, user_id)
    times = {*reminder_times(game, after=now).values()}
    if settings.extra_offset_minutes is not None:
        extra = game.scheduled_at - timedelta(minutes=settings.extra_offset_minutes)
        times |= {extra} if extra > now else set()
    if not times:
        return ""
    if settings.reminders_off:
        return " I won't remind you, because you turned reminders off. To turn them on, use `/settings me`."
    where = "by DM" if settings.is_reached_by_dm else f"in <#{game.channel_id}>"
    first = " first" if len(times) > 1 else ""
    return (
        f" I'll remind you {where},{first} on {format_timestamp(min(times), 'f')}. To choose where, use `/settings me`."
    )


async def _require_game(session: AsyncSession, game_id: UUID, *, guild_id: int | None) -> Game:
    game = await find_game(session, game_id, guild_id=guild_id)
    if game is None:
        raise UserError("This game no longer exists. See `/game list` for upcoming games.")
    return game


def _format_title(game: Game) -> str:
    return f"**{escape(game.title, limit=200)}**"
