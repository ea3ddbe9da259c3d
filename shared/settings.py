"""Every setting of Questbell, in one class per concern, so that a workload loads only what it uses."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from shared.configuration import Settings, load
from shared.urls import BROKER_EXAMPLE, DATABASE_EXAMPLE, DatabaseUrl, split_broker_urls

__all__ = [
    "BotSettings",
    "BrokerSettings",
    "DatabaseOwnerSettings",
    "DatabaseSettings",
    "DiscordSettings",
    "HealthSettings",
    "KubernetesSettings",
    "LogSettings",
    "Timing",
    "load",
]


def _check_database_url(url: SecretStr) -> SecretStr:
    DatabaseUrl.parse(url.get_secret_value())
    return SecretStr(f"postgresql://{url.get_secret_value().partition('://')[2]}")


def _check_broker_url(url: SecretStr) -> SecretStr:
    split_broker_urls(url.get_secret_value())
    return url


def _check_token(token: SecretStr) -> SecretStr:
    if not token.get_secret_value().isascii():
        raise ValueError("has characters that no token has; copy it again from the application's Bot page")
    return token


def _http_scheme(url: str) -> str:
    if not re.fullmatch(r"https?://[^/]+.*", url):
        raise ValueError("must look like https://discord.com")
    return url.rstrip("/")


def _read_shards(value: object) -> object:
    if value == "auto" or (str(value).isdecimal() and 1 <= int(str(value)) <= SHARDS_MAX):
        return value if value == "auto" else int(str(value))
    raise ValueError(f"must be auto or a number from 1 to {SHARDS_MAX}")


class DatabaseSettings(Settings):
    """The connection to PostgreSQL."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_DATABASE_")

    url: Annotated[SecretStr, AfterValidator(_check_database_url)] = Field(
        description=f"where PostgreSQL is, such as {DATABASE_EXAMPLE}"
    )
    pool_size: int = Field(default=20, ge=3, le=100)
    """Advisory locks keep some for long."""

    @property
    def parsed(self) -> DatabaseUrl:
        """Return the parts of the URL."""
        return DatabaseUrl.parse(self.url.get_secret_value())


class DatabaseOwnerSettings(Settings):
    """The account that owns the tables, if it is not that of the workloads. Only `questbell migrate` needs it."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_DATABASE_OWNER_")

    url: Annotated[SecretStr, AfterValidator(_check_database_url)] | None = None


class BrokerSettings(Settings):
    """The connection to RabbitMQ."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_AMQP_")

    url: Annotated[SecretStr, AfterValidator(_check_broker_url)] = Field(
        description=f"where RabbitMQ is, such as {BROKER_EXAMPLE}"
    )
    prefetch: int = Field(default=200, ge=1, le=200)
    """Unacknowledged messages per consumer. This bounds the size of its database batches, and how many messages wait in
    the process during an outage."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Return one URL per broker."""
        return split_broker_urls(self.url.get_secret_value())


class DiscordSettings(Settings):
    """The bot's token, and the Discord that it talks to."""

    model_config = SettingsConfigDict(env_prefix="DISCORD_")

    token: Annotated[SecretStr, AfterValidator(_check_token)] = Field(
        description="the bot's token, from the application's Bot page"
    )
    api_url: Annotated[str, AfterValidator(_http_scheme)] = "https://discord.com"


class GameSettings(Settings):
    """How many games may be open, so that one member cannot crowd out all others."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_GAMES_")

    per_host: int = Field(default=20, ge=1, le=10_000)
    """Open games of one host on one server."""
    per_server: int = Field(default=200, ge=1, le=100_000)
    """Open games of one server."""


SHARDS_MAX = 200
"""Discord allows 1000 session starts a day, and each start of the bot uses one for each shard."""
PROCESSES_MAX = 10
"""More would have shares of Discord's limit that are too small to use well."""


class BotSettings(Settings):
    """What the bot asks Discord for, and which part of it this process does."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_BOT_")

    members_intent: bool = False
    """Whether Discord reports who leaves a server. It must be allowed on the application's Bot page first."""
    shards: Annotated[Literal["auto"] | int, BeforeValidator(_read_shards)] = 1
    """The connections to the gateway, which share the servers. `auto` is the number that Discord recommends."""
    processes: int = Field(default=1, ge=1, le=PROCESSES_MAX)
    """The bot's processes, which share the shards."""
    ordinal: int = Field(default=0, ge=0)
    """Which of the processes this is."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.processes > 1 and self.shards == "auto":
            raise ValueError("shards must be a number if there are several processes, because they must agree on it")
        if self.shards != "auto" and self.shards < self.processes:
            raise ValueError(f"shards must be at least {self.processes}, because each process needs one")
        if self.ordinal >= self.processes:
            raise ValueError(f"ordinal must be below {self.processes}, the number of processes")
        return self


class KubernetesSettings(Settings):
    """The namespace that the operator watches, and the release that it belongs to."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_")

    namespace: str = Field(
        default="default",
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="a namespace's name, such as questbell",
    )
    release: str = Field(
        default="questbell", min_length=1, max_length=253, description="a release's name, such as questbell"
    )


class HealthSettings(Settings):
    """The address for probes and metrics."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_HEALTH_")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)


class LogSettings(Settings):
    """The log format: JSON for machines, `console` for people."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_LOG_")

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


_LEASE_MARGIN = 1.0
"""Seconds of a lease for the transaction before the request."""
Seconds = Annotated[float, Field(ge=0.01, le=86_400, allow_inf_nan=False)]


class Timing(Settings):
    """The one table of time-outs, in seconds. Their order is what makes delivery safe.

    request time-out < lease < nonce window < settle time-out < consumer time-out
    """

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_TIMING_")

    request_timeout: Seconds = 6.0
    """One HTTP request. Shorter than the lease, so that the owner of a lease has stopped sending when it ends."""
    lease: Seconds = 8.0
    """How long one process may own the sending of a message to one recipient."""
    nonce_window: Seconds = 60.0
    """How long Discord reliably remembers a nonce ("a few minutes"). A resend within this time is safe."""
    settle_timeout: Seconds = 90.0
    """How long a published row waits for its outcome before it is published again."""
    consumer_timeout: Seconds = 1800.0
    """RabbitMQ's own limit on an unacknowledged delivery. It is the broker's and repeated for the check."""
    publish_timeout: Seconds = 3.0
    """One batch of confirmed publishes. Its rows stay locked meanwhile."""
    transaction_timeout: Seconds = 5.0
    """PostgreSQL ends a session that is idle in a transaction for this long, which frees a frozen replica's rows."""
    backoff_first: Seconds = 1.0
    """The delay after a first failure; it doubles."""
    backoff_max: Seconds = 60.0
    """The longest delay between two attempts of one row."""
    shutdown: Seconds = 10.0
    """From SIGTERM to exit. Work in flight is finished within it."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        chain = ("request_timeout", "lease", "nonce_window", "settle_timeout", "consumer_timeout")
        for shorter, longer in pairwise(chain):
            if not getattr(self, shorter) < getattr(self, longer):
                raise ValueError(f"{shorter} must be below {longer}: {' < '.join(chain)}")
        if self.lease - self.request_timeout < _LEASE_MARGIN:
            raise ValueError(f"lease must be {_LEASE_MARGIN:g} s above request_timeout: it begins before the request")
        if not self.publish_timeout < self.transaction_timeout:
            raise ValueError("publish_timeout must be below transaction_timeout: a slow broker must not lose the claim")
        return self

    @property
    def settle_interval(self) -> timedelta:
        """The settle time-out as an interval."""
        return timedelta(seconds=self.settle_timeout)
