"""A release of the chart, installed as a user would, and the waits that the tests share.

Every wait is on a condition that Kubernetes shows, and has an end.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox.oracle.verdict import Verdict
from tests.cluster.discord import CHANNELS, Discord
from tests.cluster.evidence import Reminder, compare_reminders
from tests.cluster.kubectl import Kubectl, Pod
from tests.cluster.programs import run
from tests.support.helm import CHART, RELEASE
from tests.support.waiting import eventually

HELM_TIMEOUT = 120
"""Seconds for what Helm waits for."""
LOOK = 0.3
FIRST, WRITTEN_IN = 3.0, 0.03
"""Seconds until the first reminder is due, and for each that is written before."""
DELIVERED_WITHIN = 30.0
DELETE_FUTURE = (
    "DELETE FROM notification_schedule USING game "
    "WHERE game.id = game_id AND title LIKE '{name} ____' AND due_at > clock_timestamp() RETURNING title"
)
LEASE = 8.0
"""The default of QUESTBELL_TIMING_LEASE."""
WORKLOADS = ("controllers", "bot")
RESOURCES = "schedulers,deadletterreconcilers"
"""Not their category `questbell`: kubectl remembers a cluster's categories for minutes, and these were just made."""

Values = Mapping[str, Any]


@dataclass
class Absence:
    """For how long no pod of a workload was ready."""

    longest: float = 0.0


@dataclass
class Release:
    """A release, and the Discord that judges it."""

    kubectl: Kubectl
    context: str
    discord: Discord
    values: Values
    scheduled: list[Reminder] = field(default_factory=list)
    """Everything that was ever due, to be judged once more at the end."""

    async def helm(self, *words: str, stdin: str = "", within: float = HELM_TIMEOUT + 20) -> str:
        """Run Helm in the release's namespace."""
        command = ("helm", "--kube-context", self.context, "--namespace", self.kubectl.namespace)
        return await run(*command, *words, stdin=stdin, within=within)

    async def install(self, *options: str, chart: Path = CHART) -> None:
        """Install it and wait until Helm calls it ready."""
        wait = ("--wait", "--timeout", f"{HELM_TIMEOUT}s")
        values = yaml.safe_dump(dict(self.values))
        await self.helm("install", RELEASE, str(chart), "--values", "-", *wait, *options, stdin=values)

    async def upgrade(self, *options: str, chart: Path = CHART) -> None:
        """Upgrade it as docs/upgrade.md says."""
        wait = ("--reset-then-reuse-values", "--wait", "--timeout", f"{HELM_TIMEOUT}s")
        await self.helm("upgrade", RELEASE, str(chart), *wait, *options)

    async def rollback(self) -> None:
        """Go back to the revision before."""
        await self.helm("rollback", RELEASE, "--wait", "--timeout", f"{HELM_TIMEOUT}s")

    async def uninstall(self) -> None:
        """Uninstall it and wait until its objects are gone."""
        await self.helm("uninstall", RELEASE, "--wait", "--timeout", f"{HELM_TIMEOUT}s")

    async def passwords(self) -> dict[str, str]:
        """Return the passwords that the chart made."""
        names = (f"{RELEASE}-postgresql", f"{RELEASE}-rabbitmq")
        found = [await self.kubectl.json("get", "secret", name) for name in names]
        return {each["metadata"]["name"]: each["data"]["password"] for each in found}

    async def settled(self, *, within: float = 90.0) -> None:
        """Wait until every pod of the workloads is ready and none is ending."""

        async def at_rest() -> bool:
            pods = await self.kubectl.pods(*WORKLOADS)
            return len(pods) == 3 and all(pod.ready and not pod.ending for pod in pods)

        await eventually(at_rest, within=within, what="three ready pods of controllers and bot")

    async def replaced(self, old: Pod, component: str, *, within: float = 60.0) -> None:
        """Wait until as many pods are ready as before, and the old one is none of them."""

        async def new_is_there() -> bool:
            pods = await self.kubectl.pods(component)
            return all(pod.ready for pod in pods) and old.uid not in {pod.uid for pod in pods} and len(pods) > 0

        await eventually(new_is_there, within=within, what=f"another pod than {old.name}")

    async def schedule(
        self,
        name: str,
        *,
        count: int,
        every: float = 0.5,
        together: int = 1,
        first: float | None = None,
        channels: int = CHANNELS,
    ) -> list[Reminder]:
        """Make sessions whose reminders are due `every` so many seconds, beginning as soon as all can be written.

        So many are due `together`, at the same moment.
        """
        assert not any(each.title.startswith(f"{name} ") for each in self.scheduled), "a title stands for one reminder"
        place = await self.discord.place()
        plan = {"name": name, "count": count, "every": every, "together": together}
        plan |= {"first": first or FIRST + count * WRITTEN_IN}
        plan |= {"guild": place.guild, "channels": place.channels[:channels], "player": place.player}
        printed = await self.kubectl.inside(f"deployment/{RELEASE}-bot", "create_games.py", json.dumps(plan))
        made = [Reminder(**each) for each in json.loads(printed)]
        assert time.time() < made[0].due_at, "they were written too late"
        self.scheduled += made
        return made

    async def wait_until_delivered(self, reminder: Reminder) -> None:
        """Wait until a reminder is told: those after it meet what comes next."""
        await eventually(lambda: not compare_reminders([reminder], self.discord.records).lost, within=DELIVERED_WITHIN)

    async def cancel_the_rest(self, reminders: Sequence[Reminder]) -> list[Reminder]:
        """Delete what is not due yet, and return what is: how long it would take was not known before."""
        name = reminders[0].title.rpartition(" ")[0]
        off = set((await self.kubectl.sql(DELETE_FUTURE.format(name=name))).splitlines())
        self.scheduled = [reminder for reminder in self.scheduled if reminder.title not in off]
        return [reminder for reminder in reminders if reminder.title not in off]

    async def final_verdict(self) -> Verdict:
        """Judge once more all that was ever due."""
        due = [reminder for reminder in self.scheduled if reminder.due_at <= time.time()]
        return await self.verdict(due, within=DELIVERED_WITHIN)

    async def verdict(self, reminders: Sequence[Reminder], *, within: float) -> Verdict:
        """Wait until all of them are told, at most `within` seconds after the last is due, and judge."""
        last = max(reminder.due_at for reminder in reminders)

        def all_told() -> bool:
            return not compare_reminders(reminders, self.discord.records).lost

        with suppress(AssertionError):  # the judge says what is missing
            await eventually(all_told, within=max(0.0, last - time.time()) + within)
        return compare_reminders(reminders, self.discord.records)

    @asynccontextmanager
    async def absence(self, component: str) -> AsyncIterator[Absence]:
        """Watch a workload for a block."""
        absence = Absence()
        task = asyncio.create_task(self._watch(component, absence))
        try:
            yield absence
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self, component: str, absence: Absence) -> None:
        there = time.monotonic()
        while True:
            asked = time.monotonic()
            if any(pod.ready and not pod.ending for pod in await self.kubectl.pods(component)):
                there = asked
            absence.longest = max(absence.longest, time.monotonic() - there)
            await asyncio.sleep(LOOK)
