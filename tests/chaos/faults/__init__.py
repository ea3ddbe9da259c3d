"""Everything that can go wrong, a module for each thing that it happens to.

A fault runs from the moment at which the first reminders are about to fall due, strikes while more of them do, and
returns when it is over; it says of each strike that it struck, and when all was well again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.chaos.scene import Scene

Fault = Callable[[Scene], Awaitable[None]]


async def nothing(scene: Scene) -> None:
    """Let all be well."""
    scene.struck()
