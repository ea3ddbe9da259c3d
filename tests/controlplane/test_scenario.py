"""The main job, end to end, as `make demo ARGS='--once --json'` runs it: every server, both workloads as processes."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest


@pytest.mark.timeout(240)
async def test_the_main_job_tells_everything_once_and_in_time() -> None:
    sandbox = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "questbell",
        "sandbox",
        "--once",
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, story = await sandbox.communicate()
    assert sandbox.returncode == 0, story.decode()
    verdict = json.loads(output)
    assert (verdict["sessions"], verdict["reminders_due"], verdict["transitions_applied"]) == (2, 3, 4)
    assert (verdict["delivered"], verdict["missing"], verdict["duplicated"], verdict["problems"]) == (3, 0, 0, [])
    assert verdict["latency_ms"]["max"] < 10_000
