"""Users' direct message channels. Each is opened once and remembered, because opening them is limited."""

from __future__ import annotations

from bot.delivery.circuit_breaker import CircuitBreaker
from bot.delivery.rate_limits import RateLimiter
from shared import database, users
from shared.database import Sessions
from shared.discord.client import DiscordClient
from shared.discord.errors import TemporarilyUnavailableError, UncertainResultError


class DmChannels:
    """Finds and opens direct message channels. This sends nothing.

    Every call raises:
        RequestRejectedError, TemporarilyUnavailableError, DeliveryDeferredError: the channel cannot be opened.
    """

    def __init__(
        self, sessions: Sessions, client: DiscordClient, limiter: RateLimiter, breaker: CircuitBreaker
    ) -> None:
        self._sessions = sessions
        self._client = client
        self._limiter = limiter
        self._breaker = breaker

    async def find(self, user_id: int, *, urgent: bool) -> tuple[int, bool]:
        """Return a user's channel, and whether it was opened only now."""
        async with database.transaction(self._sessions) as session:
            known = await users.find_dm_channel(session, user_id)
        return (known, False) if known is not None else (await self._open(user_id, urgent=urgent), True)

    async def reopen(self, user_id: int, *, urgent: bool) -> int:
        """Forget a user's channel, and return it as Discord opens it now."""
        async with database.transaction(self._sessions) as session:
            await users.forget_dm_channel(session, user_id)
        return await self._open(user_id, urgent=urgent)

    async def _open(self, user_id: int, *, urgent: bool) -> int:
        try:
            async with self._limiter.acquire_dm_open(urgent=urgent):
                with self._breaker.record():
                    opened = await self._client.open_dm(user_id)
        except UncertainResultError as error:
            raise TemporarilyUnavailableError(str(error)) from error
        async with database.transaction(self._sessions) as session:
            await users.remember_dm_channel(session, user_id, channel_id=opened)
        return opened
