"""What the API server accepts, refuses and shows, and its messages. Models cannot check CEL rules."""

from __future__ import annotations

import json

import pytest
from kubernetes.aio.client import ApiClient

from tests.support import definitions
from tests.support.kubectl import Kubectl, KubectlError

SCHEDULER: tuple[str, dict[str, object]] = ("Scheduler", {"source": "Notifications"})
RECONCILER: tuple[str, dict[str, object]] = ("DeadLetterReconciler", {})

NUMBERS = [
    (*SCHEDULER, "batchSize", 1, 1000),
    (*SCHEDULER, "maxWaitSeconds", 1, 900),
    (*SCHEDULER, "retentionDays", 1, 3650),
    (*RECONCILER, "intervalSeconds", 1, 86400),
    (*RECONCILER, "batchSize", 1, 1000),
    (*RECONCILER, "alertAfterAttempts", 1, 1000),
]


@pytest.mark.parametrize(("kind", "spec", "field", "lowest", "highest"), NUMBERS)
async def test_a_number_within_its_bounds_is_accepted(
    kind: str, spec: dict[str, object], field: str, lowest: int, highest: int, kubectl: Kubectl
) -> None:
    await kubectl.apply(kind, "lowest", **spec, **{field: lowest})
    await kubectl.apply(kind, "highest", **spec, **{field: highest})


@pytest.mark.parametrize(("kind", "spec", "field", "lowest", "highest"), NUMBERS)
async def test_a_number_beyond_its_bounds_is_refused(
    kind: str, spec: dict[str, object], field: str, lowest: int, highest: int, kubectl: Kubectl
) -> None:
    with pytest.raises(KubectlError, match=f"spec.{field}.*greater than or equal to {lowest}"):
        await kubectl.apply(kind, "low", **spec, **{field: lowest - 1})
    with pytest.raises(KubectlError, match=f"spec.{field}.*less than or equal to {highest}"):
        await kubectl.apply(kind, "high", **spec, **{field: highest + 1})


@pytest.mark.parametrize("source", ["Notifications", "StatusTransitions"])
async def test_each_source_is_accepted(source: str, kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source=source)


async def test_an_unknown_source_is_refused_with_the_list_of_sources(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match=r'spec.source.*supported values: "Notifications", "StatusTransitions"'):
        await kubectl.apply("Scheduler", "one", source="Birthdays")


async def test_a_scheduler_needs_a_source(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match=r"spec.source: Required value"):
        await kubectl.apply("Scheduler", "one")


async def test_a_scheduler_needs_a_spec(kubectl: Kubectl) -> None:
    manifest = {"apiVersion": "questbell.dev/v1alpha1", "kind": "Scheduler", "metadata": {"name": "one"}}
    with pytest.raises(KubectlError, match="spec: Required value"):
        await kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


async def test_the_source_must_not_change(kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source="Notifications")
    with pytest.raises(KubectlError, match=r"spec.source.*is immutable; delete this Scheduler and create a new one"):
        await kubectl.patch("scheduler/one", source="StatusTransitions")


async def test_the_rest_of_a_spec_may_change(kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source="Notifications")
    await kubectl.patch("scheduler/one", source="Notifications", batchSize=7, suspend=True)
    assert (await kubectl.json("get", "scheduler", "one"))["spec"]["batchSize"] == 7


async def test_suspend_must_be_a_boolean(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match=r"spec.suspend.*boolean"):
        await kubectl.apply("Scheduler", "one", source="Notifications", suspend="yes")


async def test_an_unknown_field_is_refused(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match=r'unknown field "spec.batchsize"'):
        await kubectl.apply("Scheduler", "one", source="Notifications", batchsize=7)


async def test_a_scheduler_gets_its_defaults(kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source="Notifications")
    spec = (await kubectl.json("get", "scheduler", "one"))["spec"]
    assert spec == {
        "source": "Notifications",
        "batchSize": 100,
        "maxWaitSeconds": 15,
        "retentionDays": 30,
        "suspend": False,
    }


async def test_a_reconciler_needs_no_spec(kubectl: Kubectl) -> None:
    manifest = {"apiVersion": "questbell.dev/v1alpha1", "kind": "DeadLetterReconciler", "metadata": {"name": "one"}}
    await kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    spec = (await kubectl.json("get", "deadletterreconciler", "one"))["spec"]
    assert spec == {
        "queues": ["bot.reminders.dlq", "bot.notices.dlq", "bot.transitions.dlq"],
        "intervalSeconds": 900,
        "batchSize": 100,
        "alertAfterAttempts": 5,
        "suspend": False,
    }


async def test_a_reconciler_may_have_one_queue(kubectl: Kubectl) -> None:
    await kubectl.apply("DeadLetterReconciler", "one", queues=["bot.notices.dlq"])


@pytest.mark.parametrize(
    ("queues", "said"),
    [
        ([], "spec.queues.*at least 1 items"),
        (["bot.notices.dlq", "bot.notices.dlq"], "spec.queues.*Duplicate value"),
        (["bot.notices"], 'spec.queues.*supported values: "bot.reminders.dlq"'),
    ],
)
async def test_an_invalid_list_of_queues_is_refused(queues: list[str], said: str, kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match=said):
        await kubectl.apply("DeadLetterReconciler", "one", queues=queues)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"pending": "many"}, "status.pending"),
        ({"overdue": "-1"}, "status.overdue"),
        ({"nextDue": "soon"}, "status.nextDue.*date-time"),
        ({"lastDispatch": "long ago"}, "status.lastDispatch.*date-time"),
        ({"observedGeneration": -1}, "status.observedGeneration"),
        ({"conditions": [{"type": "Ready"}]}, "status.conditions.*Required value"),
    ],
)
async def test_an_invalid_status_is_refused(status: dict[str, object], said: str, kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source="Notifications")
    with pytest.raises(KubectlError, match=said):
        await write_status(kubectl, "scheduler/one", status)


async def test_a_patch_of_the_spec_does_not_change_the_status(kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source="Notifications")
    await kubectl("patch", "scheduler/one", "--type=merge", "-p", json.dumps({"status": {"pending": "3"}}))
    assert "status" not in await kubectl.json("get", "scheduler", "one")


UPDATED = ("DEGRADED", "UPDATED", "AGE")
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Dispatching",
    "message": "Due rows are published",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}


async def test_kubectl_get_shows_the_columns_of_schedulers(kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "notifications", source="Notifications")
    figures = {"pending": "10000+", "overdue": "3", "nextDue": "2099-01-01T20:00:00Z"}
    dispatched = {"lastDispatch": "2020-01-01T00:00:00Z", "lastUpdate": "2020-01-01T00:00:00Z"}
    await write_status(kubectl, "scheduler/notifications", figures | dispatched | {"conditions": [READY]})
    header, row = await kubectl.columns("schedulers")
    assert header == ["NAME", "SOURCE", "READY", "PENDING", "OVERDUE", "NEXT DUE", "LAST DISPATCH", *UPDATED]
    assert row[:6] == ["notifications", "Notifications", "True", "10000+", "3", "2099-01-01T20:00:00Z"]
    assert row[6].endswith("d"), "an age"
    assert row[8].endswith("d"), "a status that nobody has written for long"


async def test_kubectl_get_shows_the_columns_of_dead_letter_reconcilers(kubectl: Kubectl) -> None:
    await kubectl.apply("DeadLetterReconciler", "default")
    figures = {"depth": 7, "oldest": "2020-01-01T00:00:00Z", "republished": 5, "parked": "2"}
    run = {"lastRun": "2020-01-01T00:00:00Z"}
    await write_status(kubectl, "deadletterreconciler/default", figures | run | {"conditions": [READY]})
    header, row = await kubectl.columns("deadletterreconcilers")
    assert header == ["NAME", "READY", "DEPTH", "OLDEST", "REPUBLISHED", "PARKED", "LAST RUN", *UPDATED]
    assert row[:3] + row[4:6] == ["default", "True", "7", "5", "2"]


@pytest.mark.parametrize("kind", ["Scheduler", "DeadLetterReconciler"])
async def test_the_wide_columns_show_reason_and_message(kind: str, kubectl: Kubectl) -> None:
    await kubectl.apply(kind, "one", **({"source": "Notifications"} if kind == "Scheduler" else {}))
    await write_status(kubectl, f"{kind.lower()}/one", {"conditions": [READY]})
    header, row = await kubectl.columns(kind.lower(), "-o", "wide")
    shown = dict(zip(header, row, strict=True))
    assert (shown["REASON"], shown["MESSAGE"]) == ("Dispatching", "Due rows are published")
    assert header[-1] == "AGE"


@pytest.mark.parametrize("word", ["qsched", "questbell"])
async def test_short_name_and_category_find_a_scheduler(word: str, kubectl: Kubectl) -> None:
    await kubectl.apply("Scheduler", "one", source="Notifications")
    assert "one" in await kubectl("get", word)


async def test_a_reconciler_has_a_short_name_too(kubectl: Kubectl) -> None:
    await kubectl.apply("DeadLetterReconciler", "one")
    assert "one" in await kubectl("get", "qdlr")


async def test_kubectl_explain_describes_the_fields(kubectl: Kubectl) -> None:
    assert "Maximum number of rows published in one transaction" in await kubectl("explain", "scheduler.spec.batchSize")


async def test_definitions_can_be_applied_again(client: ApiClient) -> None:
    await definitions.apply(client)


async def write_status(kubectl: Kubectl, what: str, status: dict[str, object]) -> None:
    patch = json.dumps({"status": status})
    await kubectl("patch", what, "--subresource=status", "--type=merge", "-p", patch)
