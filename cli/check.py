"""`questbell check`: can this configuration work? One line a check, with what is wrong and how to mend it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import RenderableType
from rich.text import Text

from cli.check_servers import check_broker, check_database, check_discord
from cli.check_settings import Settings, kubernetes, secrets_of, token_given
from cli.finding import Finding, Verdict
from cli.output import harmless, show
from cli.session import log_to_standard_error
from cli.words import counted
from shared import process
from shared.errors import QuestbellError
from shared.settings import Timing

_SIGNS = {Verdict.PASSED: ("✓", "green"), Verdict.FAILED: ("✗", "red"), Verdict.SKIPPED: ("-", "dim")}


@dataclass(frozen=True)
class Checked:
    """All findings."""

    passed: bool
    findings: list[Finding]


def check(*, release: str, workload: str | None = None, as_json: bool = False) -> None:
    """Check the configuration that the environment gives; exit 1 when anything is wrong.

    `release` is this release's schema revision. `workload` says for whom: the bot needs a Discord token and no
    Kubernetes, the controllers the opposite; without it both are looked at, the token if there is one.
    """
    process.run(_check(release=release, workload=workload, as_json=as_json))


async def _check(*, release: str, workload: str | None, as_json: bool) -> None:
    log_to_standard_error()
    settings = Settings(discord=workload == "bot" or (workload is None and token_given()))
    findings = [*settings.findings, *await _look(settings, release=release, workload=workload)]
    if workload != "bot":
        findings.append(kubernetes(os.environ))
    failed = sum(finding.verdict is Verdict.FAILED for finding in findings)
    shown = [without_secrets(secrets_of(settings), finding) for finding in findings]
    show(Checked(not failed, shown), _draw, as_json=as_json)
    if failed:
        raise QuestbellError(f"{failed} of {counted(len(findings), 'check')} failed")


async def _look(settings: Settings, *, release: str, workload: str | None) -> list[Finding]:
    """Ask the servers whose settings could be read, at the same time."""
    asked = []
    if settings.database is not None:
        asked.append(check_database(settings.database, release=release))
    if settings.broker is not None:
        asked.append(check_broker(settings.broker))
    answers = await asyncio.gather(*asked, _discord(settings, workload))
    return [finding for answer in answers for finding in answer]


async def _discord(settings: Settings, workload: str | None) -> list[Finding]:
    if settings.discord is not None:
        return [await check_discord(settings.discord, settings.timing or Timing.model_construct())]
    if workload is None and not token_given():
        return [Finding.skipped("Discord token", "DISCORD_TOKEN is not set; the bot needs it")]
    return []


def without_secrets(secrets: Sequence[str], finding: Finding) -> Finding:
    """Return a finding in which no secret is left, whatever a server's error message repeated."""
    said = finding.said
    for secret in secrets:
        said = said.replace(secret, "***")
    return replace(finding, said=said)


def _draw(checked: Checked) -> RenderableType:
    drawn = Text()
    for finding in checked.findings:
        sign, style = _SIGNS[finding.verdict]
        mend = f" → {finding.mend}" if finding.mend else ""
        drawn.append(f"{sign} ", style=style).append(f"{finding.name}: ", style="bold")
        drawn.append(harmless(f"{finding.said}{mend}") + "\n")
    drawn.right_crop(1)
    return drawn
