"""The announcement is made to show its game as it is now: posted once, through the ledger, and edited from then on.

Its row stands for "what is shown may be out of date". It settles only when the revision that was shown is still the
game's; a change in between makes it due again at once. So a burst of joins is a few edits, and no change is ever
missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bot.delivery.decide import Standing, decide_one
from bot.delivery.ledger import FINAL, Recipient
from bot.delivery.messenger import Messenger
from bot.delivery.telling import Message, Telling
from bot.rendering import announcement, disabled_button, signup_buttons
from shared import database
from shared.discord.errors import UNKNOWN_MESSAGE, RequestRejectedError
from shared.models import (
    DeliveryState,
    NotificationDelivery,
    NotificationKind,
    NotificationSchedule,
    Outcome,
    RecipientKind,
)
from shared.schedule.notices import add_notice
from shared.schedule.populate import lock_game
from shared.schedule.settle import settle_and_log, try_again


class Announcement:
    """Keeps the announcement of a game true."""

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger
        self._sessions = messenger.sessions

    async def show(self, row_id: UUID, game_id: UUID) -> None:
        """Post the announcement, or edit the one that stands."""
        standing = await self._standing(row_id, game_id)
        if standing is None:
            return
        if standing.game.message_id is not None:
            await self._edit(standing, standing.game.message_id)
        else:
            await self._messenger.tell(row_id, game_id, _FirstPost())
            await self._adopt(standing)

    async def _standing(self, row_id: UUID, game_id: UUID) -> Standing | None:
        async with database.transaction(self._sessions) as session:
            return await decide_one(session, row_id, game_id=game_id)

    async def _adopt(self, before: Standing) -> None:
        """Remember which message shows the game; a crash before this leaves a ledger that says so at the next copy."""
        async with database.transaction(self._sessions) as session:
            game = await lock_game(session, before.game.id)
            standing = await decide_one(session, before.row.id, game_id=game.id)
            if standing is None:
                return
            [delivery] = standing.ledger
            if delivery.state is not DeliveryState.SENT:
                if delivery.state in FINAL:
                    detail = delivery.last_error
                    await settle_and_log(
                        session, NotificationSchedule, [standing.row.id], outcome=Outcome.UNDELIVERABLE, detail=detail
                    )
                return
            game.message_id = delivery.message_id
            await session.flush()
            if all(row.state is DeliveryState.PENDING for row in before.ledger):
                await settle_if_current(session, before)
            else:  # an earlier try may have made the message, as the game was then: an edit puts it right
                await try_again(session, NotificationSchedule, standing.row.id, seconds=0.0)

    async def _edit(self, standing: Standing, message_id: int) -> None:
        channel_id, messenger = standing.game.channel_id, self._messenger
        await messenger.breaker.closed()
        try:
            async with messenger.limits.slot(channel_id, urgent=False):
                with messenger.breaker.watching():
                    shown = announcement(standing.game, standing.roster)
                    await messenger.api.edit_message(channel_id, message_id, shown)
        except RequestRejectedError as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            await self._replace(standing)
        else:
            async with database.transaction(self._sessions) as session:
                await settle_if_current(session, standing)

    async def _replace(self, standing: Standing) -> None:
        """Post anew what somebody deleted, while people can still sign up; a past session's is left deleted."""
        async with database.transaction(self._sessions) as session:
            game = await lock_game(session, standing.game.id)
            if game.status.is_final or standing.ledger:
                detail = "the announcement was deleted"
                await settle_and_log(
                    session, NotificationSchedule, [standing.row.id], outcome=Outcome.UNDELIVERABLE, detail=detail
                )
            else:
                game.message_id = None
                await try_again(session, NotificationSchedule, standing.row.id, seconds=0.0)


class _FirstPost(Telling):
    """What the messenger needs to post an announcement."""

    def recipients(self, standing: Standing) -> Sequence[Recipient]:
        """Return the game's channel; an announcement pings nobody."""
        return [Recipient(RecipientKind.CHANNEL, standing.game.channel_id)]

    def message(self, standing: Standing, delivery: NotificationDelivery, *, nonce: str, fresh: bool) -> Message:
        """Return the announcement."""
        post = announcement(standing.game, standing.roster)
        joinable = bool(post["components"])
        game_id = standing.game.id
        post["components"] = (
            signup_buttons(game_id, nonce=nonce) if joinable else disabled_button("Sign-ups closed", nonce=nonce)
        )
        return Message(post)


async def settle_if_current(session: AsyncSession, shown: Standing) -> None:
    """Settle the announcement's row if what was shown is the game as it is; else make it due again.

    A process that was held up may have put an old state over a newer one whose row is settled: then a new row is due.
    """
    game = await lock_game(session, shown.game.id)
    if game.revision == shown.game.revision:
        await settle_and_log(session, NotificationSchedule, [shown.row.id], outcome=Outcome.DELIVERED)
    else:
        await add_notice(session, [game], NotificationKind.ANNOUNCEMENT)
        await try_again(session, NotificationSchedule, shown.row.id, seconds=0.0)
