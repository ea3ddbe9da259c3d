"""Players and co-hosts that somebody else adds to a game or removes from it."""

from __future__ import annotations

import discord
from sqlalchemy.ext.asyncio import AsyncSession

from bot.client import Interaction
from bot.features.errors import UserError
from bot.features.games.limits import describe_required_role, roles_of
from bot.features.games.lookup import find_game_by_text
from bot.features.games.signup import describe_line
from bot.features.rights import require_host, require_manager
from bot.rendering.escaping import clean, escape
from bot.rendering.formatting import format_mention, format_timestamp, format_title
from bot.rendering.slots import format_slot_of
from shared import signup
from shared.co_hosts import add_co_host, remove_co_host
from shared.formatting import join_words
from shared.models import Game
from shared.signup import JoinResult, LeaveResult, MoveUpResult, join_game, move_up, read_seats, read_waitlist

Player = discord.Member | discord.User
"""Someone who has left the server is a `User`."""


async def add_player(
    session: AsyncSession, interaction: Interaction, text: str, player: Player, slot: str | None
) -> str:
    """Sign a player up, or change their slot, and return the confirmation.

    Raises:
        UserError: the user may not, or the player can't join.
    """
    game = await _find(session, interaction, text)
    await require_manager(session, interaction, game, verb="add players to")
    require_member(player, verb="play")
    title, who = format_title(game.title), format_mention(player.id)
    if slot is not None and not game.slots:
        raise UserError(f"{title} has no slots. Leave `slot` out.")
    name, roles = None if slot is None else clean(slot), roles_of(player)
    match await join_game(session, game.id, user_id=player.id, role_ids=roles, by=interaction.user.id, slot=name):
        case JoinResult.JOINED:
            return (
                f"{who} is in {title}, which starts on {format_timestamp(game.scheduled_at, 'F')}. "
                "I don't tell them now, but they get the reminders."
            )
        case JoinResult.ALREADY_JOINED | JoinResult.CONFIRMED:
            return f"{who} is already in {title}."
        case JoinResult.WAITLISTED:
            full, _ = await describe_line(session, game, player.id)
            return f"{full} is full, so {who} is on the waitlist. To add seats, use `/game edit`."
        case JoinResult.ALREADY_WAITLISTED:
            raise UserError(f"{who} is on the waitlist of {title}, which is full. Add seats with `/game edit`.")
        case JoinResult.ROLE_MISSING:
            raise UserError(f"{title} is {describe_required_role(game)}. Give it to {who} first.")
        case JoinResult.CLOSED | JoinResult.SIGN_UPS_CLOSED:
            raise UserError(f"{title} has started or is over, so nobody can be added any more.")
        case JoinResult.CHANGED_SLOT:
            seats = await read_seats(session, game.id)
            slot_now = format_slot_of(game, seats[player.id])
            return f"{who} plays as **{slot_now}** in {title} now. I don't tell them, so you might."
        case JoinResult.SLOT_FULL:
            raise UserError(
                f"That slot of {title} is full, or others wait for it, so {who} keeps their seat. "
                "Choose another slot, or add seats to it with `/game edit`."
            )
        case JoinResult.CHOOSE_SLOT | JoinResult.NO_SUCH_SLOT:
            names = join_words(f"“{escape(it.name, limit=80)}”" for it in game.slots)
            raise UserError(f"{title} has slots. Enter one of them for `slot`: {names}.")


async def remove_player(session: AsyncSession, interaction: Interaction, text: str, player: Player) -> str:
    """Take a player off the roster, and return the confirmation.

    Raises:
        UserError: the user may not, or the game is over.
    """
    game = await _find(session, interaction, text)
    await require_manager(session, interaction, game, verb="remove players from")
    title, who = format_title(game.title), format_mention(player.id)
    match await signup.remove_player(session, game.id, user_id=player.id, by=interaction.user.id):
        case LeaveResult.LEFT:
            return f"{who} is no longer in {title} and gets no more reminders for it. I don't tell them, so you might."
        case LeaveResult.LEFT_WAITLIST | LeaveResult.ANSWERED:
            return f"{who} is off the list of {title}. I don't tell them, so you might."
        case LeaveResult.UNCHANGED:
            return f"{who} isn't in {title}."
        case LeaveResult.OVER:
            raise UserError(f"{title} is over, so nobody can be removed any more.")


async def move_player_up(session: AsyncSession, interaction: Interaction, text: str, player: Player) -> str:
    """Put a player first on the waitlist, and return the confirmation.

    Raises:
        UserError: the user may not, or the player does not wait for a seat.
    """
    game = await _find(session, interaction, text)
    await require_manager(session, interaction, game, verb="reorder the waitlist of")
    title, who = format_title(game.title), format_mention(player.id)
    result = await move_up(session, game.id, user_id=player.id, by=interaction.user.id)
    match result:
        case MoveUpResult.NOT_WAITING:
            raise UserError(f"{who} isn't on the waitlist of {title}. To add a player, use `/game add`.")
        case MoveUpResult.CLOSED:
            raise UserError(f"{title} has started or is over, so its waitlist doesn't count any more.")
    slot = format_slot_of(game, (await read_waitlist(session, game.id))[player.id])
    line = f"the waitlist of {title}" + (f" for **{slot}**" if slot else "")
    if result is MoveUpResult.ALREADY_FIRST:
        return f"{who} is already first on {line}."
    return f"{who} is now first on {line}, and gets the next seat that becomes free. I don't tell them, so you might."


async def appoint_co_host(session: AsyncSession, interaction: Interaction, text: str, user: Player) -> str:
    """Make a user a co-host, and return the confirmation.

    Raises:
        UserError: the acting user may not, or the other can't be one.
    """
    game = await _find(session, interaction, text)
    await require_host(session, interaction, game, verb="choose co-hosts of")
    require_member(user, verb="be a co-host")
    title, who = format_title(game.title), format_mention(user.id)
    if user.id == game.host_id:
        raise UserError(f"{who} is the host of {title} already. Choose somebody else.")
    if await add_co_host(session, game.id, user_id=user.id, actor_id=interaction.user.id):
        return f"{who} is now a co-host of {title}, and can change and cancel it and add and remove players."
    return f"{who} is already a co-host of {title}."


async def dismiss_co_host(session: AsyncSession, interaction: Interaction, text: str, user: Player) -> str:
    """Make a user a co-host no longer, and return the confirmation. Co-hosts may resign.

    Raises:
        UserError: the acting user may not.
    """
    game = await _find(session, interaction, text)
    if user.id != interaction.user.id:
        await require_host(session, interaction, game, verb="choose co-hosts of")
    title, who = format_title(game.title), format_mention(user.id)
    if await remove_co_host(session, game.id, user_id=user.id, actor_id=interaction.user.id):
        return f"{who} is no longer a co-host of {title}."
    return f"{who} isn't a co-host of {title}."


async def _find(session: AsyncSession, interaction: Interaction, text: str) -> Game:
    return await find_game_by_text(session, text, guild_id=interaction.guild_id or 0)


def require_member(user: Player, *, verb: str) -> None:
    """Check that a user is a person on this server.

    Raises:
        UserError: they are not, so they can't `verb`.
    """
    if user.bot:
        raise UserError(f"{format_mention(user.id)} is a bot, which can't {verb}. Choose a person.")
    if not isinstance(user, discord.Member):
        raise UserError(f"{format_mention(user.id)} isn't on this server. Choose one of its members.")
