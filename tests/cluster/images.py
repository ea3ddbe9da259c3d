"""The images under test: that of the work tree, and one of the next release.

A tag names the content, so that a node never runs an older build under the same name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from tests.cluster.kubectl import Kubectl
from tests.cluster.programs import ProgramError, run
from tests.support.helm import CHART

REPOSITORY = "questbell"
BUILD_TIMEOUT, LOAD_TIMEOUT = 400.0, 180.0
GIVEN = "QUESTBELL_CLUSTER_IMAGE"
"""An image in Docker to test instead of a new one."""
SERVERS = {"postgresql": {"image": {"tag": "17"}}, "rabbitmq": {"image": {"tag": "4-management"}}}
"""Values for the servers' images of the integration tests, which a machine without a registry may have."""
PASSED_ON = ("PIP_INDEX_URL",)
"""Variables that are build arguments of the same name; Docker ignores those that are not set."""


async def built() -> str:
    """Return the image of the work tree, built if none is given."""
    if given := os.environ.get(GIVEN):
        return given
    arguments = [word for name in PASSED_ON for word in ("--build-arg", name)]
    return await _build(CHART.parents[1], "test", *arguments)


async def next_release(image: str) -> str:
    """Return an image of the release after a given one."""
    return await _build(Path(__file__).parent / "next_release", "test-next", "--build-arg", f"BASE={image}")


async def bring(images: Iterable[str], kubectl: Kubectl, load: tuple[str, ...]) -> None:
    """Copy missing images to the nodes; pull those that Docker does not have."""
    there = await _on_every_node(kubectl)
    for image in images:
        if _full_name(image) not in there:
            await _pull_if_missing(image)
            await run(*load, image, within=LOAD_TIMEOUT)


def of_servers() -> list[str]:
    """Return the images of the chart's bundled servers."""
    values: Mapping[str, dict[str, dict[str, str]]] = yaml.safe_load((CHART / "values.yaml").read_text())
    return [f"{values[name]['image']['repository']}:{server['image']['tag']}" for name, server in SERVERS.items()]


async def _build(directory: Path, tag: str, *arguments: str) -> str:
    moving = f"{REPOSITORY}:{tag}"  # keeps the layers when the other tags are removed
    printed = await run("docker", "build", "--quiet", "--tag", moving, *arguments, str(directory), within=BUILD_TIMEOUT)
    built_id = printed.strip().removeprefix("sha256:")
    named = f"{moving}-{built_id[:12]}"
    await run("docker", "tag", moving, named, within=20)
    return named


async def _on_every_node(kubectl: Kubectl) -> set[str]:
    nodes = json.loads(await kubectl("get", "nodes", "--output", "json"))["items"]
    names = [{name for image in node["status"]["images"] for name in image["names"] or ()} for node in nodes]
    return set.intersection(*names)


def _full_name(image: str) -> str:
    return image if "/" in image else f"docker.io/library/{image}"


async def _pull_if_missing(image: str) -> None:
    try:
        await run("docker", "image", "inspect", image, within=20)
    except ProgramError:
        await run("docker", "pull", "--quiet", image, within=LOAD_TIMEOUT)
