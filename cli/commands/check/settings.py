"""Checks each group of settings separately, so that all mistakes show at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from pydantic_settings import BaseSettings

from cli.commands.check.result import CheckResult
from shared.errors import ConfigurationError
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    DiscordSettings,
    HealthSettings,
    KubernetesSettings,
    LogSettings,
    Timing,
    load,
)

S = TypeVar("S", bound=BaseSettings)

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where Kubernetes mounts a pod's token."""
_SECRET_VARIABLES = ("QUESTBELL_DATABASE_URL", "QUESTBELL_AMQP_URL", "DISCORD_TOKEN")


class LoadedSettings:
    """All groups of settings, None if invalid, and a result for each."""

    def __init__(self, *, discord: bool) -> None:
        self.results: list[CheckResult] = []
        self.timing = self._load(Timing, "time-outs", _describe_timing)
        self.database = self._load(DatabaseSettings, "database settings")
        self.broker = self._load(BrokerSettings, "broker settings")
        self.discord = self._load(DiscordSettings, "Discord settings", _describe_discord) if discord else None
        self._load(KubernetesSettings, "Kubernetes settings")
        self._load(HealthSettings, "health settings")
        self._load(LogSettings, "log settings")

    def _load(self, kind: type[S], name: str, describe: Callable[[S], str] | None = None) -> S | None:
        try:
            settings = load(kind)
        except ConfigurationError as error:
            self.results.append(CheckResult.failed(name, str(error), "set or correct the named variables"))
            return None
        self.results.append(CheckResult.passed(name, describe(settings) if describe else "valid"))
        return settings


def is_token_set() -> bool:
    """Return whether the environment or the secrets directory has a Discord token."""
    directory = os.environ.get("QUESTBELL_SECRETS_DIR")
    return bool(os.environ.get("DISCORD_TOKEN")) or bool(directory and (Path(directory) / "DISCORD_TOKEN").is_file())


def collect_secrets(settings: LoadedSettings) -> list[str]:
    """Return all secrets, including those of invalid settings, so that none is printed."""
    values = [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    values += [group.url.get_secret_value() for group in (settings.database, settings.broker) if group is not None]
    if settings.discord is not None:
        values.append(settings.discord.token.get_secret_value())
    return sorted({secret for value in values for secret in _secrets_in(value)}, key=len, reverse=True)


def check_kubernetes_access(environment: Mapping[str, str]) -> CheckResult:
    """Check for a kubeconfig or a service account, without connecting."""
    name, remedy = "Kubernetes access", "set KUBECONFIG to a cluster's kubeconfig, or run in a pod"
    if paths := environment.get("KUBECONFIG"):
        missing = [path for path in paths.split(os.pathsep) if path and not Path(path).is_file()]
        if missing:
            return CheckResult.failed(name, f"KUBECONFIG names {', '.join(missing)}, which is not a file", remedy)
        return CheckResult.passed(name, f"KUBECONFIG is {paths}")
    if SERVICE_ACCOUNT.is_file():
        return CheckResult.passed(name, "the pod has a service account")
    if (Path.home() / ".kube" / "config").is_file():
        return CheckResult.passed(name, "~/.kube/config exists")
    return CheckResult.failed(name, "KUBECONFIG is not set, and this is not a pod with a service account", remedy)


def _describe_timing(timing: Timing) -> str:
    names = ("request_timeout", "lease", "nonce_window", "settle_timeout", "consumer_timeout")
    return " < ".join(f"{name} {getattr(timing, name):g} s" for name in names)


def _describe_discord(settings: DiscordSettings) -> str:
    return f"valid; Discord is at {settings.api_url}"


def _secrets_in(value: str) -> Iterator[str]:
    """Yield the passwords of one or more URLs, as written and decoded, or the whole value."""
    value = value.strip()
    if "://" not in value:
        yield from filter(None, [value])
        return
    for url in value.split("://")[1:]:
        password = url.rpartition("@")[0].partition(":")[2]
        yield from filter(None, [password, unquote(password)])
