"""A gateway session: what a bot has been told, so that it can be told again after a disconnection.

The session outlives its connection for a few minutes, keeps counting events while nobody listens, and replays what was
missed. The buffer is bounded as Discord's is: who stays away too long must start a new session.
Source: https://docs.discord.com/developers/events/gateway#resuming
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.discord.gateway.events import Event, Intent

REPLAY_AT_MOST = 10_000
RESUME_WITHIN = 180.0


@dataclass(slots=True)
class Session:
    """One session. `send` is set while a connection is attached; `left` is when (monotonic) it lost the last one."""

    id: str
    intents: Intent
    shard: tuple[int, int]
    seq: int = 0
    send: Callable[[str], None] | None = None
    left: float | None = None
    _told: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REPLAY_AT_MOST))

    def wants(self, event: Event) -> bool:
        """Whether the session's intents and shard cover an event."""
        if event.intent and not event.intent & self.intents:
            return False
        shard_id, count = self.shard
        return shard_id == (0 if event.guild_id is None else (event.guild_id >> 22) % count)

    def tell(self, event: Event) -> None:
        """Send an event, or keep it for a resume."""
        text = event.data if event.bare is None or Intent.MESSAGE_CONTENT in self.intents else event.bare
        self.seq += 1
        frame = f'{{"t":"{event.name}","s":{self.seq},"op":0,"d":{text}}}'
        self._told.append((self.seq, frame))
        if self.send is not None:
            self.send(frame)

    def missed(self, seq: int) -> list[str] | None:
        """The frames after `seq`; None when they are no longer all there."""
        oldest = self._told[0][0] if self._told else self.seq + 1
        if seq + 1 < oldest:
            return None
        return [frame for number, frame in self._told if number > seq]

    def expired(self, now: float) -> bool:
        """Whether it can no longer be resumed."""
        return self.left is not None and now - self.left > RESUME_WITHIN
