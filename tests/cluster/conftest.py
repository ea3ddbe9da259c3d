"""The chart on a real cluster. These tests need a cluster and minutes, so they run only with `make test-cluster`.

All of them share two installations. `trial` is what a user gets who tries Questbell, with the sandbox of the chart.
`release` uses a separate sandbox, as it would use the real Discord, so the evidence stays when the release is upgraded
or removed. It has network policies from the beginning, if the cluster enforces them. The files run in the order of a
release's life.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import clusters, diagnostics, images
from tests.cluster.choosing import ClusterRefusedError
from tests.cluster.clusters import Cluster
from tests.cluster.discord import following
from tests.cluster.programs import run
from tests.cluster.release import Release
from tests.support.helm import CHART, RELEASE, SANDBOX

ORDER = ("test_installation", "test_permissions", "test_network_policies", "test_availability", "test_lifecycle")
RECORDER = "recorder"
NEXT_COLUMN = {"name": "Batch", "type": "integer", "jsonPath": ".spec.batchSize"}
CLUSTER, FIGURES = pytest.StashKey[Cluster](), pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cluster", action="store_true", help="run the tests that need a Kubernetes cluster")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cluster: needs a Kubernetes cluster; runs with --cluster only")
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unwanted = [item for item in items if item.get_closest_marker("cluster") and not _asked(config)]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = sorted((item for item in items if item not in unwanted), key=_place_in_life)


def _asked(config: pytest.Config) -> bool:
    return bool(config.getoption("--cluster", default=False))


def _place_in_life(item: pytest.Item) -> int:
    return ORDER.index(item.path.stem) if item.get_closest_marker("cluster") else -1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = item.config.stash.get(CLUSTER, None)
    if report.failed and cluster is not None:
        directory = item.config.cache.mkdir("cluster") / f"{cluster.run_id}-{item.name}-{report.when}"
        diagnostics.save(cluster, directory)
        report.sections.append(("diagnostics", f"saved in {directory}"))
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if figures := config.stash[FIGURES]:
        terminalreporter.section("measured")
        for line in figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a figure, which is printed at the end of the run."""
    return request.config.stash[FIGURES].append


@pytest.fixture(scope="session")
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    try:
        async with clusters.under_test() as cluster:
            request.config.stash[CLUSTER] = cluster
            yield cluster
    except ClusterRefusedError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
async def image(cluster: Cluster) -> str:
    """The image of the work tree, on the nodes, with those of the servers."""
    image = await images.built()
    await images.bring([image, *images.of_servers()], cluster.kubectl(), cluster.load)
    return image


@pytest.fixture(scope="session")
async def next_image(cluster: Cluster, image: str) -> str:
    """An image of the release after, on the nodes."""
    following_image = await images.next_release(image)
    await images.bring([following_image], cluster.kubectl(), cluster.load)
    return following_image


@dataclass
class Trial(Release):
    """What somebody gets who tries Questbell."""

    began: float = 0.0
    """When it began to be installed, in Unix seconds."""


@pytest.fixture(scope="session")
async def trial(cluster: Cluster, image: str) -> AsyncIterator[Trial]:
    kubectl = await cluster.add_namespace("trial")
    values = {**SANDBOX, **images.SERVERS, "image": _image(image)}
    async with following(kubectl, f"{RELEASE}-discord") as discord:
        trial = Trial(kubectl, cluster.context, discord, values, began=time.time())
        await trial.install(*await cluster.options_for_definitions(kubectl.namespace))
        yield trial


@pytest.fixture(scope="session")
async def release(cluster: Cluster, image: str) -> AsyncIterator[Release]:
    kubectl = await cluster.add_namespace("release")
    await kubectl("apply", "--filename", "-", stdin=await _recorder_manifest(image, kubectl.namespace))
    values = {
        **images.SERVERS,
        "image": _image(image),
        "discord": {"apiUrl": f"http://{RECORDER}-discord:8090", "existingSecret": {"name": f"{RECORDER}-discord"}},
        "networkPolicy": {"enabled": True, "discordPorts": [8090]},
    }
    async with following(kubectl, f"{RECORDER}-discord") as discord:
        release = Release(kubectl, cluster.context, discord, values)
        await release.install(*await cluster.options_for_definitions(kubectl.namespace))
        yield release


async def _recorder_manifest(image: str, namespace: str) -> str:
    """Return the sandbox Discord of the chart by itself."""
    parts = [f"templates/discord/{name}.yaml" for name in ("deployment", "service", "secret")]
    repository, _, tag = image.rpartition(":")
    values = {
        "fullnameOverride": RECORDER,
        "discord.sandbox.enabled": "true",
        "discord.sandbox.seedDemo": "false",
        "image.repository": repository,
        "image.tag": tag,
    }
    words = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    words += [word for part in parts for word in ("--show-only", part)]
    return await run("helm", "template", RECORDER, str(CHART), "--namespace", namespace, *words, within=30)


def _image(image: str) -> dict[str, str]:
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


@pytest.fixture(scope="session")
def next_chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart of the release after, whose definition of a Scheduler has one more column."""
    copy = tmp_path_factory.mktemp("next") / CHART.name
    shutil.copytree(CHART, copy)
    about = yaml.safe_load((copy / "Chart.yaml").read_text())
    (copy / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": f"{about['version']}-next"}))
    path = copy / "definitions" / "schedulers.yaml"
    definition = yaml.safe_load(path.read_text())
    definition["spec"]["versions"][0]["additionalPrinterColumns"].append(NEXT_COLUMN)
    path.write_text(yaml.safe_dump(definition))
    return copy
