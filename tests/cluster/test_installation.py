"""A first trial of Questbell: `helm install`, one minute, and then what an administrator looks at."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.cluster.conftest import Trial
from tests.support.helm import RELEASE
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

FIRST_REMINDER_WITHIN = 60.0
SHOWN_WITHIN = 30.0
"""Seconds until a status is up to date: figures are collected every ten."""


async def test_a_fresh_installation_delivers_its_first_reminder_within_a_minute(
    trial: Trial, measured: Callable[[str], None]
) -> None:
    left = trial.began + FIRST_REMINDER_WITHIN - time.time()
    await eventually(lambda: _reminders(trial), within=max(0.0, left), what="the first reminder")
    took = min(record["wall"] for record in _reminders(trial)) - trial.began
    measured(f"helm install to the first reminder: {took:.1f} s")
    assert took <= FIRST_REMINDER_WITHIN


async def test_one_id_finds_a_reminder_in_the_logs_of_both_workloads(trial: Trial) -> None:
    lines = await _log(trial)
    [notification, *_] = [line["notification_id"] for line in lines if _is(line, "bot", "delivered", "reminder")]
    story = [(line["workload"], line["action"]) for line in lines if line.get("notification_id") == notification]
    assert ("controllers", "published") in story
    assert {("bot", "delivered"), ("bot", "settled")} <= set(story)


async def test_helm_test_passes(trial: Trial) -> None:
    said = await trial.helm("test", RELEASE, "--logs", within=200)
    assert "bot: ready" in said
    assert "controllers: ready" in said


async def test_the_columns_show_live_figures(trial: Trial) -> None:
    header, before = await _row(trial, "notifications")
    assert header[:5] == ["NAME", "SOURCE", "READY", "PENDING", "OVERDUE"]
    assert header[5:] == ["NEXT DUE", "LAST DISPATCH", "DEGRADED", "UPDATED", "AGE"]
    assert before["READY"] == "True"
    await trial.schedule("shared", count=1)

    async def last_dispatch() -> bool:
        _, row = await _row(trial, "notifications")
        return bool(row["LAST DISPATCH"])

    await eventually(last_dispatch, within=2 * SHOWN_WITHIN, what="the last dispatch in the columns")
    made = await trial.schedule("far away", count=7, first=3600.0)

    async def shown() -> bool:
        _, row = await _row(trial, "notifications")
        next_due = datetime.fromisoformat(row["NEXT DUE"]).timestamp()
        return int(row["PENDING"]) >= 7 and row["OVERDUE"] == "0" and time.time() - 60 < next_due < made[0].due_at

    await eventually(shown, within=SHOWN_WITHIN, what="seven pending reminders in the columns")
    header, row = await _row(trial, "default", kind="deadletterreconcilers")
    assert header[:6] == ["NAME", "READY", "DEPTH", "OLDEST", "REPUBLISHED", "PARKED"]
    assert header[6:] == ["LAST RUN", "DEGRADED", "UPDATED", "AGE"]
    assert (row["READY"], row["DEPTH"]) == ("True", "0")
    assert row["LAST RUN"]


async def test_a_changed_spec_is_observed(trial: Trial) -> None:
    await trial.kubectl.patch("scheduler/notifications", batchSize=50)

    async def observed() -> bool:
        body = await trial.kubectl.json("get", "scheduler", "notifications")
        parts = [body["status"], *body["status"]["conditions"]]
        generations = {part["observedGeneration"] for part in parts}
        return body["spec"]["batchSize"] == 50 and generations == {body["metadata"]["generation"]}

    await eventually(observed, within=SHOWN_WITHIN, what="the generation of the new spec")


async def test_suspending_and_resuming_show_as_conditions_and_events(trial: Trial) -> None:
    for suspended, reason, ready in ((True, "Suspended", "False"), (False, "Dispatching", "True")):
        earlier = await _events(trial)
        await trial.kubectl.patch("scheduler/status-transitions", suspend=suspended)

        async def is_shown(reason: str = reason, ready: str = ready, earlier: dict[str, str] = earlier) -> bool:
            body = await trial.kubectl.json("get", "scheduler", "status-transitions")
            [ready_condition] = [part for part in body["status"]["conditions"] if part["type"] == "Ready"]
            is_so = (ready_condition["status"], ready_condition["reason"]) == (ready, reason)
            events = await _events(trial)
            return is_so and reason in {events[uid] for uid in events.keys() - earlier.keys()}

        await eventually(is_shown, within=SHOWN_WITHIN, what=f"Ready={ready} because {reason}, and an Event")


def _reminders(trial: Trial) -> list[dict[str, Any]]:
    made = [record for record in trial.discord.records if record["kind"] == "create"]
    return [record for record in made if record["content"].startswith("🔔")]


async def _log(trial: Trial) -> list[dict[str, Any]]:
    """Return the JSON lines that docs/observability.md says to search; the servers log other formats."""
    selector = "app.kubernetes.io/component in (controllers,bot)"
    printed = await trial.kubectl("logs", "--selector", selector, "--since=1h", "--tail=-1")
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def _is(line: dict[str, Any], workload: str, action: str, event: str) -> bool:
    return (line["workload"], line["action"], line.get("event")) == (workload, action, event)


async def _row(trial: Trial, name: str, *, kind: str = "schedulers") -> tuple[list[str], dict[str, str]]:
    header, *rows = await trial.kubectl.columns(kind)
    [row] = [row for row in rows if row[0] == name]
    return header, dict(zip(header, row, strict=True))


async def _events(trial: Trial) -> dict[str, str]:
    """Return the reason of each Event of the scheduler, by its uid."""
    listed = await trial.kubectl.json("get", "events", "--field-selector", "involvedObject.name=status-transitions")
    return {event["metadata"]["uid"]: event["reason"] for event in listed["items"]}
