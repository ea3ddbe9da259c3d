"""Runs all checks and prints each result, with a remedy if it failed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.console import RenderableType
from rich.text import Text

from cli.commands.check.result import CheckResult, CheckStatus
from cli.commands.check.servers import check_broker, check_database, check_discord
from cli.commands.check.settings import LoadedSettings, check_kubernetes_access, collect_secrets, is_token_set
from cli.commands.connections import log_to_stderr
from cli.commands.output import escape_controls, show
from shared import process
from shared.errors import QuestbellError
from shared.formatting import plural
from shared.settings import Timing

_SIGNS = {CheckStatus.PASSED: ("✓", "green"), CheckStatus.FAILED: ("✗", "red"), CheckStatus.SKIPPED: ("-", "dim")}


@dataclass(frozen=True)
class CheckReport:
    """All results."""

    passed: bool
    results: list[CheckResult]


def check(*, workload: str | None = None, as_json: bool = False) -> None:
    """Check the configuration, and exit with code 1 if anything is wrong.

    Without `workload`, both are checked, and the token only if it is set.
    """
    process.run(_check(workload=workload, as_json=as_json))


async def _check(*, workload: str | None, as_json: bool) -> None:
    log_to_stderr()
    settings = LoadedSettings(discord=workload == "bot" or (workload is None and is_token_set()))
    results = [*settings.results, *await _check_servers(settings, workload)]
    if workload != "bot":
        results.append(check_kubernetes_access(os.environ))
    failed = sum(result.status is CheckStatus.FAILED for result in results)
    secrets = collect_secrets(settings)
    report = CheckReport(not failed, [redact(result, secrets) for result in results])
    show(report, _render, as_json=as_json)
    if failed:
        raise QuestbellError(f"{failed} of {plural(len(results), 'check')} failed")


async def _check_servers(settings: LoadedSettings, workload: str | None) -> list[CheckResult]:
    checks = []
    if settings.database is not None:
        checks.append(check_database(settings.database))
    if settings.broker is not None:
        checks.append(check_broker(settings.broker))
    results = await asyncio.gather(*checks, _check_token(settings, workload))
    return [result for group in results for result in group]


async def _check_token(settings: LoadedSettings, workload: str | None) -> list[CheckResult]:
    if settings.discord is not None:
        return [await check_discord(settings.discord, settings.timing or Timing.model_construct())]
    if workload is None and not is_token_set():
        return [CheckResult.skipped("Discord token", "DISCORD_TOKEN is not set; only the bot needs it")]
    return []


def redact(result: CheckResult, secrets: Sequence[str]) -> CheckResult:
    """Return a result without secrets, which a server's error message may repeat."""
    message = result.message
    for secret in secrets:
        message = message.replace(secret, "***")
    return replace(result, message=message)


def _render(report: CheckReport) -> Iterator[RenderableType]:
    for result in report.results:
        sign, style = _SIGNS[result.status]
        remedy = f" → {result.remedy}" if result.remedy else ""
        line = Text().append(f"{sign} ", style=style).append(f"{result.name}: ", style="bold")
        yield line.append(escape_controls(f"{result.message}{remedy}"))
