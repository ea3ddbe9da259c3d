"""Rate limits: buckets for routes, the global limit, and the ban behind them.

Windows are fixed, as the headers describe them: the first request opens a window, and `X-RateLimit-Reset-After` says
when it closes. Discord publishes only some of its limits and asks clients to read the headers. The other limits here
are those that clients have observed. Each can be changed or turned off.
Sources: https://docs.discord.com/developers/topics/rate-limits; 40003 after a few dozen direct messages:
https://github.com/DasWolke/SnowTransfer/issues/43; three edits in 20 s of messages older than an hour:
https://github.com/circuitsacul/starboard-4/issues/118
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, deque
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.discord.clock import Clock

Json = dict[str, Any]

INVALID_LIMIT = 10_000
INVALID_WINDOW = 600.0
OLD_MESSAGE = 3600.0


@dataclass(frozen=True, slots=True)
class Window:
    """A number of requests per number of seconds."""

    limit: int
    seconds: float


@dataclass(kw_only=True)
class Limits:
    """The enforced limits. None turns a limit off. The field names are the names of the routes' buckets."""

    every_request: Window | None = Window(50, 1.0)
    create_message: Window | None = Window(5, 5.0)
    edit_message: Window | None = Window(5, 5.0)
    delete_message: Window | None = Window(5, 1.0)
    read_messages: Window | None = Window(10, 2.0)
    webhook: Window | None = Window(5, 2.0)
    open_dm: Window | None = Window(30, 60.0)
    old_edits: Window | None = Window(3, 20.0)
    identify: Window | None = Window(1, 5.0)  # for each rate limit key, of which there are `max_concurrency`

    @classmethod
    def off(cls) -> Limits:
        """Return no limits, for benchmarks and tests of other things."""
        return cls(**{field.name: None for field in fields(cls)})

    def to_json(self) -> Json:
        """The limits as JSON: `[limit, seconds]`, or null."""
        windows = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: window and [window.limit, window.seconds] for name, window in windows}

    def update(self, values: Json) -> None:
        """Change limits from their JSON form.

        Raises:
            ValueError: a name that is no limit, or a value that is neither null nor `[limit, seconds]`.
        """
        names = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in names:
                raise ValueError(f"unknown limit {name!r}; known: {', '.join(sorted(names))}")
            if value is not None and not (isinstance(value, list) and len(value) == 2):
                raise ValueError(f"{name} must be null or [limit, seconds]")
            setattr(self, name, None if value is None else Window(int(value[0]), float(value[1])))


@dataclass(slots=True)
class _Bucket:
    remaining: int
    closes: float


@dataclass(frozen=True, slots=True)
class RateLimitResult:
    """Whether a request passes its bucket, and the rate-limit headers of its response."""

    passed: bool
    retry_after: float
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class RateLimiter:
    """Counts requests against `limits`."""

    clock: Clock
    limits: Limits
    invalid: deque[float] = field(default_factory=deque)
    refused: Counter[str] = field(default_factory=Counter)
    """How many requests exceeded each limit."""
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def take(self, name: str, key: str) -> RateLimitResult | None:
        """Count a request against the bucket `name` of `key` (a channel, a webhook). Return None if it has no limit."""
        window: Window | None = getattr(self.limits, name, None)
        if window is None:
            return None
        bucket = self._open(name, key, window)
        passed = bucket.remaining > 0
        bucket.remaining -= passed
        self.refused[name] += not passed
        left = max(0.0, bucket.closes - self.clock.monotonic())
        headers = {
            "X-RateLimit-Limit": str(window.limit),
            "X-RateLimit-Remaining": str(bucket.remaining),
            "X-RateLimit-Reset": f"{self.clock.wall() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.blake2s(name.encode(), digest_size=16).hexdigest(),
        }
        return RateLimitResult(passed, left, headers)

    def take_global(self) -> float | None:
        """Count a request against the global limit. Return the seconds to wait if it is exceeded."""
        if self.limits.every_request is None:
            return None
        result = self.take("every_request", "")
        return None if result is None or result.passed else result.retry_after

    def count_invalid(self, status: int, scope: str | None) -> None:
        """Count an invalid request: a 401, a 403, or a 429 that is not `shared`."""
        if status in (401, 403) or (status == 429 and scope != "shared"):
            self.invalid.append(self.clock.monotonic())

    def banned(self) -> bool:
        """Whether there were 10,000 invalid requests within 10 minutes."""
        if len(self.invalid) < INVALID_LIMIT:
            return False
        while self.invalid and self.invalid[0] < self.clock.monotonic() - INVALID_WINDOW:
            self.invalid.popleft()
        return len(self.invalid) >= INVALID_LIMIT

    def _open(self, name: str, key: str, window: Window) -> _Bucket:
        now = self.clock.monotonic()
        bucket = self._buckets.get((name, key))
        if bucket is None or bucket.closes <= now:
            bucket = self._buckets[name, key] = _Bucket(window.limit, now + window.seconds)
        return bucket


def limited_headers(retry_after: float, *, scope: str, via: bool = True) -> dict[str, str]:
    """Return the headers of a 429. Without `Via`, clients take it for a ban by the network in front of Discord."""
    headers = {"Retry-After": str(math.ceil(retry_after)), "X-RateLimit-Scope": scope}
    if scope == "global":
        headers["X-RateLimit-Global"] = "true"
    if via:
        headers["Via"] = "1.1 google"
    return headers


def limited_body(retry_after: float, *, scope: str, code: int | None = None) -> Json:
    """Return the JSON of a 429."""
    message = "The resource is being rate limited." if scope == "shared" else "You are being rate limited."
    body: Json = {"message": message, "retry_after": round(retry_after, 3), "global": scope == "global"}
    return body if code is None else {**body, "code": code}
