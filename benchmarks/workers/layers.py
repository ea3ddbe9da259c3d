"""The layer that a stack of Python frames is in: the PostgreSQL driver, SQLAlchemy, the AMQP client, ours, …

C code has no frames, so it counts for the Python function that called it: what asyncpg decodes for the frame that
asked, what the event loop does with sockets for the event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType

import greenlet  # type: ignore[import-untyped]  # reason: it has no types

OURS = ("bot", "cli", "controllers", "migrations", "sandbox", "shared")
"""The top-level packages of Questbell."""
LAYERS = {
    "asyncpg": "PostgreSQL driver (asyncpg)",
    "sqlalchemy": "SQLAlchemy",
    "greenlet": "SQLAlchemy",
    "aio_pika": "AMQP client (aio-pika)",
    "aiormq": "AMQP client (aio-pika)",
    "pamqp": "AMQP client (aio-pika)",
    "pydantic": "pydantic",
    "structlog": "logging",
    "logging": "logging",
    "prometheus_client": "metrics",
    "asyncio": "event loop and sockets",
    "uvloop": "event loop and sockets",
    "aiolimiter": "Questbell",
    **dict.fromkeys(OURS, "Questbell"),
    "benchmarks": "the benchmark itself",
}
_ROOTS = {"shared.process"}
"""At the bottom of every stack."""


def frames(innermost: FrameType) -> Iterator[FrameType]:
    """Yield a stack from the inside out, across the greenlets in which SQLAlchemy runs its synchronous core."""
    frame: FrameType | None = innermost
    running = greenlet.getcurrent()
    while frame is not None:
        yield frame
        frame = frame.f_back
        if frame is None and running.parent is not None:
            running = running.parent
            frame = running.gr_frame


def place(innermost: FrameType) -> tuple[str, str]:
    """Return the layer that a stack is in, and the innermost of our functions on it."""
    layer = ""
    for frame in frames(innermost):
        module = str(frame.f_globals.get("__name__", ""))
        package = module.partition(".")[0]
        layer = layer or LAYERS.get(package, "")
        if package in OURS and module not in _ROOTS:
            return layer, f"{module}.{frame.f_code.co_qualname}"
    return layer or "the rest of Python", "(tasks of the libraries)"
