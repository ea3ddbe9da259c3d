"""Players are reminded: one message in the game's channel that mentions them, or a few where they are many, and a
direct message to each who asked for that instead."""

from __future__ import annotations

from collections.abc import Sequence

from bot.delivery.decide import Standing
from bot.delivery.ledger import Recipient
from bot.delivery.messenger import Messenger
from bot.delivery.telling import Message, Telling
from bot.rendering import chunks, leave_button, reminder
from bot.rendering.payload import MENTIONS_LIMIT
from bot.rendering.pings import CLOSED_DMS, NOBODY, TOLD_DIRECTLY
from shared.messaging.envelope import AnyEvent
from shared.models import NotificationDelivery, RecipientKind

CHANNEL, USER = RecipientKind.CHANNEL, RecipientKind.USER


def players_told(standing: Standing) -> list[Recipient]:
    """Return the game's channel, once for each chunk of players that one message can mention, and the players who are
    told by direct message. Nobody is told twice, so the channel does not mention those."""
    directly = [player.user_id for player in standing.players if player.wants_dm and not player.closed_dms]
    mentioned = [user for user in standing.roster if user not in directly]
    in_channel = [
        Recipient(CHANNEL, standing.game.channel_id, mentions=tuple(chunk), chunk=number)
        for number, chunk in enumerate(chunks(mentioned) or [[]])
    ]
    return [*in_channel, *(Recipient(USER, user) for user in directly)]


def mentioned_now(standing: Standing, delivery: NotificationDelivery, *, fresh: bool) -> tuple[int, ...]:
    """Return whom a message mentions now.

    Who has left since the recipients were fixed is left out; who has joined is added to the channel's last message,
    unless that may have been sent before.
    """
    staying = [user for user in delivery.mentions if user in standing.roster]
    channel = [row for row in standing.ledger if row.recipient_kind is CHANNEL]
    if not (fresh and channel and delivery.id == channel[-1].id):
        return tuple(staying)
    listed = {user for row in standing.ledger for user in (row.recipient_id, *row.mentions)}
    newcomers = [user for user in standing.roster if user not in listed]
    return (*staying, *newcomers[: MENTIONS_LIMIT - len(staying)])


def note_for(standing: Standing, delivery: NotificationDelivery, mentions: Sequence[int]) -> str:
    """Return why a message of its own tells in the channel those whose direct messages are closed, else nothing."""
    closed = {player.user_id for player in standing.players if player.closed_dms}
    return CLOSED_DMS if delivery.chunk > 0 and mentions and closed.issuperset(mentions) else ""


class Reminder(Telling):
    """What a reminder says."""

    def recipients(self, standing: Standing) -> Sequence[Recipient]:
        """Return the game's channel, with the players, and who is told directly."""
        return players_told(standing)

    def message(self, standing: Standing, delivery: NotificationDelivery, *, nonce: str, fresh: bool) -> Message:
        """Return the reminder as of now: a late one says so."""
        mentions = mentioned_now(standing, delivery, fresh=fresh)
        told = reminder(
            standing.game,
            offset_minutes=standing.row.offset_minutes or 0,
            mentions=mentions,
            now=standing.now,
            nobody=_nobody(standing, delivery),
            note=note_for(standing, delivery, mentions),
        )
        return Message({**told, "components": leave_button(standing.game.id, nonce=nonce)}, mentions)


def _nobody(standing: Standing, delivery: NotificationDelivery) -> str:
    if delivery.recipient_kind is USER:
        return ""
    return TOLD_DIRECTLY if standing.players else NOBODY


class TellReminder:
    """Handles `GameReminderDue`."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger

    async def __call__(self, event: AnyEvent) -> None:
        """Remind the players of a game that has not begun."""
        await self._messenger.tell(event.row_id, event.game_id, Reminder())
