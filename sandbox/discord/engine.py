"""The sandbox without HTTP: all parts, connected to each other.

Requests, the control API and the in-process interface all act on one `Engine`, so the same rules apply to all of them.
It opens no socket, so most tests of rules and interactions run on plain objects.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.discord.changes import ChangeFeed
from sandbox.discord.clock import Clock
from sandbox.discord.faults.registry import Faults
from sandbox.discord.gateway.gateway import Gateway
from sandbox.discord.interactions.answers import Answers
from sandbox.discord.interactions.invoke import Invoker
from sandbox.discord.interactions.registry import Interactions
from sandbox.discord.messaging import Messaging
from sandbox.discord.rate_limits import Limits, RateLimiter
from sandbox.discord.world.default_world import create_default_world
from sandbox.discord.world.evidence import Evidence
from sandbox.discord.world.world import World

NONCE_WINDOW = 300.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file."""

    name: str
    content_type: str
    content: bytes


class Demo(Protocol):
    """The rest of Questbell, which the page shows and can break."""

    def view(self) -> dict[str, Any]:
        """Return its processes and figures."""

    async def kill(self, name: str) -> None:
        """Kill a process. Raises LookupError for an unknown name, and ValueError if it may not be killed."""


@dataclass
class Engine:
    """All parts of the sandbox.

    `unimplemented` lists requests that the sandbox could not serve, as `METHOD /path`: unknown routes, and (with the
    error) requests that crashed it. Tests assert that it is empty. `demo` is the rest of Questbell, in `make demo`.
    """

    clock: Clock
    feed: ChangeFeed
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
    demo: Demo | None = None


def build_engine(
    *, token: str, clock: Clock | None = None, limits: Limits | None = None, nonce_window: float = NONCE_WINDOW
) -> Engine:
    """Return a new engine with the default world."""
    clock = clock or Clock()
    feed = ChangeFeed()
    world = World(clock, feed)
    create_default_world(world)
    evidence = Evidence()
    messaging = Messaging(world, evidence, feed, nonce_window=nonce_window)
    interactions = Interactions(world, feed)
    faults = Faults(clock, feed)
    limiter = RateLimiter(clock, limits or Limits())
    gateway = Gateway(world, feed, faults, limiter, token=token)
    interactions.deliver = gateway.deliver
    return Engine(
        clock=clock,
        feed=feed,
        world=world,
        evidence=evidence,
        messaging=messaging,
        interactions=interactions,
        answers=Answers(world, messaging, feed),
        invoker=Invoker(world, interactions),
        faults=faults,
        limiter=limiter,
        gateway=gateway,
    )
