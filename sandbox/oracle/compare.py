"""Compare: what was expected with what was observed. Pure: evidence in, verdict out.

Nothing is trusted of the product's rows except which of them a message claims to be, and every message must also name
its game itself: a nonce that lies makes it wrong. What may be said once may be said once to a person, in the channel or
in direct messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sandbox.oracle.expected import why_wrong
from sandbox.oracle.expected_reminders import expected_reminders
from sandbox.oracle.facts import Evidence
from sandbox.oracle.final_state import check_final_state
from sandbox.oracle.minimum import check_minimums
from sandbox.oracle.observed import ClaimedMessage, claimed_messages
from sandbox.oracle.occurrences import check_occurrences
from sandbox.oracle.personal import check_personal_reminders
from sandbox.oracle.seats import check_seats
from sandbox.oracle.verdict import Verdict, quantile
from shared.models import DeliveryState

UNAFFECTED_LIMIT_MS = 5000.0
"""By how much a fault of some channels and people may delay everyone else, at the 99th percentile.

A quiet machine needs less than a second, and a busy one up to three. Those who wait for the fault wait for 20 or more.
"""


def compare(evidence: Evidence) -> Verdict:
    """Return the verdict on a whole run that has come to rest."""
    verdict = Verdict(lost_commits=len(evidence.lost.games))
    messages = _compare_messages(evidence, verdict)
    check_personal_reminders(messages, evidence, verdict)
    check_occurrences(evidence, verdict)
    check_seats(messages, evidence, verdict)
    check_minimums(messages, evidence, verdict)
    check_final_state(messages, evidence, verdict)
    return verdict


def compare_deliveries(evidence: Evidence) -> Verdict:
    """Return the verdict on the reminders alone, also while the games go on."""
    verdict = Verdict()
    _compare_messages(evidence, verdict)
    return verdict


def _compare_messages(evidence: Evidence, verdict: Verdict) -> list[ClaimedMessage]:
    messages = list(claimed_messages(evidence, verdict))
    _find_doubled(messages, evidence, verdict)
    for message in messages:
        if message.game.id not in evidence.lost.games:
            _find_wrong(message, evidence, verdict)
    _find_lost(messages, evidence, verdict)
    _find_unfair(messages, evidence, verdict)
    _find_ledger_mismatches(messages, evidence, verdict)
    return messages


def _find_doubled(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Find what was said twice to a person anywhere, or twice in a channel."""
    seen: set[object] = set()
    for message in messages:
        claims = message.claims(evidence)
        if claims & seen:
            verdict.doubled.append(message.name)
        seen |= claims


def _find_wrong(message: ClaimedMessage, evidence: Evidence, verdict: Verdict) -> None:
    """Check a message against the game as it was when sending was decided."""
    if message.game.title not in message.message.text:
        verdict.wrong.append(f"{message.name} names another game")
        return
    decisions = message.decision_times(evidence)
    if not decisions:
        verdict.wrong.append(f"{message.name} was sent before it was decided")
        return
    reasons = [_why_wrong(message, evidence, decided_at=decision) for decision in decisions]
    if all(reasons):
        verdict.wrong.append(f"{message.name}: {reasons[-1]}")


def _why_wrong(claimed: ClaimedMessage, evidence: Evidence, *, decided_at: datetime) -> str | None:
    """Return what was wrong about a reminder decided at this moment. Other kinds are checked elsewhere."""
    reminder, message, preferences = claimed.reminder, claimed.message, evidence.preferences
    if reminder is None:
        return None
    if message.recipients & preferences.reminders_off:
        return "a player was reminded who had turned reminders off"
    if message.user_id is not None and message.user_id not in preferences.possible:
        return "a player got a direct message without asking for it"
    if message.mentioned & claimed.game.people_at(reminder.due_at) & preferences.certain:
        return "a player was mentioned who had asked for direct messages"
    tolerance = evidence.clock_tolerance
    return why_wrong(reminder, message.recipients, claimed.game, decided_at=decided_at, tolerance=tolerance)


def _find_lost(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Find reminders that no channel got, and players who got one nowhere."""
    verdict.last_delivery = max((claimed.message.at for claimed in messages if claimed.reminder), default=None)
    for expected in expected_reminders(messages, evidence):
        verdict.reminders += 1
        verdict.latency += expected.latency
        verdict.direct_messages += sum(not message.in_channel for message in expected.messages)
        if expected.is_delivered:
            verdict.delivered += 1
        elif not expected.is_undecidable:
            if expected.is_excused:
                verdict.excused += 1
            else:
                verdict.lost.append(expected.explained)
            continue
        if missed := expected.missed_people:
            verdict.wrong.append(f"{expected.name}: {len(missed)} people were not notified")


def _find_unfair(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check that a fault of some channels and people, or of no reminder, delays nobody else."""
    if evidence.affected is None:
        return
    for message in messages:
        concerned = {message.message.channel_id} | message.message.recipients
        if message.reminder is not None and not concerned & evidence.affected:
            verdict.unaffected_latency.append((message.message.at - message.reminder.due_at).total_seconds())
    late = quantile(verdict.unaffected_latency, 0.99)
    if late is None or late >= UNAFFECTED_LIMIT_MS:
        verdict.other_problems.append(f"unfair: what the fault does not hit was {late} ms late at the 99th percentile")


def _find_ledger_mismatches(messages: Sequence[ClaimedMessage], evidence: Evidence, verdict: Verdict) -> None:
    """Check that the ledger names the message that Discord created for each delivery."""
    created: defaultdict[UUID, list[ClaimedMessage]] = defaultdict(list)
    for claimed in messages:
        created[claimed.delivery.id].append(claimed)
    for delivery_id, claims in created.items():
        delivery, message_ids = evidence.facts.deliveries[delivery_id], [it.message.message_id for it in claims]
        if delivery.state is DeliveryState.SENT and delivery.message_id not in message_ids:
            what = f"the ledger has message {delivery.message_id}, Discord created {message_ids}"
            verdict.wrong.append(f"{claims[0].name}: {what}")
