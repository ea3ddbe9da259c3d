"""Are the settings there and well-formed? Looked at one by one, so that all mistakes show at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from pydantic_settings import BaseSettings

from cli.finding import Finding
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


class Settings:
    """The settings that could be read; what could not is a finding, and None here."""

    def __init__(self, *, discord: bool) -> None:
        self.findings: list[Finding] = []
        self.timing = self._read(Timing, "time-outs", _order)
        self.database = self._read(DatabaseSettings, "database settings")
        self.broker = self._read(BrokerSettings, "broker settings")
        self.discord = self._read(DiscordSettings, "Discord settings", _discord) if discord else None
        for kind, name in (
            (KubernetesSettings, "Kubernetes settings"),
            (HealthSettings, "health settings"),
            (LogSettings, "log settings"),
        ):
            self._read(kind, name)

    def _read(self, kind: type[S], name: str, describe: Any = None) -> S | None:
        try:
            settings = load(kind)
        except ConfigurationError as error:
            self.findings.append(Finding.failed(name, str(error), "set the named variables and check again"))
            return None
        self.findings.append(Finding.passed(name, describe(settings) if describe else "complete"))
        return settings


def token_given() -> bool:
    """Return whether the environment or the secrets' directory holds a Discord token."""
    folder = os.environ.get("QUESTBELL_SECRETS_DIR")
    return bool(os.environ.get("DISCORD_TOKEN")) or bool(folder and (Path(folder) / "DISCORD_TOKEN").is_file())


def secrets_of(settings: Settings) -> list[str]:
    """Return every secret there is, also of settings that could not be read, so that none of them is ever printed."""
    found = [os.environ.get(name, "") for name in _SECRET_VARIABLES]
    found += [group.url.get_secret_value() for group in (settings.database, settings.broker) if group is not None]
    if settings.discord is not None:
        found.append(settings.discord.token.get_secret_value())
    return sorted({secret for text in found for secret in _parts(text)}, key=len, reverse=True)


def kubernetes(environment: Mapping[str, str]) -> Finding:
    """Return whether there is a way to an API server: a kubeconfig or a service account. Nothing is asked of it."""
    name, mend = "Kubernetes access", "set KUBECONFIG to the kubeconfig of a cluster, or run in a pod"
    if named := environment.get("KUBECONFIG"):
        missing = [path for path in named.split(os.pathsep) if path and not Path(path).is_file()]
        if missing:
            return Finding.failed(name, f"KUBECONFIG names {', '.join(missing)}, which is no file", mend)
        return Finding.passed(name, f"KUBECONFIG is {named}")
    if SERVICE_ACCOUNT.is_file():
        return Finding.passed(name, "the pod has a service account")
    if (Path.home() / ".kube" / "config").is_file():
        return Finding.passed(name, "there is a ~/.kube/config")
    return Finding.failed(name, "KUBECONFIG is not set, and this is no pod with a service account", mend)


def _order(timing: Timing) -> str:
    names = ("request_timeout", "lease", "nonce_window", "settle_timeout", "consumer_timeout")
    return " < ".join(f"{name} {getattr(timing, name):g} s" for name in names)


def _discord(settings: DiscordSettings) -> str:
    return f"complete; Discord is {settings.api_url}"


def _parts(text: str) -> Iterator[str]:
    """Yield what must not be printed of a secret: all of it, or of a URL its password, as it is written and as it is
    meant."""
    if "://" not in text:
        yield from filter(None, [text])
        return
    password = text.partition("://")[2].rpartition("@")[0].partition(":")[2]
    yield from filter(None, [password, unquote(password)])
