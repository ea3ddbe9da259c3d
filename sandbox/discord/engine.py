"""The sandbox without HTTP: every part, wired to the others.

Requests, the control API and the in-process interface all act on one `Engine`, so a rule that holds for one holds for
all. It opens no socket, which lets most tests of rules and interactions run on plain objects.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sandbox.discord.changes import Announcer
from sandbox.discord.clock import Clock
from sandbox.discord.faults.registry import Faults
from sandbox.discord.gateway.gateway import Gateway
from sandbox.discord.interactions.answers import Answers
from sandbox.discord.interactions.invoke import Invoker
from sandbox.discord.interactions.registry import Interactions
from sandbox.discord.messaging import Messaging
from sandbox.discord.rate_limits import Limits, RateLimiter
from sandbox.discord.world.cast import furnish
from sandbox.discord.world.evidence import Evidence
from sandbox.discord.world.world import World

NONCE_WINDOW = 300.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file."""

    name: str
    content_type: str
    content: bytes


@dataclass
class Engine:
    """The parts.

    `unimplemented` lists what the sandbox could not serve, as `METHOD /path`: routes that it does not have, and (with
    the error) requests that broke it. A test that asserts it empty knows that the sandbox was not the limit.
    """

    token: str
    clock: Clock
    announcer: Announcer
    world: World
    evidence: Evidence
    messaging: Messaging
    interactions: Interactions
    answers: Answers
    invoker: Invoker
    faults: Faults
    limiter: RateLimiter
    gateway: Gateway
    url: str = ""
    files: dict[int, StoredFile] = field(default_factory=dict)
    unimplemented: list[str] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)


def build_engine(
    *, token: str, clock: Clock | None = None, limits: Limits | None = None, nonce_window: float = NONCE_WINDOW
) -> Engine:
    """A new engine with the furnished world."""
    clock = clock or Clock()
    announcer = Announcer()
    world = World(clock, announcer)
    furnish(world)
    evidence = Evidence()
    messaging = Messaging(world, evidence, announcer, nonce_window=nonce_window)
    interactions = Interactions(world, announcer)
    faults = Faults(clock, announcer)
    limiter = RateLimiter(clock, limits or Limits())
    gateway = Gateway(world, announcer, faults, limiter, token=token)
    interactions.deliver = gateway.deliver
    return Engine(
        token=token,
        clock=clock,
        announcer=announcer,
        world=world,
        evidence=evidence,
        messaging=messaging,
        interactions=interactions,
        answers=Answers(world, messaging, announcer),
        invoker=Invoker(world, interactions),
        faults=faults,
        limiter=limiter,
        gateway=gateway,
    )
