from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from shared import logs
from shared.settings import LogSettings


@pytest.fixture
def log_format() -> str:
    return "json"


@pytest.fixture
def logged(log_format: Literal["json", "console"]) -> Iterator[io.StringIO]:
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(LogSettings(format=log_format), workload="test", stream=stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_a_record_is_one_line_of_json_with_its_action_and_ids(logged: io.StringIO) -> None:
    logs.get(component="here").info("Delivered", action="delivered", event_type="reminder", notification_id="1")
    record = json.loads(logged.getvalue())
    assert record["message"] == "Delivered"
    assert (record["workload"], record["action"], record["event"]) == ("test", "delivered", "reminder")


def test_a_librarys_record_has_the_same_form(logged: io.StringIO) -> None:
    logging.getLogger("some.library").warning("Odd: %s", 3)
    record = json.loads(logged.getvalue())
    assert (record["message"], record["action"]) == ("Odd: 3", "library.some.library")


def test_what_discord_py_says_about_a_slow_process_is_one_line(logged: io.StringIO) -> None:
    logging.getLogger("discord.gateway").warning("Shard ID %s heartbeat blocked for more than %s s.\nLoop:\n x", 0, 10)
    [line] = logged.getvalue().splitlines()
    assert json.loads(line)["action"] == "library.discord.gateway"


def test_a_warning_of_python_has_the_same_form(logged: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)  # pytest has replaced what shows them
        warnings.warn("Old", DeprecationWarning, stacklevel=1)
    [line] = logged.getvalue().splitlines()
    assert json.loads(line)["action"] == "library.py.warnings"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_does_not_show_local_variables(logged: io.StringIO) -> None:
    password = "hush" * 2
    try:
        raise ValueError("broken")
    except ValueError as error:
        logs.get().exception("Died", action="task_died")
        logging.getLogger("some.library").error("Odd", exc_info=error)
    assert logged.getvalue().count("ValueError") >= 2
    assert password not in logged.getvalue()
