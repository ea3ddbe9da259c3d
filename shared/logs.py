"""One JSON line a fact, or a readable one for people.

Every record of ours names its `action`; tests, `kubectl logs | grep` and people key on that and on ids, never on
prose. The libraries' own records go through the same renderer, so that a log is one format throughout.
"""

from __future__ import annotations

import json
import logging
import sys
from functools import partial
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from shared.settings import LogSettings

Logger = FilteringBoundLogger

_QUIET = ("aio_pika", "kopf", "discord", "aiohttp.access", "sqlalchemy", "asyncio")


_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
"""Without local variables: a password may stand in one."""


def configure(settings: LogSettings, *, workload: str, stream: TextIO | None = None) -> None:
    """Route our records and the libraries' to a stream, standard output unless told; call once a process."""
    out = stream or sys.stdout
    shared: list[Any] = [
        partial(_with_workload, workload),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _TRACEBACKS if settings.format == "json" else _keep,
    ]
    rendering: list[Any] = [
        structlog.processors.EventRenamer("message", replace_by="event_type"),  # `event` is what a row is about
        structlog.processors.JSONRenderer(serializer=_json)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(event_key="message"),
    ]
    structlog.configure(
        processors=[*shared, *rendering],
        logger_factory=structlog.WriteLoggerFactory(out),  # not by way of `logging`: a line there costs twice as much
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=True,
    )
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
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # it logs as errors what it also raises, and we classify


def get(**bound: Any) -> Logger:
    """Return a logger that carries the given fields."""
    logger: Logger = structlog.get_logger(**bound)
    return logger


def _with_workload(workload: str, _logger: Any, _method: str, event: EventDict) -> EventDict:
    return {"workload": workload, **event}


def _foreign_action(_logger: Any, _method: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    event["action"] = f"library.{record.name}" if record is not None else "library"
    return event


def _json(event: EventDict, **_asked: Any) -> str:
    return _ENCODER.encode(event)


_ENCODER = json.JSONEncoder(default=repr)
"""Made once: `json.dumps` makes one for each call that has a `default`."""


def _keep(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return event
