"""A problem of the matrix names the file with the history of its game. Without files, the histories are printed."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from sandbox.oracle.evidence_report import GameReport
from sandbox.oracle.verdict import Verdict
from tests.chaos import report
from tests.chaos.run import Result

LOST = "Game 0001 of the night, due 20:00"


def failed(path: Path | None) -> Result:
    verdict = Verdict(lost=[LOST], other_problems=["unfair"])
    return Result("calm", 1, 20.0, 1, verdict, [GameReport("Game 0001 of the night", "[0] its history\n", path)])


def shown(result: Result) -> str:
    output = StringIO()
    report.show(Console(file=output, width=80), [result])
    return output.getvalue()


def test_each_problem_names_the_file_of_its_game(tmp_path: Path) -> None:
    path = tmp_path / "game.txt"
    result = failed(path)
    named = f"lost: {LOST} (see {path})"
    assert report.list_problems(result) == [named, "unfair"]
    assert named in report.line(result)
    assert named in shown(result)
    assert "its history" not in shown(result)
    report.write(tmp_path / "chaos.json", [result])
    assert json.loads((tmp_path / "chaos.json").read_text())["scenarios"][0]["problems"][0] == named


def test_without_a_file_the_history_is_printed_below_the_problems():
    text = shown(failed(None))
    assert text.index(f"lost: {LOST}\n") < text.index("\n[0] its history")
