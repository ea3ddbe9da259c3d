"""Every setting of Questbell, in one class per concern, so that a workload loads only what it uses.

Values come from the environment or, for secrets, from files named like the variable in `QUESTBELL_SECRETS_DIR`. Reading
settings at import was rejected, because a mistake must become one clear line.
"""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from shared.errors import ConfigurationError


def _database_scheme(url: SecretStr) -> SecretStr:
    scheme, separator, rest = url.get_secret_value().partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return _readable(SecretStr(f"postgresql://{rest}"))


def _amqp_scheme(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("amqp://", "amqps://")):
        raise ValueError("must look like amqp://user:password@host:5672/")
    return _readable(url)


def _readable(url: SecretStr) -> SecretStr:
    """Reject here what a driver would reject later with part of the password in its message."""
    try:
        _ = urlsplit(url.get_secret_value()).port
    except ValueError:
        raise ValueError("cannot be read as a URL: in a password write %2F for /, %23 for # and %3F for ?") from None
    return url


def _http_scheme(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return url.rstrip("/")


class DatabaseSettings(BaseSettings):
    """The connection to PostgreSQL."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_DATABASE_")

    url: Annotated[SecretStr, AfterValidator(_database_scheme)] = Field(
        description="where PostgreSQL is, such as postgresql://user:password@host:5432/database"
    )
    pool_size: int = Field(default=20, ge=1, le=100)


class BrokerSettings(BaseSettings):
    """The connection to RabbitMQ."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_AMQP_")

    url: Annotated[SecretStr, AfterValidator(_amqp_scheme)] = Field(
        description="where RabbitMQ is, such as amqp://user:password@host:5672/"
    )
    prefetch: int = Field(default=100, ge=1, le=100)
    """Unacknowledged messages per consumer. This bounds the size of its database batches, and how many messages wait in
    the process during an outage."""


class DiscordSettings(BaseSettings):
    """The bot's token, and the Discord that it talks to."""

    model_config = SettingsConfigDict(env_prefix="DISCORD_")

    token: SecretStr = Field(min_length=1, description="the bot's token, from the application's Bot page")
    api_url: Annotated[str, AfterValidator(_http_scheme)] = "https://discord.com"


class KubernetesSettings(BaseSettings):
    """The namespace that the operator watches."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_")

    namespace: str = Field(default="default", pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")


class HealthSettings(BaseSettings):
    """The address for probes and metrics."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_HEALTH_")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)


class LogSettings(BaseSettings):
    """The log format: JSON for machines, `console` for people."""

    model_config = SettingsConfigDict(env_prefix="QUESTBELL_LOG_")

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


Seconds = Annotated[float, Field(ge=0.01, le=86_400, allow_inf_nan=False)]


class Timing(BaseSettings):
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
        if not self.publish_timeout < self.transaction_timeout:
            raise ValueError("publish_timeout must be below transaction_timeout: a slow broker must not lose the claim")
        return self

    @property
    def settle_interval(self) -> timedelta:
        """The settle time-out as an interval."""
        return timedelta(seconds=self.settle_timeout)


S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S]) -> S:
    """Read one group of settings.

    Raises:
        ConfigurationError: naming each variable that is missing or wrong, and what it must look like.
    """
    try:
        return kind(_secrets_dir=os.environ.get("QUESTBELL_SECRETS_DIR"))
    except SettingsError as error:
        raise ConfigurationError(f"QUESTBELL_SECRETS_DIR: {error}") from error
    except ValidationError as error:
        raise ConfigurationError(_explain(kind, error)) from error


def _explain(kind: type[BaseSettings], error: ValidationError) -> str:
    prefix = str(kind.model_config.get("env_prefix", ""))
    problems = []
    for problem in error.errors():
        field = "_".join(str(part) for part in problem["loc"])
        name = prefix + (field.upper() or "*")
        if problem["type"] == "missing":
            problems.append(f"{name} is not set ({kind.model_fields[field].description})")
        else:
            problems.append(f"{name}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(problems)
