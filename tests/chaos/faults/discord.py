"""What Discord does to its bots: errors, limits, silence, answers that never arrive, and a gateway that comes and
goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from sandbox.discord.faults.model import (
    Action,
    DropGateway,
    InvalidSession,
    Match,
    Reconnect,
    RefuseGateway,
)
from tests.chaos.faults import Fault
from tests.chaos.scene import Scene

MESSAGES = Match(method="POST", route=r"^/channels/\d+/messages$")
OPENINGS = Match(method="POST", route=r"^/users/@me/channels$")

Victims = Callable[[Scene], Sequence[Match]]
"""Says which requests of a cell are struck."""


def new_messages(scene: Scene) -> Sequence[Match]:
    """Every request for a new message, wherever."""
    return [MESSAGES]


def direct_messages(scene: Scene) -> Sequence[Match]:
    """Every request for a new direct message."""
    return [replace(MESSAGES, user=player) for player in sorted(scene.place.wishes.anybody)]


def conversations(scene: Scene) -> Sequence[Match]:
    """Every request to open a conversation with somebody who is new."""
    return [replace(OPENINGS, user=player) for player in sorted(scene.place.wishes.unopened)]


def one_channel(scene: Scene) -> Sequence[Match]:
    """Every request about the first channel."""
    return [Match(channel=scene.place.channels[0])]


def misbehaves(
    *actions: Action,
    probability: float,
    towards: Victims = new_messages,
    seconds: float | None = 8.0,
    aftermath: float = 0.0,
) -> Fault:
    """Strike some requests for a while, None: until the last reminder is due; `aftermath` is how long requests may
    still be under way."""

    async def fault(scene: Scene) -> None:
        matches = towards(scene)
        scene.afflicted = frozenset(id_ for match in matches for id_ in (match.channel, match.user) if id_ is not None)
        added = [
            scene.discord.faults.add(
                action,
                match,
                probability=probability / (len(actions) - number * probability),
                seed=scene.dice.randrange(1 << 30),
            )
            for match in matches
            for number, action in enumerate(actions)
        ]
        await asyncio.sleep(scene.seconds_left if seconds is None else seconds)
        scene.strikes += sum(one.fired for one in added)
        scene.discord.faults.clear()
        scene.healed()
        await asyncio.sleep(aftermath)

    return fault


async def gateway_comes_and_goes(scene: Scene) -> None:
    """Drop the gateway, ask for reconnects, declare sessions invalid, and refuse new connections for a while."""
    kinds: Sequence[Action] = (Reconnect(), DropGateway(), InvalidSession(resumable=True), InvalidSession())
    for action in kinds:
        scene.discord.faults.add(action)
        scene.struck()
        await asyncio.sleep(scene.dice.uniform(0.5, 2.0))
    scene.discord.faults.add(RefuseGateway(), seconds=4.0)
    scene.discord.faults.add(DropGateway())
    await asyncio.sleep(4.0)
    scene.healed()
