"""The actions of hosts and players on games, each in a transaction as the commands run them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared import database, games, signup
from shared.confirmations import confirm_attendance
from shared.editing import GameEdit, edit_game
from shared.errors import TransientError
from shared.handover import hand_over_game
from shared.models import GameSeries
from shared.schedule.personal import snooze_reminder
from shared.schedule.populate import lock_game
from shared.series.lifecycle import start_series
from shared.series.rule import Rule
from shared.users import change_own_settings
from tests.model.environment import CHANNEL, COMMANDS, GUILD, HOST, Environment

DURATION = timedelta(hours=3)


class Actions:
    """The actions on games. Each returns whether it was done before its process died."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def create(self, starts_in: timedelta, offsets: Sequence[int], players: Sequence[int] = ()) -> UUID:
        """Create a game and return its id."""
        new = games.NewGame(
            guild_id=GUILD,
            channel_id=CHANNEL,
            host_id=HOST,
            title="The Sunken Keep",
            scheduled_at=self._environment.database.now + starts_in,
            zone="Europe/Berlin",
            duration=DURATION,
            reminder_offsets=tuple(offsets),
        )
        await self._run(lambda session: games.create_game(session, new))
        game_id = list(self._environment.history.games)[-1]
        for player in players:
            await self.join(game_id, player)
        return game_id

    async def reschedule(
        self,
        game_id: UUID,
        starts_in: timedelta,
        *,
        duration: timedelta | None = None,
        dies_after: int | None = None,
    ) -> bool:
        """Move a game to `starts_in` from now, unless its host must try again later."""
        edit = GameEdit(scheduled_at=self._environment.database.now + starts_in, duration=duration)

        async def move(session: AsyncSession) -> None:
            await edit_game(session, game_id, edit)

        try:
            return await self._run(move, dies_after)
        except TransientError:  # an earlier new time may have been sent, and its result is not known yet
            return True

    async def cancel(self, game_id: UUID, *, dies_after: int | None = None) -> bool:
        """Cancel a game, which may be over."""
        return await self._run(lambda session: games.cancel_game(session, game_id), dies_after)

    async def repeat(self, game_id: UUID, rule: Rule) -> UUID:
        """Make a game the first one of a series, and return the series' id."""

        async def start(session: AsyncSession) -> None:
            await start_series(session, await lock_game(session, game_id), rule)

        await self._run(start)
        async with database.transaction(self._environment.processes[COMMANDS].sessions) as session:
            return (await session.execute(select(GameSeries.id))).scalar_one()

    async def change_series(self, change: Callable[[AsyncSession, UUID], Awaitable[object]], series_id: UUID) -> None:
        """Pause, resume or end a series."""
        await self._run(lambda session: change(session, series_id))

    async def join(self, game_id: UUID, player: int, *, dies_after: int | None = None) -> bool:
        """Sign a player up, who may have joined already, or be too late."""
        return await self._run(lambda session: signup.join_game(session, game_id, user_id=player), dies_after)

    async def leave(self, game_id: UUID, player: int, *, dies_after: int | None = None) -> bool:
        """Take a player off the roster, who may not be on it."""
        return await self._run(lambda session: signup.leave_game(session, game_id, user_id=player), dies_after)

    async def snooze(self, game_id: UUID, player: int, delay: timedelta, *, dies_after: int | None = None) -> bool:
        """Snooze the game's reminder for a player, unless the game starts before."""

        async def snooze(session: AsyncSession) -> None:
            game = await lock_game(session, game_id)
            if player in await signup.list_players(session, game_id):
                await snooze_reminder(session, game, user_id=player, delay=delay)

        return await self._run(snooze, dies_after)

    async def set_extra_reminder(self, player: int, minutes: int | None, *, dies_after: int | None = None) -> bool:
        """Give a player an extra reminder before each game, or none."""

        async def change(session: AsyncSession) -> None:
            await change_own_settings(session, player, extra_offset_minutes=minutes)

        return await self._run(change, dies_after)

    async def limit_seats(self, game_id: UUID, capacity: int, *, dies_after: int | None = None) -> bool:
        """Limit a game to a number of seats, 0 for no limit, unless more are taken."""
        edit = GameEdit(capacity=capacity)
        return await self._run(lambda session: edit_game(session, game_id, edit), dies_after)

    async def offer_seats(self, game_id: UUID, minutes: int, *, dies_after: int | None = None) -> bool:
        """Give promoted players some time to take their seats, 0 for as much as they want."""
        edit = GameEdit(offer_minutes=minutes)
        return await self._run(lambda session: edit_game(session, game_id, edit), dies_after)

    async def take_seat(self, game_id: UUID, player: int, *, dies_after: int | None = None) -> bool:
        """Let a player take the seat that they are offered, if they are."""
        return await self._run(lambda session: confirm_attendance(session, game_id, user_id=player), dies_after)

    async def require_players(self, game_id: UUID, minimum: int) -> bool:
        """Let a game need a number of players."""
        edit = GameEdit(minimum_players=minimum)
        return await self._run(lambda session: edit_game(session, game_id, edit))

    async def hand_over(self, game_id: UUID, user: int) -> bool:
        """Give a game another host."""
        return await self._run(lambda session: hand_over_game(session, game_id, user_id=user, actor_id=HOST))

    async def nudge(self, game_id: UUID, minutes: int, *, dies_after: int | None = None) -> bool:
        """Nudge the players of earlier games some minutes before the start of a game, 0 for never."""
        edit = GameEdit(nudge_minutes=minutes)
        return await self._run(lambda session: edit_game(session, game_id, edit), dies_after)

    async def _run(self, change: Callable[[AsyncSession], Awaitable[object]], dies_after: int | None = None) -> bool:
        async def work() -> None:
            async with database.transaction(self._environment.processes[COMMANDS].sessions) as session:
                await change(session)

        return await self._environment.run(COMMANDS, work(), dies_after=dies_after)
