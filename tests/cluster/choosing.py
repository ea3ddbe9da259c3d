"""Which cluster the tests may use, decided before anything is touched.

They install, break and delete, so a context is used only when its name says that it is for tests. Asking the user was
rejected: in CI nobody answers, and a habit of typing "yes" protects nobody.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from tests.cluster.programs import ProgramError, run

KIND, OURS = "kind-", "questbell-"
LOAD = "QUESTBELL_CLUSTER_LOAD"
"""A command that copies the images which follow it from Docker to the nodes."""
CONFIG_TIMEOUT = 20.0


class RefusedError(Exception):
    """The tests must not run on this cluster, or cannot."""


@dataclass(frozen=True)
class Given:
    """A cluster that is there; `load` copies images to its nodes."""

    context: str
    load: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """No cluster is there: one is made with kind, and deleted."""


def choose(context: str | None, environment: Mapping[str, str]) -> Given | Made:
    """Choose by the name of kubectl's context, None when it has none.

    Raises:
        RefusedError: the context is not one for tests, or no way is known to bring images to it.
    """
    if context is None:
        return Made()
    if not context.startswith((KIND, OURS)):
        raise RefusedError(
            f"kubectl's context is {context!r}. The cluster tests install and break things: they run only on a context "
            f"that starts with {OURS!r} or {KIND!r}, and make a kind cluster when there is no context"
        )
    if command := environment.get(LOAD):
        return Given(context, tuple(shlex.split(command)))
    if context.startswith(KIND):
        return Given(context, kind_load(context.removeprefix(KIND)))
    raise RefusedError(f"set {LOAD} to a command that copies images from Docker to the nodes of {context}")


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
