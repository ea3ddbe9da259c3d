"""kubectl as the tests of every layer run it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.waiting import WAIT_TIMEOUT


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace."""

    command: Sequence[str]

    async def __call__(self, *words: str, stdin: str = "") -> str:
        """Run it and return what it printed.

        Raises:
            KubectlError: it failed.
        """
        child = await asyncio.create_subprocess_exec(
            *self.command,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT_TIMEOUT):
            printed, said = await child.communicate(stdin.encode())
        if child.returncode:
            raise KubectlError(said.decode())
        return printed.decode()

    async def apply(self, kind: str, name: str, **spec: object) -> str:
        """Apply a resource of ours."""
        metadata = {"name": name}
        manifest = {"apiVersion": "questbell.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
        return await self("apply", "-f", "-", stdin=json.dumps(manifest))

    async def patch(self, what: str, **spec: object) -> str:
        """Change some of a resource's spec; `what` is like "scheduler/notifications"."""
        return await self("patch", what, "--type=merge", "-p", json.dumps({"spec": spec}))

    async def json(self, *words: str) -> Any:
        """Run it and return what it printed as JSON."""
        return json.loads(await self(*words, "-o", "json"))

    async def columns(self, *words: str) -> list[list[str]]:
        """Run `get` and return its table, the header first; columns are two spaces apart at least."""
        lines = (await self("get", *words)).splitlines()
        starts = _starts(lines[0])
        return [[line[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)] for line in lines]


def _starts(header: str) -> list[int]:
    padded = "  " + header
    return [i for i in range(len(header)) if header[i] != " " and padded[i : i + 2] == "  "]
