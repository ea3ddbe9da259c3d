"""A gateway session, which keeps its events so that they can be replayed after a disconnection.

The session outlives its connection for a few minutes and keeps counting events. The buffer is bounded like Discord's: a
bot that is disconnected for too long must start a new session.
Source: https://docs.discord.com/developers/events/gateway#resuming
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.discord.gateway.events import Event, Intent
from sandbox.discord.gateway.shards import Shard

REPLAY_AT_MOST = 10_000
RESUME_WITHIN = 180.0


@dataclass(slots=True)
class Session:
    """One session. `send` is set while a connection is attached. `left` is when (monotonic) the last one was lost."""

    id: str
    intents: Intent
    shard: Shard
    seq: int = 0
    send: Callable[[str], None] | None = None
    left: float | None = None
    _sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REPLAY_AT_MOST))

    def wants(self, event: Event) -> bool:
        """Return whether the session's intents and shard cover an event."""
        is_intended = not event.intent or bool(event.intent & self.intents)
        return is_intended and self.shard.covers(event.guild_id)

    def dispatch(self, event: Event) -> None:
        """Send an event, or keep it for a resume."""
        text = event.data if event.bare is None or Intent.MESSAGE_CONTENT in self.intents else event.bare
        self.seq += 1
        frame = f'{{"t":"{event.name}","s":{self.seq},"op":0,"d":{text}}}'
        self._sent.append((self.seq, frame))
        if self.send is not None:
            self.send(frame)

    def missed(self, seq: int) -> list[str] | None:
        """Return the frames after `seq`, or None if some are no longer in the buffer."""
        oldest = self._sent[0][0] if self._sent else self.seq + 1
        if seq + 1 < oldest:
            return None
        return [frame for number, frame in self._sent if number > seq]

    def expired(self, now: float) -> bool:
        """Return whether the session can no longer be resumed."""
        return self.left is not None and now - self.left > RESUME_WITHIN
