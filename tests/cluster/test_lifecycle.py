"""The life of a release: upgrade, rollback, new credentials, restore, uninstallation, reinstallation.

An upgrade and a rollback take most of a minute, so each happens once, while a reminder is due every second, and several
tests look at the result.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from sandbox.oracle.verdict import Verdict
from tests.cluster.clusters import Cluster
from tests.cluster.conftest import NEXT_COLUMN, RECORDER, Trial
from tests.cluster.discord import DEFAULT_CHANNELS
from tests.cluster.kubectl import INSIDE
from tests.cluster.programs import run
from tests.cluster.release import LEASE, RESOURCES, WORKLOADS, Release
from tests.support.helm import CHART, RELEASE
from tests.support.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

DELIVERED_WITHIN = 30.0
SHARDS = 3
CONNECTED_WITHIN = 60.0
"""Seconds until all shards are connected: Discord allows one IDENTIFY in five seconds."""
RECOVERS_WITHIN = 60.0
"""Seconds after a credential was rejected: retries have growing delays."""
GONE_WITHIN = 60.0
UPGRADE = CHART.parents[1] / "docs" / "upgrade.md"
SINCE = "2030-05-01T18:00:00Z"
"""The time of the backup in the page's example."""
DUE = 150
"""Reminders that are due while Helm works, a second apart; later ones are deleted."""

SUPERUSERS = "SELECT rolname FROM pg_roles WHERE rolsuper"
OWNERS = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"

Measured = Callable[[str], None]


@dataclass(frozen=True)
class State:
    """What must change with a release, and what must not."""

    images: frozenset[str]
    schema: str
    passwords: dict[str, str]
    resources: dict[str, Any]
    columns: list[str]

    @classmethod
    async def of(cls, release: Release) -> Self:
        """Read the state of a release."""
        listed = await release.kubectl.json("get", RESOURCES)
        header, *_ = await release.kubectl.columns("schedulers")
        pods = await release.kubectl.pods(*WORKLOADS)
        return cls(
            images=frozenset(container["image"] for pod in pods for container in pod.body["spec"]["containers"]),
            schema=await release.kubectl.sql("SELECT version_num FROM alembic_version"),
            passwords=await release.passwords(),
            resources={item["metadata"]["uid"]: item["spec"] for item in listed["items"]},
            columns=header,
        )


@dataclass(frozen=True)
class Change:
    """The result of an upgrade or a rollback while reminders were due."""

    before: State
    after: State
    verdict: Verdict
    bot_was_away: float


async def _change(release: Release, name: str, work: Callable[[], Awaitable[None]], measured: Measured) -> Change:
    before = await State.of(release)
    reminders = await release.schedule(name, count=DUE, every=1.0)
    await release.wait_until_delivered(reminders[4])
    async with release.absence("bot") as absence:
        await work()
        await release.settled()
        verdict = await release.verdict(await release.cancel_the_rest(reminders), within=DELIVERED_WITHIN)
    measured(f"{name}, the bot away for {absence.longest:.1f} s: {verdict}")
    return Change(before, await State.of(release), verdict, absence.longest)


@pytest.fixture(scope="module")
async def upgraded(release: Release, next_image: str, next_chart: Path, measured: Measured) -> Change:
    """Upgrade to the next release; a resource that a user created exists before."""
    await release.kubectl.apply("Scheduler", "mine", source="Notifications", suspend=True, batchSize=7)
    await release.kubectl.patch("scheduler/notifications", batchSize=50)
    tag = next_image.rpartition(":")[2]
    return await _change(
        release, "upgraded", lambda: release.upgrade("--set", f"image.tag={tag}", chart=next_chart), measured
    )


@pytest.fixture(scope="module")
async def rolled_back(release: Release, upgraded: Change, measured: Measured) -> Change:
    return await _change(release, "rolled back", release.rollback, measured)


async def test_uninstalling_while_the_controllers_are_down_leaves_nothing_stuck(trial: Trial) -> None:
    await trial.kubectl("scale", f"deployment/{RELEASE}-controllers", "--replicas=0")
    await _uninstall_beside_resources(trial)
    await trial.kubectl("delete", RESOURCES, "--all", within=20)
    await trial.discord.leave()
    await trial.kubectl("delete", "namespace", trial.kubectl.namespace, within=GONE_WITHIN)


async def test_an_upgrade_with_a_migration_delivers_everything_once_in_time(upgraded: Change, next_image: str) -> None:
    assert upgraded.after.images == {next_image}
    assert int(upgraded.after.schema) == int(upgraded.before.schema) + 1
    assert upgraded.verdict.exactly_once, upgraded.verdict
    assert upgraded.verdict.max_latency <= upgraded.bot_was_away + LEASE


def test_an_upgrade_keeps_passwords_and_resources(upgraded: Change) -> None:
    assert upgraded.after.passwords == upgraded.before.passwords
    assert upgraded.after.resources == upgraded.before.resources
    assert len(upgraded.before.resources) == 4


async def test_an_upgrade_brings_new_definitions(upgraded: Change, cluster: Cluster) -> None:
    if not await cluster.may_own_definitions():
        pytest.skip("the definitions belong to a release that is not of these tests")
    column = str(NEXT_COLUMN["name"]).upper()
    assert (column in upgraded.before.columns, column in upgraded.after.columns) == (False, True)


async def test_the_previous_release_works_on_the_newer_schema_after_a_rollback(
    rolled_back: Change, release: Release, image: str
) -> None:
    assert rolled_back.after.images == {image}
    assert rolled_back.after.schema == rolled_back.before.schema
    assert rolled_back.after.passwords == rolled_back.before.passwords
    assert rolled_back.after.resources == rolled_back.before.resources
    assert rolled_back.verdict.exactly_once, rolled_back.verdict
    assert rolled_back.verdict.max_latency <= rolled_back.bot_was_away + LEASE
    reminders = await release.schedule("on the newer schema", count=4)
    assert (await release.verdict(reminders, within=DELIVERED_WITHIN)).exactly_once


async def test_a_new_token_loses_no_reminder(release: Release, measured: Measured) -> None:
    await release.settled()
    reminders = await release.schedule("with a new token", count=40, every=1.0, channels=DEFAULT_CHANNELS)
    await release.wait_until_delivered(reminders[4])
    await _change_token(release)
    verdict = await release.verdict(reminders, within=RECOVERS_WITHIN)
    measured(f"a new token, Discord restarted for it: {verdict}")
    assert verdict.exactly_once, verdict


async def test_several_processes_of_the_bot_share_its_shards_and_one_dies(release: Release, measured: Measured) -> None:
    """One process becomes three, as docs/configure.md says, one of them is killed, and one process is left."""
    await release.settled()
    reminders = await release.schedule("with several bots", count=DUE, every=1.0)
    await release.wait_until_delivered(reminders[4])
    await release.upgrade("--set", f"bot.shards={SHARDS}", "--set", f"bot.processes={SHARDS}")
    await release.settled(bots=SHARDS)
    await eventually(lambda: _are_connected(release, SHARDS), within=CONNECTED_WITHIN, what="all shards")
    _, killed, _ = await release.kubectl.pods("bot")
    await release.kubectl.inside(killed.name, "send_signal.py", "SIGKILL", "bot")
    await release.restarted(killed)
    await eventually(lambda: _are_connected(release, SHARDS), within=CONNECTED_WITHIN, what="all shards again")
    await release.upgrade("--set", "bot.shards=1", "--set", "bot.processes=1")
    await release.settled()
    verdict = await release.verdict(await release.cancel_the_rest(reminders), within=DELIVERED_WITHIN)
    measured(f"{SHARDS} processes of the bot for a while, of which one was killed: {verdict}")
    assert verdict.exactly_once, verdict


async def _are_connected(release: Release, count: int) -> bool:
    async with release.discord.client() as client:
        shards = (await client.state())["gateway"]["shards"]
    return sorted(shards) == [[number, count] for number in range(count)]


async def test_new_passwords_and_accounts_lose_no_reminder(release: Release, measured: Measured) -> None:
    """As docs/configure.md says: the next upgrade generates new passwords if their Secrets are deleted.

    The volume has the accounts of an older release, as after the upgrade of one.
    """
    await release.settled()
    before = await release.passwords()
    reminders = await release.schedule("with new passwords", count=DUE, every=1.0)
    await release.wait_until_delivered(reminders[4])
    aged = (INSIDE / "age_accounts.sql").read_text()
    await release.kubectl.psql("--username", "postgres", "--file", "-", stdin=aged)
    assert await release.kubectl.sql(SUPERUSERS) == "questbell"
    await release.kubectl("delete", "secret", *before)
    await release.upgrade()
    await release.settled()
    verdict = await release.verdict(await release.cancel_the_rest(reminders), within=RECOVERS_WITHIN)
    measured(f"new passwords of both servers: {verdict}")
    assert verdict.exactly_once, verdict
    after = await release.passwords()
    assert not [name for name in before if before[name] == after[name]]
    assert await release.kubectl.sql(SUPERUSERS) == "postgres"
    assert await release.kubectl.sql(OWNERS) == "questbell_owner"


async def test_a_restored_backup_repeats_no_reminder(release: Release, tmp_path: Path, measured: Measured) -> None:
    """With the commands of docs/upgrade.md."""
    await release.settled()
    reminders = await release.schedule("over a restored backup", count=8, every=4.0)
    backup, since = tmp_path / "questbell.dump", datetime.now(UTC)
    kubectl = shlex.join(release.kubectl.command)
    dump = f"{kubectl} exec questbell-postgresql-0 -- pg_dump -U postgres -Fc questbell > {backup}"
    await run("bash", "-c", dump, within=60)
    await release.wait_until_delivered(reminders[2])
    began = time.time()
    commands = _restoring().replace("kubectl -n questbell", kubectl).replace("questbell.dump", str(backup))
    await run("bash", "-euo", "pipefail", "-c", commands.replace(SINCE, since.isoformat()), within=120)
    await release.settled()
    verdict = await release.verdict(reminders, within=DELIVERED_WITHIN)
    measured(f"restored from a backup in {time.time() - began:.1f} s: {verdict}")
    assert verdict.exactly_once, verdict


def _restoring() -> str:
    """Return the commands of the section about a restored backup."""
    section = UPGRADE.read_text(encoding="utf-8").partition("## Restore a backup")[2]
    return section.partition("```sh\n")[2].partition("```")[0]


async def test_a_reinstallation_continues_where_the_release_ended(
    release: Release, cluster: Cluster, measured: Measured
) -> None:
    await release.settled()
    before = await State.of(release)
    reminders = await release.schedule("over a reinstallation", count=6, every=10.0)
    await release.wait_until_delivered(reminders[0])
    began = time.time()
    await _uninstall_beside_resources(release)
    await release.install(*await cluster.options_for_definitions(release.kubectl.namespace))
    ended = time.time()
    verdict = await release.verdict(reminders, within=DELIVERED_WITHIN)
    measured(f"uninstalled and installed again in {ended - began:.1f} s: {verdict}")
    assert verdict.exactly_once, verdict
    assert [reminder for reminder in reminders if began < reminder.due_at < ended], "some were due in between"
    assert reminders[-1].due_at > ended, "one was due after"
    assert await State.of(release) == before


async def test_every_reminder_of_this_file_was_delivered_exactly_once(release: Release) -> None:
    verdict = await release.final_verdict()
    assert verdict.exactly_once, verdict


async def _uninstall_beside_resources(release: Release) -> None:
    """Uninstall; check that the resources exist before and after, and that no pod does."""
    resources = await release.kubectl("get", RESOURCES, "--output", "name")
    assert resources.split()
    await release.uninstall()

    async def no_pod_is_left() -> bool:
        selector = ("--selector", f"app.kubernetes.io/instance={RELEASE}", "--field-selector", "status.phase=Running")
        return not await release.kubectl("get", "pods", "--output", "name", *selector)

    await eventually(no_pod_is_left, within=GONE_WITHIN, what="the pods to be gone")
    assert await release.kubectl("get", RESOURCES, "--output", "name") == resources


async def _change_token(release: Release) -> None:
    """Let Discord reject the old token, then do what docs/configure.md says."""
    token = {"stringData": {"DISCORD_TOKEN": secrets.token_urlsafe(32)}}
    await release.kubectl("patch", "secret", f"{RECORDER}-discord", "--patch", json.dumps(token))
    for deployment in (f"deployment/{RECORDER}-discord", f"deployment/{RELEASE}-bot"):
        await release.kubectl("rollout", "restart", deployment)
        await release.kubectl("rollout", "status", deployment, within=60)
