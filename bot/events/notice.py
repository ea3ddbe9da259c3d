"""What must be told now: a cancellation, told as a reminder is, and the announcement, which has a rule of its own."""

from __future__ import annotations

from collections.abc import Sequence

from bot.delivery.decide import Standing
from bot.delivery.ledger import Recipient
from bot.delivery.messenger import Messenger
from bot.delivery.telling import Message, Telling
from bot.events.announcement import Announcement
from bot.events.reminder import mentioned_now, note_for, players_told
from bot.rendering import cancellation, disabled_button
from shared.errors import PermanentError
from shared.messaging.envelope import AnyEvent, NoticeDue
from shared.models import NotificationDelivery, NotificationKind


class Cancellation(Telling):
    """What players are told when their session is cancelled."""

    def recipients(self, standing: Standing) -> Sequence[Recipient]:
        """Return the game's channel, with the players, and who is told directly."""
        return players_told(standing)

    def message(self, standing: Standing, delivery: NotificationDelivery, *, nonce: str, fresh: bool) -> Message:
        """Return the cancellation."""
        mentions = mentioned_now(standing, delivery, fresh=fresh)
        told = cancellation(standing.game, mentions=mentions, note=note_for(standing, delivery, mentions))
        return Message({**told, "components": disabled_button("Cancelled", nonce=nonce)}, mentions)


class TellNotice:
    """Handles `NoticeDue`."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        self._announcement = Announcement(messenger)

    async def __call__(self, event: AnyEvent) -> None:
        """Tell a notice of any kind."""
        kind = event.kind if isinstance(event, NoticeDue) else None
        match kind:
            case NotificationKind.ANNOUNCEMENT:
                await self._announcement.show(event.row_id, event.game_id)
            case NotificationKind.CANCELLATION:
                await self._messenger.tell(event.row_id, event.game_id, Cancellation())
            case _:
                raise PermanentError(f"there is no notice of kind {kind}")
