from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest

from cli.commands.output import escape_controls, safe_text, show
from shared.models import Outcome

EVIL = "a\x1b[31m \u202ebidi ü"


@dataclass(frozen=True)
class Report:
    title: str
    inner: list[object]


def test_a_report_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    at, own_id = datetime(2030, 5, 1, 18, tzinfo=UTC), UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    report = Report(EVIL, [at, own_id, Outcome.DELIVERED, None, {"x": [1, 2.5, True]}])
    show(report, lambda _: [], as_json=True)
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert "\x1b" not in printed
    inner = ["2030-05-01T18:00:00Z", str(own_id), "delivered", None, {"x": [1, 2.5, True]}]
    assert json.loads(printed) == {"title": EVIL, "inner": inner}


def test_a_list_of_reports_is_a_json_array(capsys: pytest.CaptureFixture[str]) -> None:
    show([Report("a", []), Report("b", [])], lambda _: [], as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"title": "a", "inner": []}, {"title": "b", "inner": []}]


def test_control_characters_and_markup_of_other_people_are_only_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show("\x1b]0;title\x07 [red]:boom: \u202ebidi\nnext", lambda text: [safe_text(text)], as_json=False)
    assert capsys.readouterr().out == "\\x1b]0;title\\x07 [red]:boom: \\u202ebidi\nnext\n"


def test_lines_are_not_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show("word " * 100, lambda text: [safe_text(text)], as_json=False)
    assert capsys.readouterr().out.count("\n") == 1


def test_long_text_is_cut() -> None:
    assert escape_controls("abcdef", limit=4) == "abc…"
    assert escape_controls("abcd", limit=4) == "abcd"
