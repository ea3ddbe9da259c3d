"""Structured logs: one JSON object per line, or a readable line for a terminal.

Each of our records has an `action`. Tests and searches use that and ids, never the text.
"""

from __future__ import annotations

import json
import logging
import sys
from functools import cache, partial
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from shared.settings import LogSettings

Logger = FilteringBoundLogger

_QUIET = ("aio_pika", "kopf", "discord", "aiohttp.access", "sqlalchemy", "asyncio")


_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without local variables, because one may contain a password. For the same reason, the console has plain ones."""


def configure(settings: LogSettings, *, workload: str, stream: TextIO | None = None) -> None:
    """Send all records to a stream. Call once per process."""
    out = stream or sys.stdout
    shared: list[Any] = [
        partial(_with_workload, workload),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _TRACEBACKS if settings.format == "json" else _keep,
    ]
    rendering: list[Any] = [
        structlog.processors.EventRenamer("message", replace_by="event_type"),  # `event` is the kind of a row
        structlog.processors.JSONRenderer(serializer=_json)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(
            event_key="message", colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
    ]
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=structlog.WriteLoggerFactory(out),  # not through `logging`, which takes twice as long
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=True,
    )
    _get_plain.cache_clear()
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _foreign_action],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)  # else Python prints them as plain text
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # it logs as errors what it also raises to us


def get(**bound: Any) -> Logger:
    """Return a logger with fields."""
    logger: Logger = structlog.get_logger(**bound) if bound else _get_plain()
    return logger


@cache
def _get_plain() -> Any:
    """Return the logger without fields. It is created once, because it is used for each delivery."""
    return structlog.get_logger()


def _with_workload(workload: str, _logger: Any, _method: str, event: EventDict) -> EventDict:
    return {"workload": workload, **event}


def _foreign_action(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    event["action"] = f"library.{record.name}" if record is not None else "library"
    return event


def _json(event: EventDict, **_options: Any) -> str:
    return _ENCODER.encode(event)


_ENCODER = json.JSONEncoder(default=repr)
"""Created once, because `json.dumps` creates one for each call with a `default`."""


def _keep(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return event
