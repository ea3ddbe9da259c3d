"""The active and past faults.

Faults are checked in the order in which they were added, and the first match applies. An ended fault stays in the list
until it is removed, so that a scenario can see how often it fired.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.discord.changes import ChangeFeed, FaultsChanged
from sandbox.discord.clock import Clock
from sandbox.discord.faults.model import (
    Action,
    CloseGateway,
    DuplicateInteraction,
    ImmediateAction,
    Match,
    RefuseGateway,
    RequestAction,
    action_from_json,
    action_to_json,
)

Json = dict[str, Any]


@dataclass(slots=True)
class Fault:
    """One fault. With `times` None it applies to every match. `ends` is on the monotonic clock."""

    id: int
    action: Action
    match: Match
    times: int | None
    ends: float | None
    probability: float
    rng: random.Random
    label: str = ""
    fired: int = 0

    def on(self, now: float) -> bool:
        """Return whether the fault is still active."""
        return (self.times is None or self.fired < self.times) and (self.ends is None or now < self.ends)

    def to_json(self, now: float) -> Json:
        """Return the fault as the control API lists it."""
        match = {name: value for name, value in asdict(self.match).items() if value is not None}
        return {
            "id": self.id,
            "label": self.label,
            "action": action_to_json(self.action),
            "match": {name: str(value) for name, value in match.items()},
            "times": self.times,
            "seconds_left": None if self.ends is None else round(max(0.0, self.ends - now), 3),
            "probability": self.probability,
            "fired": self.fired,
            "on": self.on(now),
        }


@dataclass
class Faults:
    """Adds, removes and chooses faults."""

    clock: Clock
    feed: ChangeFeed
    apply_now: Callable[[Action], None] = field(default=lambda action: None)
    _faults: dict[int, Fault] = field(default_factory=dict)
    _added: int = 0

    def add(
        self,
        action: Action,
        match: Match | None = None,
        *,
        times: int | None = None,
        seconds: float | None = None,
        probability: float = 1.0,
        seed: int = 0,
        label: str = "",
    ) -> Fault:
        """Turn a fault on. Actions on open gateway connections are done immediately.

        Args:
            action: what happens.
            match: to which requests; None means all of them.
            times: how often at most.
            seconds: for how long at most.
            probability: how likely the fault applies to each match, drawn with this `seed`.
            seed: makes a run repeatable.
            label: what people call it.
        """
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"probability must be between 0 and 1, not {probability}")
        self._added += 1
        ends = None if seconds is None else self.clock.monotonic() + seconds
        dice = random.Random(seed)  # noqa: S311 -- dice for repeatable faults, not for secrets
        once = 1 if isinstance(action, ImmediateAction) else times
        fault = Fault(self._added, action, match or Match(), once, ends, probability, dice, label)
        self._faults[fault.id] = fault
        if isinstance(action, ImmediateAction):
            fault.fired = 1
            self.apply_now(action)
        self.feed.publish(FaultsChanged())
        return fault

    def add_json(self, value: Json, *, user_id: int | None = None) -> Fault:
        """Turn on a fault from its JSON form (see `Fault.to_json`; `seconds` instead of `seconds_left`).

        Raises:
            ValueError: it is not a fault; the message says what is wrong.
        """
        match = value.get("match") or {}
        unknown = set(value) - {"action", "match", "times", "seconds", "probability", "seed", "label"}
        unknown |= set(match) - {"method", "route", "channel", "user"}
        if unknown or not isinstance(value.get("action"), dict):
            raise ValueError(f"a fault has action, match, times, seconds, probability, seed and label; not {unknown}")
        return self.add(
            action_from_json(value["action"]),
            Match(
                method=match.get("method"),
                route=match.get("route"),
                channel=int(match["channel"]) if "channel" in match else None,
                user=user_id,
            ),
            times=value.get("times"),
            seconds=value.get("seconds"),
            probability=float(value.get("probability", 1.0)),
            seed=int(value.get("seed", 0)),
            label=str(value.get("label", "")),
        )

    def remove(self, fault_id: int) -> None:
        """Turn a fault off and remove it. Raise KeyError if there is none with this id."""
        del self._faults[fault_id]
        self.feed.publish(FaultsChanged())

    def clear(self) -> None:
        """Turn all faults off and remove them."""
        self._faults.clear()
        self.feed.publish(FaultsChanged())

    def all(self) -> list[Fault]:
        """Return all faults that were not removed, also ended ones."""
        return list(self._faults.values())

    @property
    def armed(self) -> bool:
        """Whether there are any faults, so that requests can skip the check."""
        return bool(self._faults)

    def find_for_request(self, method: str, path: str, *, channel: int | None, user: int | None) -> Fault | None:
        """Return the fault that applies to this request, and count it."""
        return self._first(
            lambda fault: (
                isinstance(fault.action, RequestAction) and fault.match.fits(method, path, channel=channel, user=user)
            )
        )

    def refuses_gateway(self) -> bool:
        """Return whether a new gateway connection is refused, and count it."""
        return self._first(lambda fault: isinstance(fault.action, RefuseGateway)) is not None

    def gateway_close_code(self) -> int | None:
        """Return the code with which a connection that identifies or resumes is closed, and count it."""
        fault = self._first(lambda fault: isinstance(fault.action, CloseGateway))
        return fault.action.code if fault is not None and isinstance(fault.action, CloseGateway) else None

    def duplicates_interaction(self) -> bool:
        """Return whether this interaction is delivered twice, and count it."""
        return self._first(lambda fault: isinstance(fault.action, DuplicateInteraction)) is not None

    def _first(self, fits: Callable[[Fault], bool]) -> Fault | None:
        now = self.clock.monotonic()
        for fault in self._faults.values():
            if fault.on(now) and fits(fault) and fault.rng.random() < fault.probability:
                fault.fired += 1
                self.feed.publish(FaultsChanged())
                return fault
        return None
