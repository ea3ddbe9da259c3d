"""The peers, and the settings that are tried for each.

Which settings are the best depends on the machine, so a run tries all of them with fewer reminders and measures the
fastest. A fixed choice was rejected: it would be ours, and on other cores an unfair one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from shared.errors import ConfigurationError

Settings = Mapping[str, int | str]


@dataclass(frozen=True)
class Peer:
    """A way to deliver reminders."""

    name: str
    module: str
    """Its program in this package."""
    distributions: tuple[str, ...]
    """The packages whose versions the report shows."""
    tried: tuple[Settings, ...]
    """A run that tries none uses the first, which was the fastest on two cores. `processes` is how many workers are
    started."""

    def versions(self) -> dict[str, str]:
        """Return the version of each package.

        Raises:
            ConfigurationError: one is not installed.
        """
        try:
            return {name: metadata.version(name) for name in self.distributions}
        except metadata.PackageNotFoundError as error:
            problem = (
                f"{error.name} is not installed; run `make bench ARGS=--peers`, or `scripts/uv sync --group peers`"
            )
            raise ConfigurationError(problem) from error


def shown(settings: Settings) -> str:
    """Return settings for people."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())


def _combinations(**choices: Sequence[int | str]) -> tuple[Settings, ...]:
    """Return every combination of the settings."""
    combined: list[Settings] = [{}]
    for name, values in choices.items():
        combined = [{**chosen, name: value} for chosen in combined for value in values]
    return tuple(combined)


PEERS = (
    Peer(
        "celery threads",
        "celery",
        ("celery", "kombu", "psycopg"),
        _combinations(pool=["threads"], processes=[2, 1], concurrency=[4, 16], prefetch_multiplier=[0, 100]),
    ),
    Peer(
        "celery prefork",
        "celery",
        ("celery", "kombu", "psycopg"),
        _combinations(pool=["prefork"], processes=[1, 2], concurrency=[4, 2], prefetch_multiplier=[0, 100]),
    ),
    Peer(
        "APScheduler",
        "apscheduler",
        ("apscheduler", "sqlalchemy", "psycopg"),
        _combinations(pool=["threads"], pool_size=[10, 4, 20]) + _combinations(pool=["processes"], pool_size=[1, 2]),
    ),
    Peer(
        "procrastinate",
        "procrastinate",
        ("procrastinate", "psycopg"),
        _combinations(processes=[2, 1], concurrency=[30, 10], polling_ms=[50]),
    ),
    Peer(
        "taskiq",
        "taskiq",
        ("taskiq", "taskiq-aio-pika", "asyncpg"),
        _combinations(workers=[1, 2], prefetch=[500, 100], queue=["classic", "quorum"]),
    ),
    Peer(
        "dramatiq",
        "dramatiq",
        ("dramatiq", "pika", "psycopg"),
        _combinations(workers=[2, 1], threads=[16, 8, 4], prefetch=[0, 500]),
    ),
)
"""APScheduler has no `processes`: two of them on one job store run each job twice."""
