"""Fetches or builds everything that the servers need ahead of time: for images, CI caches, and a fast first run."""

from __future__ import annotations

import asyncio
import os

from sandbox.servers import tools
from sandbox.servers.control_plane import SETTING as KUBECONFIG_SETTING
from sandbox.servers.control_plane_binaries import obtain_binaries, obtain_kubectl
from sandbox.servers.lifecycle import Report
from sandbox.servers.postgres import WANTED as POSTGRES
from sandbox.servers.rabbitmq import WANTED as RABBITMQ
from sandbox.servers.source import obtain
from shared.errors import QuestbellError


async def install_all(*, report: Report) -> None:
    """Fetch or build what is missing, the Go programs beside the packages; nothing is started.

    Servers that a setting names are not installed.

    Raises:
        ConfigurationError: something is not available, or a setting is wrong.
        ServerFailedError: a build failed.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_go_programs(report))
            tasks.create_task(_packages(report))
    except ExceptionGroup as group:
        ours, others = group.split(QuestbellError)
        if ours is None or others is not None:
            raise
        raise ours.exceptions[0] from None


async def _go_programs(report: Report) -> None:
    if os.environ.get(KUBECONFIG_SETTING):
        await obtain_kubectl(report=report)
    else:
        await obtain_binaries(report=report)
    await tools.obtain(report=report)  # after the control plane: two Go builds at once need twice the memory


async def _packages(report: Report) -> None:
    for wanted in (POSTGRES, RABBITMQ):
        if not os.environ.get(wanted.setting):
            await obtain(wanted, report=report)
    await tools.obtain_browser(report=report)
