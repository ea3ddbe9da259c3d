"""What people do about seats in a scenario: they wait, choose and change slots, take offered seats or let them lapse.

Waiting lists move before the first reminder of a game is due, so that the last offer has ended when the scenario does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from shared.confirmations import confirm_attendance
from shared.signup import join_game, leave_game
from tests.chaos.games import MINIMUM, SLOTS, Guild, ScheduledGame
from tests.chaos.load_actions import LoadAction, Step

TANK, HEALER, DAMAGE = (slot.name for slot in SLOTS)
WAITING = 3
"""How many wait for a seat of a game."""


def plan_seat_actions(games: Sequence[ScheduledGame], guild: Guild, rng: random.Random) -> list[LoadAction]:
    """Decide who waits, leaves, changes the slot and takes a seat, and who joins or leaves close to the minimum."""
    return [action for game in games for action in _plan_game(game, guild, rng)]


def _plan_game(game: ScheduledGame, guild: Guild, rng: random.Random) -> Iterator[LoadAction]:
    newcomers = rng.sample([person for person in guild.people if person not in game.players], WAITING)
    begins = game.due_at - timedelta(seconds=rng.uniform(7.0, 10.0))
    if game.has_slots:
        yield from _plan_slots(game, newcomers, begins, rng)
    elif game.has_offers:
        yield LoadAction(begins, [_join(game, newcomer) for newcomer in newcomers[: rng.randint(2, WAITING)]])
        yield LoadAction(begins + _soon(rng), [_leave(game, game.players[0])])
    if game.has_offers:
        yield from _plan_offers(game, newcomers, begins, rng)
    elif game.has_minimum and rng.random() < 0.5:
        yield _plan_minimum(game, newcomers, rng)


def _plan_slots(
    game: ScheduledGame, newcomers: Sequence[int], begins: datetime, rng: random.Random
) -> Iterator[LoadAction]:
    """Let two newcomers wait for the slot of the first player, who leaves it, and one join the next slot or wait."""
    first, second, third = newcomers
    yield LoadAction(begins, [_join(game, first, TANK), _join(game, second, TANK), _join(game, third, HEALER)])
    makes_room = rng.choice([_leave(game, game.players[0]), _join(game, game.players[0], DAMAGE)])
    yield LoadAction(begins + _soon(rng), [makes_room])
    if rng.random() < 0.4:
        yield LoadAction(begins + _soon(rng), [_join(game, second, rng.choice([HEALER, DAMAGE]))])


def _plan_offers(
    game: ScheduledGame, newcomers: Sequence[int], begins: datetime, rng: random.Random
) -> Iterator[LoadAction]:
    """Let some take the seat that they may be offered by then, or give it up. The others let it lapse."""
    for newcomer in newcomers:
        at, chance = begins + timedelta(seconds=rng.uniform(1.0, 6.0)), rng.random()
        if chance < 0.25:
            yield LoadAction(at, [_take(game, newcomer)])
        elif chance < 0.35:
            yield LoadAction(at, [_leave(game, newcomer)])


def _plan_minimum(game: ScheduledGame, newcomers: Sequence[int], rng: random.Random) -> LoadAction:
    """Let as many join or leave as it takes to reach the minimum or to fall short of it, when players are counted."""
    at, missing = game.due_at + timedelta(seconds=rng.uniform(-1.5, 1.5)), MINIMUM - len(game.players)
    if missing > 0:
        return LoadAction(at, [_join(game, newcomer) for newcomer in newcomers[:missing]])
    return LoadAction(at, [_leave(game, player) for player in game.players[: 1 - missing]])


def _soon(rng: random.Random) -> timedelta:
    return timedelta(seconds=rng.uniform(0.3, 1.5))


def _join(game: ScheduledGame, user_id: int, slot: str | None = None) -> Step:
    return lambda session: join_game(session, game.id, user_id=user_id, slot=slot)


def _leave(game: ScheduledGame, user_id: int) -> Step:
    return lambda session: leave_game(session, game.id, user_id=user_id)


def _take(game: ScheduledGame, user_id: int) -> Step:
    return lambda session: confirm_attendance(session, game.id, user_id=user_id)
