"""`make demo`: all of Questbell on this machine, for a person to try, and `--once`, for a machine to check."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from pathlib import Path

import click

from sandbox.demo.account import fetch_invite_link
from sandbox.demo.check import DemoResult, check
from sandbox.demo.environment import Environment, SandboxEnvironment, environment, sandbox_environment
from sandbox.demo.live import LiveDemo
from sandbox.demo.progress import Progress
from sandbox.demo.supervisor import Supervisor
from sandbox.discord import demo_script
from sandbox.oracle import history
from sandbox.servers.network import free_port
from shared import logs, process
from shared.settings import DiscordSettings, LogSettings, load

PAGE_PORT = 8090
"""The page's port, if it is free."""
ENDS_WITHIN = 90.0
"""Seconds until the demo's games must be over."""


@click.command()
@click.option("--once", is_flag=True, help="Run the demo's games, check what Discord received and exit.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the result as one JSON object.")
def main(*, once: bool, as_json: bool) -> None:
    """Run all of Questbell on this machine.

    The demo uses a simulated Discord. With DISCORD_TOKEN set it uses the real one, or the one at DISCORD_API_URL.
    """
    logs.configure(LogSettings(format="console", level="warning"), workload="sandbox", stream=sys.stderr)
    progress = Progress()
    results: list[DemoResult] = []
    is_real = bool(os.environ.get("DISCORD_TOKEN"))
    if once and is_real:
        raise click.UsageError("--once needs the simulated Discord: unset DISCORD_TOKEN")

    async def work() -> None:
        if once:
            results.append(await _run_once(progress))
        elif is_real:
            await _run_on_discord(load(DiscordSettings), progress)
        else:
            await _run_in_sandbox(progress)

    process.run(process.run_until_signalled(work))
    if once:
        _print_and_exit(results, as_json=as_json)


def _print_and_exit(results: list[DemoResult], *, as_json: bool) -> None:
    if not results:
        sys.exit(130)
    [result] = results
    figures = result.as_json()
    lines = [json.dumps(figures)] if as_json else [f"{name}: {value}" for name, value in figures.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.exit(0 if result.passed else 1)


async def _run_once(progress: Progress) -> DemoResult:
    async with sandbox_environment(report=progress.step) as running, asyncio.TaskGroup() as tasks:
        following = tasks.create_task(progress.follow(running.discord))
        async with history.recorded(running.engine):
            await _run_script(running, progress)
            await _wait_until_over(running)
            result = await check(running)
        following.cancel()
        return result


async def _run_in_sandbox(progress: Progress) -> None:
    port = free_port(preferred=PAGE_PORT)
    async with sandbox_environment(report=progress.step, port=port) as running, asyncio.TaskGroup() as tasks:
        tasks.create_task(progress.follow(running.discord))
        demo = LiveDemo(running, report=progress.step)
        await demo.record()
        await _run_script(running, progress)
        progress.print(f"\n  The channel:   [bold]{running.discord.url}[/]   (run commands and press buttons there)")
        progress.print(
            "  Break it:      the bolt above the channel kills the bot, the controllers, RabbitMQ or PostgreSQL"
        )
        _print_environment(running, progress)
        await demo.run()


async def _run_on_discord(settings: DiscordSettings, progress: Progress) -> None:
    """Run with a real Discord, where people create the games."""
    invite_link = await fetch_invite_link(settings)
    async with environment(settings, report=progress.step) as running:
        progress.print(f"\n  Invite the bot: [bold]{invite_link}[/]")
        progress.print("  Then type:      [bold]/game create[/], with a title and a time such as “in 5 minutes”")
        _print_environment(running, progress)
        await Supervisor([running.bot, running.controllers], report=progress.step).run()


async def _run_script(running: SandboxEnvironment, progress: Progress) -> None:
    discord, games = running.discord, demo_script.DEMO_GAMES
    posts = [await demo_script.create_game(discord, game) for game in games]
    progress.step(f"{len(posts)} games are posted")
    for game, post in zip(games, posts, strict=True):
        await demo_script.answer_game(discord, post, game)
    progress.step("the players have answered")


async def _wait_until_over(running: SandboxEnvironment) -> None:
    """Wait until each game's announcement shows the end, or the time is up: then the check says what is missing."""

    def is_over() -> bool:
        posts = [message.embeds[0] for message in running.discord.messages(demo_script.CHANNEL) if message.embeds]
        ended = str([post.get("title") for post in posts if "**Completed**" in str(post.get("description"))])
        return all(game.title in ended for game in demo_script.DEMO_GAMES)

    try:
        await running.discord.wait_for(is_over, timeout=ENDS_WITHIN)
    except TimeoutError:
        return


def _print_environment(running: Environment, progress: Progress) -> None:
    kubectl = f"KUBECONFIG={running.control_plane.kubeconfig} {running.control_plane.kubectl}"
    progress.print(f"  The operator:  [bold]{kubectl} get schedulers[/]")
    progress.print(f"  The logs:      [bold]tail -f {running.directory}/*.log[/]")
    progress.print(
        f"  The commands:  [bold]. {_write_settings(running)}[/], then [bold]scripts/uv run questbell check[/]"
    )
    progress.print("  Ctrl-C stops everything and removes its files.\n")


def _write_settings(running: Environment) -> Path:
    """Write a file for a shell with the settings of `questbell check`, `trace` and `dead-letters`."""
    file = running.directory / "settings.sh"
    file.touch(mode=0o600)  # it has passwords
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in running.settings.items()))
    return file
