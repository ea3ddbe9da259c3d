"""The archive, from a local server."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from sandbox.servers import envtest
from sandbox.servers.network import HOST, free_port

NAMES = ("etcd", "kube-apiserver")


def archive() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as files:
        for name in (*NAMES, "unwanted"):
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(name)
            files.addfile(member, io.BytesIO(name.encode()))
    return content.getvalue()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[bytes]:
    content = archive()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content)

    application = web.Application()
    application.router.add_get("/archive", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    monkeypatch.setattr(envtest, "_URL", f"http://{HOST}:{port}/archive")
    yield content
    await runner.cleanup()


def programs_in(directory: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in directory.iterdir() if file.stat().st_mode & 0o111}


def pin(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = hashlib.sha512(content).hexdigest()
    monkeypatch.setattr(envtest, "_SHA512", dict.fromkeys(envtest._ARCHITECTURES.values(), checksum))


async def test_requested_programs_are_unpacked(served: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin(served, monkeypatch)
    assert await envtest.download(NAMES, tmp_path, report=print)
    assert programs_in(tmp_path) == {name: name for name in NAMES}


async def test_an_archive_with_another_checksum_is_not_unpacked(
    served: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin(served + b"changed", monkeypatch)
    assert not await envtest.download(NAMES, tmp_path, report=print)
    assert programs_in(tmp_path) == {}


async def test_an_archive_that_cannot_be_reached_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envtest, "_URL", f"http://{HOST}:{free_port()}/archive")
    assert not await envtest.download(NAMES, tmp_path, report=print)
