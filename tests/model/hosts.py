"""What hosts and players do: the actions on games, each in a transaction as the commands run them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import database, games
from shared.models import GameStatus
from tests.model import plans
from tests.model.run import Doing, Run
from tests.model.stage import CHANNEL, GUILD, HOST, HOSTS, Stage
from tests.model.state import NOBODY, Game

DURATION = timedelta(hours=3)
Change = Callable[[AsyncSession], Awaitable[object]]


class Hosts:
    """The people."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def create(self, starts_in: timedelta, offsets: Sequence[int], players: Sequence[int] = ()) -> UUID:
        """Make a session, and return its id."""
        model, starts_at = self._stage.model, self._stage.ground.now + starts_in
        new = games.NewGame(
            guild_id=GUILD,
            channel_id=CHANNEL,
            host_id=HOST,
            title="The Sunken Keep",
            scheduled_at=starts_at,
            zone="Europe/Berlin",
            duration=DURATION,
            reminder_offsets=tuple(offsets),
        )
        game = Game(NOBODY, CHANNEL, starts_at, DURATION, tuple(sorted(set(offsets), reverse=True)))
        await self._change(plans.create(model, game), lambda session: games.create_game(session, new))
        game_id = list(model.games)[-1]
        for player in players:
            await self.join(game_id, player)
        return game_id

    async def reschedule(self, game_id: UUID, starts_in: timedelta, *, dies_after: int | None = None) -> bool:
        """Move a session, to so long from now; return whether that was done before the process died."""
        starts_at = self._stage.ground.now + starts_in
        run = plans.reschedule(self._stage.model, self._game(game_id), starts_at)
        return await self._change(
            run, lambda session: games.reschedule_game(session, game_id, scheduled_at=starts_at), dies_after
        )

    async def cancel(self, game_id: UUID, *, dies_after: int | None = None) -> bool:
        """Cancel a session, which may be over; return as `reschedule`."""
        game = self._game(game_id)
        run = _in_vain() if game.status.is_final else plans.cancel(self._stage.model, game)
        return await self._change(run, lambda session: games.cancel_game(session, game_id), dies_after)

    async def join(self, game_id: UUID, player: int, *, dies_after: int | None = None) -> bool:
        """Sign a player up, who may be in already, or too late; return as `reschedule`."""
        game = self._game(game_id)
        possible = game.status is GameStatus.SCHEDULED and player not in game.players
        players = (*game.players, player)
        run = plans.change_roster(self._stage.model, game, players) if possible else _in_vain()
        return await self._change(run, lambda session: games.join_game(session, game_id, user_id=player), dies_after)

    async def leave(self, game_id: UUID, player: int, *, dies_after: int | None = None) -> bool:
        """Take a player off, who may not be on; return as `reschedule`."""
        game = self._game(game_id)
        players = tuple(other for other in game.players if other != player)
        run = plans.change_roster(self._stage.model, game, players) if players != game.players else _in_vain()
        return await self._change(run, lambda session: games.leave_game(session, game_id, user_id=player), dies_after)

    def _game(self, game_id: UUID) -> Game:
        return self._stage.model.games[game_id]

    async def _change(self, run: Run, change: Change, dies_after: int | None = None) -> bool:
        async def work() -> None:
            async with database.transaction(self._stage.processes[HOSTS].sessions) as session:
                await change(session)

        return await self._stage.whole(run, work(), dies_after=dies_after)


def _in_vain() -> Run:
    return Run(Doing.CHANGE, HOSTS)
