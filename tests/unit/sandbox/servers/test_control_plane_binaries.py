"""Where the control plane is found, and its pinned version."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest

from sandbox.servers import envtest, go_build
from sandbox.servers.control_plane_binaries import ControlPlaneBinaries, obtain_binaries
from shared.errors import ConfigurationError


def fill(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch(mode=0o755)


class World:
    """What can be downloaded, and what was."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache / "questbell" / "control-plane"
        self.archive_answers = True
        self.fetched: list[str] = []

    async def download(self, names: Collection[str], directory: Path, *, report: object) -> bool:
        if self.archive_answers:
            self.fetched.append("archive")
            fill(directory, *names)
        return self.archive_answers

    async def build(self, names: Collection[str], directory: Path, *, report: object) -> None:
        self.fetched.append(f"built {' '.join(names)}")
        fill(directory, *names)

    async def obtain(self) -> ControlPlaneBinaries:
        return await obtain_binaries(report=lambda step: None)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A machine with neither a cache nor kubectl."""
    world = World(tmp_path)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(envtest, "download", world.download)
    monkeypatch.setattr(go_build, "build", world.build)
    return world


async def test_a_given_folder_is_used_first(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert (await world.obtain()).etcd == tmp_path / "assets" / "etcd"
    assert world.fetched == []


async def test_a_given_folder_with_missing_programs_is_refused(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "assets", "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    with pytest.raises(ConfigurationError, match=r"KUBEBUILDER_ASSETS.*kube-apiserver, kubectl is missing"):
        await world.obtain()


async def test_downloaded_programs_are_kept(world: World) -> None:
    binaries = await world.obtain()
    assert binaries.kubectl == world.cache / envtest.VERSION / "kubectl"
    assert await world.obtain() == binaries
    assert world.fetched == ["archive"]


async def test_the_programs_are_built_once_without_the_archive(world: World) -> None:
    world.archive_answers = False
    binaries = await world.obtain()
    assert binaries.etcd == world.cache / go_build.VERSION / "etcd"
    assert await world.obtain() == binaries
    assert world.fetched == ["built etcd kube-apiserver kubectl"]


async def test_kubectl_is_not_built_if_the_machine_has_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.archive_answers = False
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/kubectl")
    assert (await world.obtain()).kubectl == Path("/usr/bin/kubectl")
    assert world.fetched == ["built etcd kube-apiserver"]


async def test_only_missing_programs_are_built(world: World) -> None:
    world.archive_answers = False
    fill(world.cache / go_build.VERSION, "etcd", "kube-apiserver")
    await world.obtain()
    assert world.fetched == ["built kubectl"]


async def test_a_broken_download_leaves_no_files(world: World) -> None:
    world.archive_answers = False
    await world.obtain()
    assert not (world.cache / envtest.VERSION).exists()


def test_the_version_is_the_one_that_the_module_pins() -> None:
    module = (Path(go_build.__file__).parent / "control_plane_module" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {go_build.VERSION} " in module
    staging = set(re.findall(r"k8s\.io/\S+ => \S+ (v\S+)", module))
    assert staging == {"v0" + go_build.VERSION.removeprefix("v1")}
    assert all(f"\t{package}\n" in module for package in go_build.PACKAGES.values())
