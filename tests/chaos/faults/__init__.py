"""Everything that can go wrong, a module for each thing that it happens to.

A fault runs from the moment at which the first reminders are about to become due, and returns when it is over. It
records each injection, and when everything was well again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.chaos.fixture import Fixture

Fault = Callable[[Fixture], Awaitable[None]]


async def no_fault(fixture: Fixture) -> None:
    """Inject nothing."""
    fixture.record_injection()
