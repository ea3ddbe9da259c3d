"""The players who want direct messages in a scenario: a fifth of them, drawn with the scenario's random numbers.

They asked before the scenario begins, and with most of them a direct-message channel is open by then, since the request
itself opens it. For a few that went wrong. With most others one is open too, because they hosted games before, of which
the bot said who left. A few have closed their direct messages since, which the bot learns by
trying, and two change their preference during the scenario.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from sandbox.discord.server import SandboxDiscord
from sandbox.oracle.facts import DmPreferences
from shared import database, users
from shared.database import Sessions
from tests.chaos.games import ScheduledGame
from tests.chaos.load_actions import LoadAction

WANTED, CLOSED = 24, 4


def draw(players: Sequence[int], rng: random.Random, *, unopened: int) -> DmPreferences:
    """Draw the preferences; with `unopened` of the players no direct-message channel was ever opened."""
    newcomer, *wanted = rng.sample(players, WANTED + 1)
    return DmPreferences(
        wanted=frozenset(wanted),
        changing=frozenset({newcomer, wanted[0]}),
        closed=frozenset(rng.sample(wanted[1:], CLOSED)),
        unopened=frozenset([*rng.sample(wanted, unopened), *rng.sample(players, unopened)]),
    )


async def write(
    sessions: Sessions, discord: SandboxDiscord, preferences: DmPreferences, people: Collection[int]
) -> None:
    """Write the preferences to the database and to Discord."""
    for player in preferences.closed:
        discord.world.close_dms(player)
    async with database.transaction(sessions) as session:
        for player in preferences.wanted:
            await users.set_dm_preference(session, player, wants_dm=True)
        for player in set(people) - preferences.unopened:
            await users.remember_dm_channel(session, player, channel_id=discord.world.open_dm(player).id)


def plan_changes(preferences: DmPreferences, games: Sequence[ScheduledGame], rng: random.Random) -> list[LoadAction]:
    """Decide when players change their preference, each at the time of some reminder."""
    return [_plan_change(player, preferences, games, rng) for player in sorted(preferences.changing)]


def _plan_change(
    player: int, preferences: DmPreferences, games: Sequence[ScheduledGame], rng: random.Random
) -> LoadAction:
    wanted = player not in preferences.wanted
    return LoadAction(
        rng.choice(games).due_at, [lambda session: users.set_dm_preference(session, player, wants_dm=wanted)]
    )
