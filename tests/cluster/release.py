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
"""Seconds for which Helm waits."""
CHECK_INTERVAL = 0.3
FIRST, CREATED_IN = 3.0, 0.03
"""Seconds until the first reminder is due, and for each game that is created before."""
DELIVERED_WITHIN = 30.0
DELETE_FUTURE = (
    "DELETE FROM notification_schedule USING game "
    "WHERE game.id = game_id AND title LIKE '{name} ____' AND due_at > clock_timestamp() RETURNING title"
)
LEASE = 8.0
"""The default of QUESTBELL_TIMING_LEASE."""
WORKLOADS = ("controllers", "bot")
CONTROLLERS = 2
"""The chart's default number of pods."""
ACCOUNTS = ("postgresql", "postgresql-owner", "rabbitmq", "rabbitmq-bot")
RESOURCES = "schedulers,deadletterreconcilers"
"""Not their category `questbell`: kubectl caches a cluster's categories for minutes, and these are new."""

Values = Mapping[str, Any]


@dataclass
class Absence:
    """The longest time without a ready pod of a workload."""

    longest: float = 0.0


@dataclass
class Release:
    """A release, and the sandbox Discord that records what it sends."""

    kubectl: Kubectl
    context: str
    discord: Discord
    values: Values
    scheduled: list[Reminder] = field(default_factory=list)
    """Every reminder that was scheduled; all of them are compared once more at the end."""

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
        """Roll back to the previous revision."""
        await self.helm("rollback", RELEASE, "--wait", "--timeout", f"{HELM_TIMEOUT}s")

    async def uninstall(self) -> None:
        """Uninstall it and wait until its objects are gone."""
        await self.helm("uninstall", RELEASE, "--wait", "--timeout", f"{HELM_TIMEOUT}s")

    async def passwords(self) -> dict[str, str]:
        """Return the passwords that the chart generated."""
        names = [f"{RELEASE}-{account}" for account in ACCOUNTS]
        secrets = [await self.kubectl.json("get", "secret", name) for name in names]
        return {secret["metadata"]["name"]: secret["data"]["password"] for secret in secrets}

    async def settled(self, *, bots: int = 1, within: float = 90.0) -> None:
        """Wait until every pod of the workloads is ready and none is terminating."""

        async def at_rest() -> bool:
            pods = await self.kubectl.pods(*WORKLOADS)
            return len(pods) == CONTROLLERS + bots and all(pod.ready and not pod.ending for pod in pods)

        await eventually(at_rest, within=within, what=f"{CONTROLLERS + bots} ready pods of controllers and bot")

    async def restarted(self, pod: Pod, *, within: float = 60.0) -> None:
        """Wait until a pod whose process died is ready again."""

        async def is_back() -> bool:
            [current] = [found for found in await self.kubectl.pods() if found.uid == pod.uid]
            return current.restarts == pod.restarts + 1 and current.ready

        await eventually(is_back, within=within, what=f"{pod.name} to be restarted")

    async def replaced(self, old: Pod, component: str, *, within: float = 60.0) -> None:
        """Wait until all pods of a workload are ready, and the old one is gone."""

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
        """Create games with a reminder due `every` few seconds, from the earliest possible time on.

        `together` is how many are due at the same moment.
        """
        assert not any(reminder.title.startswith(f"{name} ") for reminder in self.scheduled), "use each name once"
        guild = await self.discord.guild()
        plan = {"name": name, "count": count, "every": every, "together": together}
        plan |= {"first": first or FIRST + count * CREATED_IN}
        plan |= {"guild": guild.guild, "channels": guild.channels[:channels], "player": guild.player}
        printed = await self.kubectl.inside(f"deployment/{RELEASE}-bot", "create_games.py", json.dumps(plan))
        reminders = [Reminder(**reminder) for reminder in json.loads(printed)]
        assert time.time() < reminders[0].due_at, "the games were created too late"
        self.scheduled += reminders
        return reminders

    async def wait_until_delivered(self, reminder: Reminder) -> None:
        """Wait until a reminder is delivered; those after it are hit by what the test does next."""
        await eventually(lambda: not compare_reminders([reminder], self.discord.records).lost, within=DELIVERED_WITHIN)

    async def cancel_the_rest(self, reminders: Sequence[Reminder]) -> list[Reminder]:
        """Delete the reminders that are not due yet, and return the others."""
        name = reminders[0].title.rpartition(" ")[0]
        deleted = set((await self.kubectl.sql(DELETE_FUTURE.format(name=name))).splitlines())
        self.scheduled = [reminder for reminder in self.scheduled if reminder.title not in deleted]
        return [reminder for reminder in reminders if reminder.title not in deleted]

    async def final_verdict(self) -> Verdict:
        """Compare everything once more that was ever due."""
        due = [reminder for reminder in self.scheduled if reminder.due_at <= time.time()]
        return await self.verdict(due, within=DELIVERED_WITHIN)

    async def verdict(self, reminders: Sequence[Reminder], *, within: float) -> Verdict:
        """Wait until all are delivered, at most `within` seconds after the last is due, and compare."""
        last = max(reminder.due_at for reminder in reminders)

        def are_delivered() -> bool:
            return not compare_reminders(reminders, self.discord.records).lost

        with suppress(AssertionError):  # the oracle reports what is missing
            await eventually(are_delivered, within=max(0.0, last - time.time()) + within)
        return compare_reminders(reminders, self.discord.records)

    @asynccontextmanager
    async def absence(self, component: str) -> AsyncIterator[Absence]:
        """Measure the absence of a workload during a block."""
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
            await asyncio.sleep(CHECK_INTERVAL)
