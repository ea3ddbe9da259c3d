"""`make demo`: a whole Questbell on this machine, for a person who looks, and `--once`, for a machine that checks."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from sandbox.demo.environment import Stage, stage
from sandbox.demo.progress import Story
from sandbox.demo.verdict import Verdict, judge
from sandbox.discord import demo_script
from sandbox.discord.server import SandboxDiscord
from sandbox.servers.process import last_lines
from shared import logs, process
from shared.settings import LogSettings

ENDS_WITHIN = 90.0
"""Seconds within which the sessions of the play must be over."""


@click.command()
@click.option("--once", is_flag=True, help="Run the demo, check what Discord received and exit; non-zero if wrong.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the verdict as one JSON object.")
def main(*, once: bool, as_json: bool) -> None:
    """Run a whole Questbell on this machine, with a sandbox Discord to try it on."""
    logs.configure(LogSettings(format="console", level="warning"), workload="sandbox", stream=sys.stderr)
    story = Story()
    verdict: list[Verdict] = []

    async def work() -> None:
        if once:
            verdict.append(await _check(story))
        else:
            await _demo(story)

    process.run(process.run_until_signalled(work))
    if once:
        _conclude(verdict, as_json=as_json)


def _conclude(verdicts: list[Verdict], *, as_json: bool) -> None:
    if not verdicts:
        sys.exit(130)
    [verdict] = verdicts
    if as_json:
        sys.stdout.write(json.dumps(verdict.as_json()) + "\n")
    else:
        sys.stdout.write("".join(f"{name}: {value}\n" for name, value in verdict.as_json().items()))
    sys.exit(0 if verdict.passed else 1)


async def _check(story: Story) -> Verdict:
    async with stage(report=story.step) as set_up, asyncio.TaskGroup() as tasks:
        following = tasks.create_task(story.follow(set_up.discord))
        await _play(set_up, story)
        await _until_over(set_up)
        following.cancel()
        return await judge(set_up.discord, set_up.sessions)


async def _demo(story: Story) -> None:
    async with stage(report=story.step) as set_up, asyncio.TaskGroup() as tasks:
        tasks.create_task(story.follow(set_up.discord))
        await _play(set_up, story)
        _invite(story, set_up)
        await _until_one_dies(set_up)


async def _play(set_up: Stage, story: Story) -> None:
    discord: SandboxDiscord = set_up.discord
    posts = [await demo_script.make(discord, session) for session in demo_script.SESSIONS]
    story.step(f"{len(posts)} sessions are posted")
    for session, post in zip(demo_script.SESSIONS, posts, strict=True):
        await demo_script.join(discord, post, session.players)
    story.step("the players have joined")


async def _until_over(set_up: Stage) -> None:
    """Wait until every announcement shows the end, or the time is up: then the verdict says what is missing."""

    def over() -> bool:
        shown = [message for message in set_up.discord.messages(demo_script.CHANNEL) if message.embeds]
        return all("**Completed**" in str(message.embeds[0].get("description")) for message in shown)

    try:
        await set_up.discord.wait_for(over, timeout=ENDS_WITHIN)
    except TimeoutError:
        return


async def _until_one_dies(set_up: Stage) -> None:
    """Wait for as long as both workloads run.

    Raises:
        PlayError: one has ended; with its last lines.
    """
    waits = {asyncio.ensure_future(each.ended()): each for each in (set_up.controllers, set_up.bot)}
    try:
        ended, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    workload = waits[ended.pop()]
    raise demo_script.PlayError(f"{workload.name} ended by itself. Its last lines:\n{last_lines(workload.log)}")


def _invite(story: Story, set_up: Stage) -> None:
    kubectl = f"KUBECONFIG={set_up.control_plane.kubeconfig} {set_up.control_plane.kubectl}"
    story.say("")
    story.say(f"  The channel:   [bold]{set_up.discord.url}[/]   (run commands and press the buttons there)")
    story.say(f"  The operator:  [bold]{kubectl} get schedulers[/]")
    story.say(f"  The logs:      [bold]tail -f {set_up.directory}/*.log[/]")
    story.say("  Ctrl-C ends everything and leaves nothing behind.\n")
