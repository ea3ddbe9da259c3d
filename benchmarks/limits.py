"""`python -m benchmarks.limits`: how much of Discord's limit for all bots the bot uses, and what users feel meanwhile.

The sandbox Discord accepts 50 requests in a second, and five messages in five seconds in a channel. The fewest seconds
in which it can accept the requests are known, and every 429 is a request too many. Three bursts are measured: reminders
in channels, while players press Join; direct messages in channels that the bot knows; and first direct messages, whose
channels must be opened.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from benchmarks import rows
from benchmarks.environment import connect
from benchmarks.presses import add_player, announce_games, pressing
from benchmarks.rows import Connection, Due
from bot.delivery.rate_limits import DM_OPENS_LIMIT, DM_OPENS_WINDOW
from sandbox.demo.environment import SandboxEnvironment, sandbox_environment
from sandbox.demo.progress import Progress
from sandbox.discord.rate_limits import Limits, Window
from sandbox.discord.server import SandboxDiscord
from shared import logs, process
from shared.settings import LogSettings

GLOBAL = Window(50, 1.0)
ANSWERED_P99_MS = 300.0
"""The target for the answers to presses of Join during the burst."""

Figures = dict[str, Any]


@click.command()
@click.option("--reminders", type=click.IntRange(10), default=2_000, show_default=True)
@click.option("--channels", type=click.IntRange(1), default=200, show_default=True, help="As many users get DMs.")
@click.option("--presses", type=float, default=4.0, show_default=True, help="Presses of Join a second.")
@click.option("--first-dms", type=click.IntRange(1), default=40, show_default=True, help="Users without a channel.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("limits.json"))
def main(reminders: int, channels: int, presses: float, first_dms: int, output: Path) -> None:
    """Deliver many reminders at once to a Discord with limits; print how well they were used, and write it as JSON.

    Missing a target is reported but is no failure.
    """
    logs.configure(LogSettings(format="console", level="error"), workload="limits", stream=sys.stderr)
    progress = Progress()
    found: dict[str, Figures] = {}

    async def work() -> None:
        async with (
            sandbox_environment(report=progress.step, limits=Limits(every_request=GLOBAL)) as environment,
            connect(environment.settings["QUESTBELL_DATABASE_URL"]) as connection,
        ):
            await rows.fill_guilds(connection)
            found["channels"] = await _measure_channels(
                environment, connection, reminders, channels=channels, presses=presses
            )
            progress.step(_channels_line(found["channels"]))
            found["dms"] = await _measure_dms(environment.discord, connection, reminders, users=channels)
            progress.step(f"DMs: {_burst_line(found['dms'])}")
            found["first_dms"] = await _measure_first_dms(environment.discord, connection, first_dms)
            progress.step(_first_dms_line(found["first_dms"]))

    process.run(process.run_until_signalled(work))
    if "first_dms" not in found:
        sys.exit(130)
    output.write_text(json.dumps(found, indent=2) + "\n")


async def _measure_channels(
    environment: SandboxEnvironment, connection: Connection, reminders: int, *, channels: int, presses: float
) -> Figures:
    discord = environment.discord
    guild = next(iter(discord.world.guilds.values()))
    channel_ids = [discord.world.add_channel(guild, f"table-{number}").id for number in range(channels)]
    announcements = await announce_games(environment)
    due = await rows.fill_due(connection, reminders, channel_ids=channel_ids, analyze=True)
    async with pressing(environment.discord, announcements, since=due.due_at, per_second=presses) as pressed:
        figures = await _measure_burst(discord, connection, due)
    return figures | await pressed.judge() | {"target_answered_p99_ms": ANSWERED_P99_MS}


async def _measure_dms(discord: SandboxDiscord, connection: Connection, reminders: int, *, users: int) -> Figures:
    players = [add_player(discord) for _ in range(users)]
    known = {player: discord.world.open_dm(player).id for player in players}
    return await _measure_burst(discord, connection, await rows.fill_dms(connection, reminders, channel_ids=known))


async def _measure_first_dms(discord: SandboxDiscord, connection: Connection, users: int) -> Figures:
    unknown = {add_player(discord): None for _ in range(users)}
    figures = await _measure_burst(discord, connection, await rows.fill_dms(connection, users, channel_ids=unknown))
    least = max(0, users - DM_OPENS_LIMIT) / DM_OPENS_LIMIT * DM_OPENS_WINDOW
    return figures | {"least_seconds_to_open": least}


async def _measure_burst(discord: SandboxDiscord, connection: Connection, due: Due) -> Figures:
    """Return the figures of what Discord accepts from when reminders are due until the last of them."""
    refused, known = discord.refused.copy(), len(discord.evidence)
    began = due.due_at.timestamp()
    await rows.until_settled(connection, due)
    accepted = [record for record in discord.evidence[known:] if record.visible_to is None and record.wall >= began]
    ended = max(record.wall for record in accepted if record.kind == "create")
    requests = [record for record in accepted if record.wall <= ended]
    least = len(requests) / GLOBAL.limit * GLOBAL.seconds
    return {
        "reminders": len(due.ids),
        "messages": sum(record.kind == "create" for record in requests),
        "edits": sum(record.kind == "edit" for record in requests),
        "seconds": round(ended - began, 1),
        "least_seconds": round(least, 1),
        "share_of_limit": round(least / (ended - began), 3),
        "refused": dict(discord.refused - refused),
    }


def _burst_line(figures: Figures) -> str:
    return (
        f"{figures['messages']} of {figures['reminders']} messages and {figures['edits']} edits in "
        f"{figures['seconds']} s, at least {figures['least_seconds']} s: {figures['share_of_limit']:.0%} of the limit; "
        f"refused: {figures['refused']}"
    )


def _channels_line(figures: Figures) -> str:
    answered, waited = figures["answered_ms"], figures["edit_waited_ms"]
    verdict = "met" if answered["p99"] <= ANSWERED_P99_MS else "missed"
    return (
        f"channels: {_burst_line(figures)}; {figures['presses']} presses answered, {figures['unanswered']} not; "
        f"p50 {answered['p50']:.0f} ms, p99 {answered['p99']:.0f} ms, target {ANSWERED_P99_MS:.0f} ms {verdict}; edits "
        f"waited p50 {waited['p50'] / 1000:.1f} s, at most {waited['max'] / 1000:.1f} s"
    )


def _first_dms_line(figures: Figures) -> str:
    return (
        f"first DMs: {figures['messages']} of {figures['reminders']} in {figures['seconds']} s, of which opening "
        f"channels takes {figures['least_seconds_to_open']:.0f} s by the bot's own limit; refused: {figures['refused']}"
    )


if __name__ == "__main__":
    main()
