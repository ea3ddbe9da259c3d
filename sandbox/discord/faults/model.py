"""Faults as values.

A fault has three parts: the requests that it applies to (`Match`), what it does to them (one of the actions), and how
often (times, seconds, and a probability with a seed, so that runs can be repeated). `accepted` says whether the request
is processed: a sender cannot distinguish "rejected with a 502" from "processed, but the response was a 502".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Literal

Json = dict[str, Any]
Scope = Literal["user", "global", "shared"]


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with a bare HTTP status (500, 502, 503, 504), as the network in front of Discord does."""

    status: int = 503
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Reset the connection instead of answering."""

    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Do not respond for a number of seconds, then reset the connection."""

    seconds: float = 30.0
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """Wait, then process the request as usual, even if the client has given up."""

    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class TooMany:
    """Answer 429. Without `via` it looks like a ban by the network in front of Discord."""

    retry_after: float = 1.0
    scope: Scope = "user"
    via: bool = True


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with one of Discord's error codes, like 50007."""

    code: int = 50007


@dataclass(frozen=True, slots=True)
class DropGateway:
    """Immediately cut every gateway connection without a close frame."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Immediately ask every gateway connection to reconnect and resume (op 7)."""


@dataclass(frozen=True, slots=True)
class InvalidSession:
    """Immediately invalidate the session of every gateway connection (op 9), resumable or not."""

    resumable: bool = False


@dataclass(frozen=True, slots=True)
class RefuseGateway:
    """Refuse new gateway connections while the fault lasts."""


@dataclass(frozen=True, slots=True)
class CloseGateway:
    """Close gateway connections with one of Discord's close codes when they identify or resume."""

    code: int = 4014


@dataclass(frozen=True, slots=True)
class DuplicateInteraction:
    """Deliver an interaction to the bot twice."""


Action = (
    Status
    | Drop
    | Hang
    | Slow
    | TooMany
    | Refuse
    | DropGateway
    | Reconnect
    | InvalidSession
    | RefuseGateway
    | CloseGateway
    | DuplicateInteraction
)
RequestAction = (Status, Drop, Hang, Slow, TooMany, Refuse)
ImmediateAction = (DropGateway, Reconnect, InvalidSession)

_KINDS: dict[str, type[Any]] = {
    "status": Status,
    "drop": Drop,
    "hang": Hang,
    "slow": Slow,
    "too_many": TooMany,
    "refuse": Refuse,
    "drop_gateway": DropGateway,
    "reconnect": Reconnect,
    "invalid_session": InvalidSession,
    "refuse_gateway": RefuseGateway,
    "close_gateway": CloseGateway,
    "duplicate_interaction": DuplicateInteraction,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a fault applies to. None matches anything.

    Attributes:
        method: `POST`.
        route: a regular expression that is searched in the path below `/api/v10`.
        channel: the id of the channel in the path.
        user: the id of the person whose direct messages the path's channel is, or who is to get such a channel.
    """

    method: str | None = None
    route: str | None = None
    channel: int | None = None
    user: int | None = None

    def __post_init__(self) -> None:
        re.compile(self.route or "")  # a mistake must show where the fault is made, not at a request

    def fits(self, method: str, path: str, *, channel: int | None, user: int | None) -> bool:
        """Return whether a request matches."""
        return (
            (self.method is None or self.method.upper() == method)
            and (self.channel is None or self.channel == channel)
            and (self.user is None or self.user == user)
            and (self.route is None or re.search(self.route, path) is not None)
        )


def action_to_json(action: Action) -> Json:
    """`{"kind": "status", "status": 503, "accepted": false}`."""
    return {"kind": _NAMES[type(action)], **{field.name: getattr(action, field.name) for field in fields(action)}}


def action_from_json(value: Json) -> Action:
    """Return the action of a JSON object.

    Raises:
        ValueError: an unknown kind or field, or a value of another type than the field's; the message says which.
    """
    given = dict(value)
    kind = given.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"unknown action {kind!r}; known: {', '.join(_KINDS)}")
    known = {field.name: field.default for field in fields(_KINDS[kind])}
    for name, setting in given.items():
        if name not in known:
            raise ValueError(f"{kind} has no {name!r}; it has {', '.join(known) or 'nothing to set'}")
        default = known[name]
        expected = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(setting, expected):
            raise ValueError(f"{kind}: {name} must be like {default!r}, not {setting!r}")
    action: Action = _KINDS[kind](**given)
    return action
