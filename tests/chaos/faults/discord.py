"""What Discord does to bots: errors, limits, silence, responses that never arrive, and an unstable gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from sandbox.discord.faults.model import (
    Action,
    CloseGateway,
    DropGateway,
    InvalidSession,
    Match,
    Reconnect,
    RefuseGateway,
)
from tests.chaos.faults import Fault
from tests.chaos.fixture import Fixture

NEW_MESSAGE = Match(method="POST", route=r"^/channels/\d+/messages$")
OPEN_DM = Match(method="POST", route=r"^/users/@me/channels$")

SOME_CHANNELS = 6
"""Few enough for Discord to accept a warning about each of their games in the host's direct messages in time."""

REFUSED, NOTICED = 4.0, 2.0
"""Seconds for which the gateway refuses new connections, and seconds within which the bot notices that it was lost."""

Targets = Callable[[Fixture], Sequence[Match]]
"""The requests of a scenario that are hit."""


def new_messages(fixture: Fixture) -> Sequence[Match]:
    """Every request for a new message, anywhere."""
    return [NEW_MESSAGE]


def direct_messages(fixture: Fixture) -> Sequence[Match]:
    """Every request for a new direct message."""
    return [replace(NEW_MESSAGE, user=player) for player in sorted(fixture.guild.preferences.possible)]


def new_dm_channels(fixture: Fixture) -> Sequence[Match]:
    """Every request to open a direct-message channel with a player for the first time."""
    return [replace(OPEN_DM, user=player) for player in sorted(fixture.guild.preferences.unopened)]


def first_channel(fixture: Fixture) -> Sequence[Match]:
    """Every request about the first channel."""
    return [Match(channel=fixture.guild.channels[0])]


def some_channels(fixture: Fixture) -> Sequence[Match]:
    """Every request for a new message in a few channels."""
    return [replace(NEW_MESSAGE, channel=channel) for channel in fixture.guild.channels[:SOME_CHANNELS]]


def inject_faults(
    *actions: Action,
    probability: float,
    targets: Targets = new_messages,
    seconds: float | None = 8.0,
    aftermath: float = 0.0,
    is_fair: bool = True,
) -> Fault:
    """Hit some requests for a while, or until the last reminder is due if None.

    `aftermath` is how long requests may still be in flight afterwards. A fault that `is_fair` must not delay others.
    """

    async def inject(fixture: Fixture) -> None:
        matches = targets(fixture)
        hit = frozenset(id_ for match in matches for id_ in (match.channel, match.user) if id_ is not None)
        fixture.affected = hit if hit and is_fair else None
        faults = [
            fixture.discord.faults.add(
                action,
                match,
                probability=probability / (len(actions) - number * probability),
                seed=fixture.rng.randrange(1 << 30),
            )
            for match in matches
            for number, action in enumerate(actions)
        ]
        await asyncio.sleep(fixture.seconds_left if seconds is None else seconds)
        fixture.injections += sum(fault.fired for fault in faults)
        fixture.discord.faults.clear()
        fixture.record_recovery()
        await asyncio.sleep(aftermath)

    return inject


async def take_permissions(fixture: Fixture) -> None:
    """Take from the bot the permission to send messages in some channels, and give it back."""
    channels = fixture.guild.channels[:SOME_CHANNELS]
    for number, channel in enumerate(channels):
        fixture.discord.world.deny(channel, ("SEND_MESSAGES", "VIEW_CHANNEL")[number % 2])
        fixture.record_injection()
    await asyncio.sleep(fixture.seconds_left / 2)
    for channel in channels:
        fixture.discord.world.restore(channel)
    fixture.record_recovery()


async def disturb_gateway(fixture: Fixture) -> None:
    """Ask for a reconnect, drop the gateway and invalidate sessions, each when the bot is connected.

    Then refuse new connections for a while.
    """
    actions: Sequence[Action] = (Reconnect(), DropGateway(), InvalidSession(resumable=True), InvalidSession())
    for action in actions:
        if await _wait_for_gateway(fixture, is_online=True):
            fixture.discord.faults.add(action)
            fixture.record_injection()
            await _wait_for_gateway(fixture, is_online=False, within=NOTICED)
    fixture.discord.faults.add(RefuseGateway(), seconds=REFUSED)
    fixture.discord.faults.add(DropGateway())
    await _wait_for_gateway(fixture, is_online=False, within=NOTICED)
    await _wait_for_gateway(fixture, is_online=True)
    fixture.record_recovery()


async def _wait_for_gateway(fixture: Fixture, *, is_online: bool, within: float | None = None) -> bool:
    """Wait until the bot is connected to the gateway, or until it is not, by the end of the scenario at the latest.

    Return whether it was in time.
    """
    discord, left = fixture.discord, fixture.seconds_left
    timeout = left if within is None else min(within, left)
    try:
        await discord.wait_for(lambda: discord.gateway.online is is_online, timeout=timeout)
    except TimeoutError:
        return False
    return True


def refuse_gateway(code: int) -> Fault:
    """Close every gateway connection with a code, until the end."""

    async def inject(fixture: Fixture) -> None:
        fault = fixture.discord.faults.add(CloseGateway(code))
        fixture.discord.faults.add(DropGateway())
        await asyncio.sleep(fixture.seconds_left)
        fixture.injections += fault.fired

    return inject
