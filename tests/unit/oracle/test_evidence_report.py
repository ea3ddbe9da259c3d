"""A game that a verdict names is reported with its whole history, oldest first, and all others are left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from sandbox.oracle.compare import compare
from sandbox.oracle.evidence_report import GameReport, report_games, write_reports
from sandbox.oracle.facts import Evidence
from shared.models import DeliveryState, GameStatus, NotificationKind, Outcome
from tests.unit.oracle.evidence import ANN, BEN, CAT, Evening, announce, at, delivered_once


def report(evidence: Evidence) -> list[GameReport]:
    return report_games(compare(evidence), evidence)


def doubled() -> Evening:
    """An evening on which a message was sent twice, and Ben left and Cat waits."""
    evening = delivered_once()
    evening.accept(evening.deliveries[0], 102)
    evening.change(103, players=frozenset({ANN}), waiting=(CAT,), capacity=1)
    row = evening.row(
        kind=NotificationKind.DROP_OUT, offset=None, due=103, user_ids=(BEN,), outcome=Outcome.SUPERSEDED, detail="late"
    )
    evening.rows[-1] = replace(row, created_at=at(103.1), settled_at=at(104))
    evening.attempt(evening.rows[-1], to=ANN, state=DeliveryState.PENDING)
    evening.message_id = announce(evening, 105)
    return evening


def test_nothing_is_reported_of_a_run_without_problems():
    assert report(delivered_once().evidence()) == []


def test_a_report_has_states_rows_attempts_and_messages_oldest_first():
    evening = doubled()
    evidence = evening.evidence(final_text={evening.message_id: "Players 1"}, fault_ended_at=at(150))
    [found] = report(evidence)
    assert found.title == "The Sunken Keep"
    head, ended, _, *lines, _, last = found.text.splitlines()
    assert f"[{evening.game_id.hex[-6:]}] on 2030-05-01, host {ANN}, reminders 5" in head
    assert ended == "The fault ended at 18:02:30.000."
    assert [line.split()[1] for line in lines] == [
        *("state", "row", "attempt", "message", "message", "state", "row", "delivery", "row", "attempt", "message")
    ]
    reminder, drop_out, _ = (row.id.hex[-6:] for row in evening.rows)
    texts = [line.split("  ", 1)[1].removeprefix(f"{line.split()[1]:10}") for line in lines]
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert f"scheduled, starts 18:06:40.000, players: {ANN} {BEN}" in texts[0]
    assert f"reminder [{reminder}], 5 minutes before, of the start at 18:06:40.000, due 18:01:40.000: del" in texts[1]
    assert texts[2] == f"1 of reminder [{reminder}] to the channel for {ANN} {BEN}: sent as message 1"
    assert texts[3] == f"1 in channel 100 of reminder [{reminder}], mentions {ANN} {BEN}: 'The Sunken Keep'"
    assert texts[7] == f"drop_out [{drop_out}] to {ANN}: pending"
    assert f"players of 1: {ANN}, waiting: {CAT}" in texts[5]
    assert f"drop_out [{drop_out}], about {BEN}," in texts[6]
    assert texts[6].endswith("superseded at 18:01:44.000 (late)")
    assert last == "At the end, its announcement is: Players 1"


def test_a_message_that_nothing_asked_for_is_in_the_report_of_the_game_that_it_names():
    evening = delivered_once()
    evening.messages.append(replace(evening.messages[0], at=at(99), message_id=9, delivery_id=None))
    [found] = report(evening.evidence())
    assert "message   9 in channel 100 of what nothing asked for" in found.text


def test_only_games_that_a_problem_names_are_reported_and_all_of_a_series():
    evening = doubled()
    evidence = evening.evidence()
    [game] = evidence.facts.games.values()
    other = replace(game, id=uuid4(), title="The Long Road", offsets=())
    next_one = replace(game, id=uuid4(), states=(replace(game.final, status=GameStatus.IN_PROGRESS),))
    games = {it.id: it for it in (game, other, next_one)}
    [found] = report(replace(evidence, facts=replace(evidence.facts, games=games)))
    assert [it.id.hex[-6:] in found.text for it in games.values()] == [True, False, True]


def test_reports_are_files_with_readable_names(tmp_path: Path) -> None:
    [written] = write_reports([GameReport("Game 0012 of the night!", "text\n")], tmp_path)
    assert written.path == tmp_path / "game-0012-of-the-night.txt"
    assert written.path.read_text() == "text\n"
