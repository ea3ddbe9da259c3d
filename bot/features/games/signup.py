"""The buttons Join, Maybe and Can't, and the menu of slots.

Their ids carry the game, so they work after a restart and on any replica.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.features.buttons import NONCE, ROW_ID, ButtonInteraction, RowButton
from bot.features.errors import UserError
from bot.features.games.limits import describe_required_role, require_roles_known, roles_of
from bot.features.games.lookup import require_game
from bot.features.interactions import Reply, respond_once
from bot.rendering.formatting import format_mention, format_timestamp, format_title
from bot.rendering.payload import JOIN_ID, LEAVE_ID, MAYBE_ID, SLOT_ID, TAKE_ID
from bot.rendering.slots import CHOOSE_SLOT, format_slot_of, slot_options
from shared import database
from shared.confirmations import ConfirmResult, confirm_attendance
from shared.formatting import format_duration
from shared.game_search import find_overlap
from shared.games import find_game, remember_guild_name
from shared.models import Answer, Game, GameStatus
from shared.schedule.populate import reminder_times
from shared.signup import JoinResult, LeaveResult, join_game, leave_game, read_seats, read_waitlist
from shared.signup_rules import closing_time
from shared.slots import Seats, is_full
from shared.users import read_own_settings

_CLOSED_REASONS = {
    GameStatus.IN_PROGRESS: "has started, so sign-ups are closed. Want to join late? Ask {host}.",
    GameStatus.COMPLETED: "is over.",
    GameStatus.CANCELLED: "is cancelled.",
}

_LEAST_CHOICE = 2


class JoinButton(RowButton, template=JOIN_ID + ROW_ID + NONCE):
    """Gives the user a seat in a game, or a place on its waitlist."""

    prefix = JOIN_ID
    text = "Join"
    style = discord.ButtonStyle.success

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Sign up."""

        async def work(session: AsyncSession) -> str:
            game = await require_game(session, self.row_id, guild_id=interaction.guild_id)
            if interaction.guild is not None and interaction.guild.name:
                await remember_guild_name(session, game.guild_id, name=interaction.guild.name)
            require_roles_known(interaction, game)
            roles = roles_of(interaction.user)
            result = await join_game(session, game.id, user_id=interaction.user.id, role_ids=roles)
            if result is JoinResult.ALREADY_JOINED:
                await confirm_attendance(session, game.id, user_id=interaction.user.id)
            return await _describe_join(session, game, result, interaction.user.id)

        async def show(session: AsyncSession) -> Reply:
            return await _show_slot_menu(session, self.row_id, guild_id=interaction.guild_id)

        await respond_once(interaction, work, show=show)


class SlotSelect(discord.ui.DynamicItem[discord.ui.Select[Any]], template=SLOT_ID + ROW_ID):
    """Gives the user a seat in a slot, or a place on its waitlist. A player changes to it."""

    def __init__(self, game_id: UUID, select: discord.ui.Select[Any]) -> None:
        super().__init__(select)
        self.game_id = game_id

    @classmethod
    def make(cls, game: Game, seats: Seats) -> Self:
        """Create the menu for a reply."""
        options = [discord.SelectOption(**option) for option in slot_options(game, seats)]
        custom_id = f"{SLOT_ID}{game.id}"
        return cls(game.id, discord.ui.Select(custom_id=custom_id, placeholder=CHOOSE_SLOT, options=options))

    @classmethod
    async def from_custom_id(
        cls, _interaction: ButtonInteraction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Create the menu from which a user has chosen."""
        if not isinstance(item, discord.ui.Select):
            raise TypeError(f"a menu, not {type(item).__name__}")
        return cls(UUID(match["id"]), item)

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Sign up for a slot. A reply that only asked for it becomes the answer."""
        [name] = self.item.values
        asked = interaction.message
        in_place = asked is not None and asked.flags.ephemeral and not asked.embeds

        async def work(session: AsyncSession) -> str:
            game = await require_game(session, self.game_id, guild_id=interaction.guild_id)
            require_roles_known(interaction, game)
            roles = roles_of(interaction.user)
            result = await join_game(session, game.id, user_id=interaction.user.id, role_ids=roles, slot=name)
            return await _describe_join(session, game, result, interaction.user.id)

        await respond_once(interaction, work, in_place=in_place)


class TakeButton(RowButton, template=TAKE_ID + ROW_ID + NONCE):
    """Confirms the seat that the user is offered."""

    prefix = TAKE_ID
    text = "Take it"
    style = discord.ButtonStyle.success

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Take the seat."""

        async def work(session: AsyncSession) -> str:
            game = await require_game(session, self.row_id, guild_id=interaction.guild_id)
            result = await confirm_attendance(session, game.id, user_id=interaction.user.id)
            return await _describe_take(session, game, result, interaction.user.id)

        await respond_once(interaction, work)


class MaybeButton(RowButton, template=MAYBE_ID + ROW_ID + NONCE):
    """Records that the user may come."""

    prefix = MAYBE_ID
    text = "Maybe"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Answer that the user may come."""
        await _answer_without_seat(interaction, self.row_id, Answer.MAYBE)


class LeaveButton(RowButton, template=LEAVE_ID + ROW_ID + NONCE):
    """Records that the user cannot come, and frees their seat."""

    prefix = LEAVE_ID
    text = "Can't"

    async def callback(self, interaction: ButtonInteraction) -> None:
        """Answer that the user cannot come."""
        await _answer_without_seat(interaction, self.row_id, Answer.DECLINED)


async def _answer_without_seat(interaction: ButtonInteraction, game_id: UUID, answer: Answer) -> None:
    async def work(session: AsyncSession) -> str:
        game = await require_game(session, game_id, guild_id=interaction.guild_id)
        result = await leave_game(session, game.id, user_id=interaction.user.id, answer=answer)
        if answer is Answer.MAYBE:
            return _describe_maybe(game, result)
        return _describe_leave(game, result, is_host=interaction.user.id == game.host_id)

    await respond_once(interaction, work)


def signup_view(game: Game, seats: Seats) -> discord.ui.View:
    """Return the buttons for a reply, and the menu of a game with slots."""
    view = discord.ui.View(timeout=None)
    for button in (JoinButton, MaybeButton, LeaveButton):
        view.add_item(button(game.id))
    if game.slots:
        view.add_item(SlotSelect.make(game, seats))
    return view


async def _show_slot_menu(session: AsyncSession, game_id: UUID, *, guild_id: int | None) -> Reply:
    """Return a reply with the menu of an open game where there is a choice."""
    game = await find_game(session, game_id, guild_id=guild_id)
    if game is None or game.status is not GameStatus.SCHEDULED or len(game.slots) < _LEAST_CHOICE:
        return Reply()
    view = discord.ui.View(timeout=None)
    view.add_item(SlotSelect.make(game, await read_seats(session, game_id)))
    return Reply(view=view)


async def _describe_join(session: AsyncSession, game: Game, result: JoinResult, user_id: int) -> str:
    title = format_title(game.title)
    when = f"{format_timestamp(game.scheduled_at, 'F')} ({format_timestamp(game.scheduled_at, 'R')})"
    slot = format_slot_of(game, (await read_seats(session, game.id)).get(user_id))
    as_slot = f" as **{slot}**" if slot else ""
    match result:
        case JoinResult.JOINED:
            promise = await _promise_reminders(session, game, user_id)
            return f"You're in{as_slot}! {title} starts on {when}.{promise}{await _warn(session, game, user_id)}"
        case JoinResult.CONFIRMED:
            promise = await _promise_reminders(session, game, user_id)
            return f"The seat is yours. {title} starts on {when}.{promise}{await _warn(session, game, user_id)}"
        case JoinResult.ALREADY_JOINED:
            promise = await _promise_reminders(session, game, user_id)
            return f"You're already in{as_slot}. {title} starts on {when}.{promise}"
        case JoinResult.WAITLISTED | JoinResult.ALREADY_WAITLISTED:
            is_still = "is still" if result is JoinResult.ALREADY_WAITLISTED else "is"
            full, line = await describe_line(session, game, user_id)
            return f"{full} {is_still} full. {line} {_promise_seat(game)}{await _warn(session, game, user_id)}"
        case JoinResult.SIGN_UPS_CLOSED:
            waits = user_id in await read_waitlist(session, game.id)
            return _describe_closing(game) + (f" You stay on the waitlist. {_promise_seat(game)}" if waits else "")
        case JoinResult.ROLE_MISSING:
            return f"{title} is {describe_required_role(game)}. Ask a server admin for it."
        case JoinResult.CHOOSE_SLOT:
            return f"{title} has slots. Choose yours below."
        case JoinResult.NO_SUCH_SLOT:
            raise UserError(f"The slots of {title} have changed. Press Join to see them.")
        case JoinResult.CHANGED_SLOT:
            return f"You play{as_slot} in {title} now, which starts on {when}."
        case JoinResult.SLOT_FULL:
            raise UserError(
                f"That slot of {title} is full, or others wait for it. You keep your seat{as_slot}. "
                "Choose another slot, or try again when someone leaves it."
            )
        case JoinResult.CLOSED:
            reason = _CLOSED_REASONS.get(game.status, "isn't open for sign-ups.")
            return f"{title} {reason.format(host=format_mention(game.host_id))}"


async def _describe_take(session: AsyncSession, game: Game, result: ConfirmResult, user_id: int) -> str:
    match result:
        case ConfirmResult.SEAT_TAKEN:
            return await _describe_join(session, game, JoinResult.CONFIRMED, user_id)
        case ConfirmResult.CONFIRMED | ConfirmResult.ALREADY_CONFIRMED:
            return await _describe_join(session, game, JoinResult.ALREADY_JOINED, user_id)
        case ConfirmResult.CLOSED:
            return await _describe_join(session, game, JoinResult.CLOSED, user_id)
        case ConfirmResult.NO_SEAT if user_id in await read_waitlist(session, game.id):
            _, line = await describe_line(session, game, user_id)
            return f"You have no seat in {format_title(game.title)} at the moment. {line} {_promise_seat(game)}"
        case ConfirmResult.NO_SEAT:
            title = format_title(game.title)
            return f"You have no seat in {title}, because its time is over or you gave it up. To join, press Join."


def _promise_seat(game: Game) -> str:
    """Return what happens once a seat becomes free for a user who waits."""
    if game.offer_minutes is None:
        return "If a seat becomes free, it's yours, and I'll let you know."
    span = format_duration(timedelta(minutes=game.offer_minutes))
    return f"If a seat becomes free, I'll offer it to you, and you have {span} to take it."


def _describe_closing(game: Game) -> str:
    closed_at = closing_time(game) or game.scheduled_at
    since = f"{format_timestamp(closed_at, 'f')} ({format_timestamp(closed_at, 'R')})"
    host = format_mention(game.host_id)
    return f"Sign-ups for {format_title(game.title)} closed on {since}. Want to join late? Ask {host}."


async def describe_line(session: AsyncSession, game: Game, user_id: int) -> tuple[str, str]:
    """Return what is full for a user who waits, and their place in line, of those who wait for the same slot."""
    waiting, seats = await read_waitlist(session, game.id), await read_seats(session, game.id)
    name = waiting[user_id]
    place = [user for user, other in waiting.items() if other == name].index(user_id) + 1
    title, slot = format_title(game.title), format_slot_of(game, name)
    if not slot:
        return title, f"You're number {place} on the waitlist."
    full = title if is_full(game, seats) else f"**{slot}** in {title}"
    return full, f"You're number {place} on the waitlist for **{slot}**."


def _describe_leave(game: Game, result: LeaveResult, *, is_host: bool) -> str:
    title = format_title(game.title)
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
    title = format_title(game.title)
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


async def _warn(session: AsyncSession, game: Game, user_id: int) -> str:
    """Return that the user plays something else at that time, which they may, or an empty text."""
    other = await find_overlap(session, game.id, user_id=user_id)
    if other is None:
        return ""
    when = format_timestamp(other.scheduled_at, "F")
    return f"\n⚠️ You also have a seat in {format_title(other.title)} on {when}, which overlaps."
