from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from cli import words
from cli.output import harmless, plain, show, styled
from shared.models import Outcome


@dataclass(frozen=True)
class Report:
    title: str
    inner: list[object]


def test_a_report_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2030, 5, 1, 20, tzinfo=timezone(timedelta(hours=2)))
    own = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    report = Report("a\x1b[31m", [at, own, timedelta(seconds=1.5), Outcome.DELIVERED, None, {"x": (1, 2.5, True)}])
    show(report, lambda it: it.title, as_json=True)
    inner = ["2030-05-01T18:00:00+00:00", str(own), 1.5, "delivered", None, {"x": [1, 2.5, True]}]
    assert json.loads(capsys.readouterr().out) == {"title": "a\x1b[31m", "inner": inner}


def test_what_json_does_not_have_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="object has no form"):
        plain(object())


def test_foreign_text_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    show("\x1b]0;title\x07 [red]:boom: \u202ebidi\nnext", styled, as_json=False)
    assert capsys.readouterr().out == "\\x1b]0;title\\x07 [red]:boom: \\u202ebidi\nnext\n"


def test_long_text_is_cut() -> None:
    assert harmless("abcdef", limit=4) == "abc…"
    assert harmless("abcd", limit=4) == "abcd"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (1.5, "1.5 s"),
        (9.96, "10 s"),
        (75, "1 min 15 s"),
        (3_600, "1 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(seconds: float, said: str) -> None:
    assert words.span(seconds) == said
    assert words.signed(-seconds) in (f"-{said}", "+0 ms")


def test_moments_are_in_utc_to_the_millisecond() -> None:
    at = datetime(2030, 5, 1, 20, 0, 0, 250_400, tzinfo=timezone(timedelta(hours=2)))
    assert words.moment(at) == "2030-05-01 18:00:00.250"
    assert words.moment(datetime(2030, 5, 1, tzinfo=UTC)) == "2030-05-01 00:00:00.000"


def test_distances_look_both_ways() -> None:
    assert (words.distance(12), words.distance(-12)) == ("in 12 s", "12 s ago")
