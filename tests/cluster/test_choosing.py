"""Which cluster is used, and how one is created with kind; shell scripts replace `kind` and `kubectl`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster import choosing
from tests.cluster.choosing import LOAD, ClusterRefusedError, ExistingCluster, NewCluster, choose
from tests.cluster.clusters import created_with_kind, under_test
from tests.cluster.programs import ProgramError


def test_a_cluster_is_created_without_a_context() -> None:
    assert choose(None, {}) == NewCluster()


@pytest.mark.parametrize("context", ["prod", "docker-desktop", "my-questbell-1", "kindly", "", "Kind-1"])
def test_other_contexts_are_refused(context: str) -> None:
    with pytest.raises(
        ClusterRefusedError, match=r"kubectl's context is .*: they run only on a context that starts with"
    ):
        choose(context, {LOAD: "load"})


def test_kind_loads_the_images_into_a_kind_cluster() -> None:
    assert choose("kind-mine", {}) == ExistingCluster("kind-mine", ("kind", "load", "docker-image", "--name", "mine"))


def test_a_given_command_loads_the_images_into_another_test_cluster() -> None:
    assert choose("questbell-test", {LOAD: "sudo load --all"}) == ExistingCluster(
        "questbell-test", ("sudo", "load", "--all")
    )
    with pytest.raises(ClusterRefusedError, match=f"set {LOAD}"):
        choose("questbell-test", {})


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, first on PATH, for programs that record how they were called."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path


def add(programs: Path, name: str, script: str) -> None:
    program = programs / name
    program.write_text(f'#!/bin/sh\necho "$@" "($(basename "$KUBECONFIG"))" >>{programs}/calls\n{script}\n')
    program.chmod(0o755)


def calls(programs: Path) -> list[str]:
    return (programs / "calls").read_text().splitlines()


async def test_the_context_is_that_of_kubectl(programs: Path) -> None:
    add(programs, "kubectl", "echo kind-mine")
    assert await choosing.current_context() == "kind-mine"
    add(programs, "kubectl", "echo 'error: current-context is not set' >&2; exit 1")
    assert await choosing.current_context() is None
    add(programs, "kubectl", "echo 'error: no such file' >&2; exit 1")
    with pytest.raises(ProgramError, match="no such file"):
        await choosing.current_context()


async def test_a_refused_context_is_not_touched(programs: Path) -> None:
    add(programs, "kubectl", "echo prod")
    with pytest.raises(ClusterRefusedError):
        async with under_test():
            pass
    assert calls(programs) == ["config current-context ()"]


async def test_nothing_runs_without_a_context_and_kind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterRefusedError, match="kind, to make a cluster, is not on PATH"):
        async with created_with_kind():
            pass


async def test_a_kind_cluster_has_its_own_name_and_kubeconfig_and_is_deleted(programs: Path) -> None:
    add(programs, "kind", "")
    async with created_with_kind() as cluster:
        name = cluster.context.removeprefix("kind-")
        assert cluster.load == ("kind", "load", "docker-image", "--name", name)
        assert name.startswith("questbell-test-")
        assert cluster.kubectl().command[:3] == ("kubectl", "--context", cluster.context)
    assert calls(programs) == [
        f"create cluster --name {name} --wait 120s (kubeconfig)",
        f"delete cluster --name {name} (kubeconfig)",
    ]
    assert "KUBECONFIG" not in os.environ


async def test_a_cluster_that_kind_could_not_create_is_deleted_too(programs: Path) -> None:
    add(programs, "kind", 'test "$1" = delete')
    with pytest.raises(ProgramError, match="create cluster"):
        async with created_with_kind():
            pass
    assert [call.split()[0] for call in calls(programs)] == ["create", "delete"]
