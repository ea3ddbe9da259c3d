"""What a fail-over lost is excused by the data of the lost primary, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox.oracle.compare import compare
from sandbox.oracle.facts import DmPreferences, Evidence
from sandbox.oracle.lost_commits import join_histories
from shared.models import DeliveryState
from tests.unit.oracle.evidence import ANN, BEN, EVE, Evening, delivered_once, found


def failed_over(surviving: Evening, primary: Evening) -> Evidence:
    """Return the evidence of an evening whose primary was lost; Discord saw what both did."""
    primary.game_id = surviving.game_id
    facts, lost = join_histories(surviving.evidence().facts, primary.evidence().facts)
    return replace(surviving.evidence(), facts=facts, lost=lost, messages=primary.messages + surviving.messages)


def branch_of(evening: Evening) -> Evening:
    """Return an evening with the same rows, to be continued by the primary that is lost."""
    branch = Evening()
    branch.game_id, branch.rows, branch.deliveries = evening.game_id, list(evening.rows), list(evening.deliveries)
    return branch


def test_a_message_of_an_attempt_that_was_lost_counts_for_its_row():
    surviving, primary = Evening(), Evening()
    row = surviving.row()
    primary.rows = [row]
    primary.accept(primary.attempt(row, 100.9), 101)
    verdict = compare(failed_over(surviving, primary))
    assert (found(verdict), verdict.delivered, verdict.lost_commits) == ({}, 1, 0)


def test_a_message_that_was_sent_again_after_the_fail_over_is_doubled():
    surviving = delivered_once()
    primary = branch_of(surviving)
    primary.accept(primary.deliveries[0], 99)
    assert "doubled" in found(compare(failed_over(surviving, primary)))


def test_a_game_that_changed_only_on_the_lost_primary_is_not_compared_with_its_history():
    surviving = Evening()
    row = surviving.row()
    primary = branch_of(surviving)
    primary.change(99, players=frozenset({ANN, EVE}))
    primary.accept(primary.attempt(row, 100.9, mentions=[ANN, EVE]), 101)
    verdict = compare(failed_over(surviving, primary))
    assert (found(verdict), verdict.lost_commits) == ({}, 1)


@pytest.mark.parametrize(("changed_at", "is_excused"), [(99, True), (103, False)])
def test_a_message_decided_on_the_lost_primary_may_miss_what_had_changed_on_the_new_one(
    changed_at: float, is_excused: bool
):
    surviving = Evening()
    row = surviving.row()
    primary = branch_of(surviving)
    primary.accept(primary.attempt(row, 100.9, mentions=[EVE]), 101)  # who has no seat
    surviving.change(changed_at, players=frozenset({ANN}))
    assert ("wrong" not in found(compare(failed_over(surviving, primary)))) is is_excused


def test_a_game_that_only_the_lost_primary_made_is_excused():
    surviving, primary = delivered_once(), Evening()
    delivery = primary.attempt(primary.row(due=95), 95)
    primary.accept(delivery, 96)
    facts, lost = join_histories(surviving.evidence().facts, primary.evidence().facts)
    evidence = replace(surviving.evidence(), facts=facts, lost=lost, messages=primary.messages + surviving.messages)
    verdict = compare(evidence)
    assert (found(verdict), verdict.lost_commits) == ({}, 2)


def test_one_message_of_a_row_that_was_lost_is_excused_and_a_second_is_doubled():
    surviving = delivered_once()
    primary = branch_of(surviving)
    primary.change(90, starts_at=surviving.states[0].starts_at)
    delivery = primary.attempt(primary.row(due=95), 95)
    primary.accept(delivery, 96)
    assert found(compare(failed_over(surviving, primary))) == {}
    primary.accept(delivery, 97)
    assert found(compare(failed_over(surviving, primary))) == {"doubled": 1}


def test_a_player_whose_choice_was_lost_may_be_reminded_in_both_ways():
    surviving, primary = Evening(), Evening()
    surviving.preferences = DmPreferences(changing=frozenset({BEN}))
    primary.rows = [surviving.row()]
    primary.accept(primary.attempt(primary.rows[0], 100.9), 101)
    surviving.accept(surviving.attempt(primary.rows[0], 101.9, to=BEN), 102)
    assert found(compare(failed_over(surviving, primary))) == {"doubled": 1}
    surviving.wants_dm = frozenset({BEN})
    assert found(compare(failed_over(surviving, primary))) == {}


def test_an_attempt_that_only_the_lost_primary_planned_is_not_unsettled():
    surviving = delivered_once()
    primary = branch_of(surviving)
    primary.attempt(surviving.rows[0], state=DeliveryState.PENDING, to=EVE)
    assert found(compare(failed_over(surviving, primary))) == {}
    assert "unsettled" in found(compare(primary.evidence()))


def test_without_the_lost_primary_nothing_is_excused():
    surviving = delivered_once()
    primary = branch_of(surviving)
    primary.accept(primary.attempt(primary.row(due=95), 95), 96)
    evidence = replace(surviving.evidence(), messages=primary.messages + surviving.messages)
    assert found(compare(evidence)) == {"doubled": 1}
