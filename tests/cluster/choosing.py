"""Chooses the cluster for the tests before anything is touched.

The tests install, break and delete, so they use a context only if its name says that it is for tests. Asking the user
was rejected: nobody answers in CI, and a habit of typing "yes" protects nobody.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from tests.cluster.programs import ProgramError, run

KIND, OURS = "kind-", "questbell-"
LOAD = "QUESTBELL_CLUSTER_LOAD"
"""A command that copies images, given as its arguments, from Docker to the nodes."""
CONFIG_TIMEOUT = 20.0


class ClusterRefusedError(Exception):
    """The tests must not or cannot run on this cluster."""


@dataclass(frozen=True)
class ExistingCluster:
    """A cluster that exists; `load` copies images to its nodes."""

    context: str
    load: tuple[str, ...]


@dataclass(frozen=True)
class NewCluster:
    """No cluster exists: one is created with kind, and deleted afterwards."""


def choose(context: str | None, environment: Mapping[str, str]) -> ExistingCluster | NewCluster:
    """Choose by the name of kubectl's context, which is None without one.

    Raises:
        ClusterRefusedError: the context is not for tests, or there is no way to copy images to it.
    """
    if context is None:
        return NewCluster()
    if not context.startswith((KIND, OURS)):
        raise ClusterRefusedError(
            f"kubectl's context is {context!r}. The cluster tests install and break things: they run only on a context "
            f"that starts with {OURS!r} or {KIND!r}, and create a kind cluster if there is no context"
        )
    if command := environment.get(LOAD):
        return ExistingCluster(context, tuple(shlex.split(command)))
    if context.startswith(KIND):
        return ExistingCluster(context, kind_load(context.removeprefix(KIND)))
    raise ClusterRefusedError(f"set {LOAD} to a command that copies images from Docker to the nodes of {context}")


def kind_load(cluster: str) -> tuple[str, ...]:
    """Return the command that loads images into a kind cluster."""
    return ("kind", "load", "docker-image", "--name", cluster)


async def current_context() -> str | None:
    """Return the name of kubectl's context, None when it has none."""
    try:
        return (await run("kubectl", "config", "current-context", within=CONFIG_TIMEOUT)).strip()
    except ProgramError as error:
        if "current-context is not set" in str(error):
            return None
        raise
