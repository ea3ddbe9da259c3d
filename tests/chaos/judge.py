"""Holds what Discord accepted against what the schedule demanded. Pure: evidence in, verdict out.

Nothing is believed of the product's rows but which of them a message claims to be, and every message must also name its
session itself: a nonce that lies is told wrong. What may happen once, may happen once to a person: it does not matter
whether the other time was in the channel or in direct messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.chaos.demand import wrong
from tests.chaos.ending import judge_posts, judge_settled
from tests.chaos.facts import Case
from tests.chaos.messages import Message, understood
from tests.chaos.owed import owed
from tests.chaos.verdict import Verdict, quantile

OTHERS_LIMIT_MS = 1000.0
"""By how much a fault of some places and people may delay everyone else, at the 99th percentile."""


def judge(case: Case) -> Verdict:
    """Return the verdict on a cell."""
    verdict = Verdict()
    messages = list(understood(case, verdict))
    _judge_twice(messages, case, verdict)
    for message in messages:
        _judge_right(message, case, verdict)
    _judge_told(messages, case, verdict)
    _judge_fair(messages, case, verdict)
    judge_posts(messages, case, verdict)
    judge_settled(case, verdict)
    return verdict


def _judge_twice(messages: Sequence[Message], case: Case, verdict: Verdict) -> None:
    """Judge that nobody is told the same thing twice, wherever, nor a channel."""
    said: set[object] = set()
    for message in messages:
        saying = message.said_once(case)
        if saying & said:
            verdict.note("doubled", message.name)
        said |= saying


def _judge_right(message: Message, case: Case, verdict: Verdict) -> None:
    """Judge a message by the turn that made it."""
    if message.game.title not in message.told.text:
        return verdict.note("told_wrong", f"{message.name} speaks of another session")
    decided = message.decided(case)
    if not decided:
        return verdict.note("told_wrong", f"{message.name} was sent before it was decided")
    faults = [_fault(message, case, decided_at=turn) for turn in decided]
    if all(faults):
        verdict.note("told_wrong", f"{message.name}: {faults[-1]}")
    return None


def _fault(message: Message, case: Case, *, decided_at: datetime) -> str | None:
    """Return what was wrong about a reminder that was decided then; the other messages are judged at the end."""
    reminder, told = message.reminder, message.told
    if reminder is None:
        return None
    if told.to is not None and told.to not in case.wishes.anybody:
        return "a player was told directly who had not asked for it"
    due = message.game.as_of(reminder.due_at)
    if due is not None and told.pings & due.players & case.wishes.steady:
        return "a player was pinged who had asked for direct messages"
    return wrong(reminder, told.people, message.game, decided_at=decided_at)


def _judge_told(messages: Sequence[Message], case: Case, verdict: Verdict) -> None:
    """Judge that each reminder was told in its channel, and to every player somewhere."""
    for one in owed(messages, case):
        verdict.reminders += 1
        verdict.lateness += one.lateness
        verdict.direct += sum(not message.in_channel for message in one.messages)
        if one.told:
            verdict.delivered += 1
        elif not one.in_doubt:
            if one.excused:
                verdict.excused += 1
            else:
                verdict.note("lost", one.name)
            continue
        if missed := one.missed:
            verdict.note("told_wrong", f"{one.name}: {len(missed)} players were not told")


def _judge_fair(messages: Sequence[Message], case: Case, verdict: Verdict) -> None:
    """Judge that a fault which strikes some places and people delays nobody else."""
    if not case.afflicted:
        return
    for message in messages:
        concerned = {message.told.channel_id} | message.told.people
        if message.reminder is not None and not concerned & case.afflicted:
            verdict.others.append((message.told.at - message.reminder.due_at).total_seconds())
    late = quantile(verdict.others, 0.99)
    if late is None or late >= OTHERS_LIMIT_MS:
        verdict.problems.append(f"unfair: what the fault does not strike was late by {late} ms at the 99th percentile")
