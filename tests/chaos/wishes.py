"""Who wants direct messages in a cell: a fifth of the players, drawn by the cell's dice.

They asked before the cell begins. With most of them a conversation is open by then, as it is in life, where the request
itself opens it; with a few that went wrong. A few have closed their direct messages since, which the bot learns by
trying, and two change their minds in the middle of it all.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from sandbox.discord.server import SandboxDiscord
from shared import database, users
from shared.database import Sessions
from tests.chaos.facts import Wishes
from tests.chaos.load import Whim
from tests.chaos.sessions import Session

WANTED, CLOSED = 24, 4


def draw(players: Sequence[int], dice: random.Random, *, unopened: int) -> Wishes:
    """Draw who wants direct messages; `unopened` is with how many of them no conversation was ever opened."""
    newcomer, *wanted = dice.sample(players, WANTED + 1)
    return Wishes(
        wanted=frozenset(wanted),
        changing=frozenset({newcomer, wanted[0]}),
        closed=frozenset(dice.sample(wanted[1:], CLOSED)),
        unopened=frozenset(dice.sample(wanted, unopened)),
    )


async def ask(sessions: Sessions, discord: SandboxDiscord, wishes: Wishes) -> None:
    """Let them ask, and Discord be as they left it."""
    for player in wishes.closed:
        discord.world.close_dms(player)
    async with database.transaction(sessions) as session:
        for player in wishes.wanted:
            await users.set_dm_preference(session, player, wants_dm=True)
        for player in wishes.anybody - wishes.unopened:
            await users.remember_dm_channel(session, player, channel_id=discord.world.open_dm(player).id)


def changes(wishes: Wishes, played: Sequence[Session], dice: random.Random) -> list[Whim]:
    """Decide when those who change their minds do so, each at the time of some reminder."""
    return [_change(player, wishes, played, dice) for player in sorted(wishes.changing)]


def _change(player: int, wishes: Wishes, played: Sequence[Session], dice: random.Random) -> Whim:
    wanted = player not in wishes.wanted
    return Whim(dice.choice(played).due_at, [lambda session: users.set_dm_preference(session, player, wants_dm=wanted)])
