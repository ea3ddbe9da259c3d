"""Downloads the Kubernetes project's archive of control-plane binaries for tests, pinned by checksum.

The checksums are those of envtest-releases.yaml in kubernetes-sigs/controller-tools, the index of these archives. A
machine that cannot reach the archive notices within seconds, and the binaries are built instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import platform
import shutil
import tarfile
from collections.abc import Collection
from pathlib import Path

import aiohttp

from sandbox.servers.lifecycle import Report

VERSION = "v1.36.2"

_SHA512 = {
    "amd64": (
        "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
        "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08"
    ),
    "arm64": (
        "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
        "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac"
    ),
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_URL = (
    "https://github.com/kubernetes-sigs/controller-tools/releases/download/"
    "envtest-{version}/envtest-{version}-linux-{architecture}.tar.gz"
)
_TIMEOUT = aiohttp.ClientTimeout(total=600, sock_connect=4, sock_read=8)


async def download(names: Collection[str], directory: Path, *, report: Report) -> bool:
    """Put programs into `directory`; return False if the archive is out of reach or has another checksum."""
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    report(f"downloading the Kubernetes control plane {VERSION} (about 50 MB)")
    try:
        archive = await _get(_URL.format(version=VERSION, architecture=architecture))
    except (aiohttp.ClientError, TimeoutError) as error:
        report(f"the archive is out of reach ({type(error).__name__})")
        return False
    if hashlib.sha512(archive).hexdigest() != _SHA512[architecture]:
        report("the archive's checksum is wrong; not using it")
        return False
    await asyncio.to_thread(_extract, archive, names, directory)
    return True


async def _get(url: str) -> bytes:
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True, raise_for_status=True) as session,
        session.get(url) as response,
    ):
        return await response.read()


def _extract(archive: bytes, names: Collection[str], directory: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            content = files.extractfile(member)
            name = Path(member.name).name
            if content is not None and name in names:
                with (directory / name).open("wb") as target:
                    shutil.copyfileobj(content, target)
                (directory / name).chmod(0o755)
