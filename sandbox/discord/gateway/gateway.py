"""The gateway: sessions of connected bots, and which events they get.

Every session of the token gets every event that its intents and its shard cover, even if there are several sessions.
So a second bot process with the same token, or a shard that is identified twice, answers each command again, on Discord
as here: a new session does not end an earlier one of its shard, and sessions may have different numbers of shards.
Source: https://docs.discord.com/developers/events/gateway
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any, Protocol

from sandbox.discord.changes import Change, ChangeFeed, GatewayChanged
from sandbox.discord.faults.model import Action, DropGateway, InvalidSession, Reconnect
from sandbox.discord.faults.registry import Faults
from sandbox.discord.gateway.events import PRIVILEGED, Event, Intent, event_for
from sandbox.discord.gateway.session import Session
from sandbox.discord.gateway.shards import GUILDS_AT_MOST, Shard, parse_shard, recommended_count
from sandbox.discord.interactions.interaction import Interaction
from sandbox.discord.interactions.registry import interaction_payload
from sandbox.discord.rate_limits import RateLimiter
from sandbox.discord.world.entities import Guild
from sandbox.discord.world.payloads import (
    encode,
    guild_create_payload,
    member_payload,
    self_payload,
)
from sandbox.discord.world.world import World

Json = dict[str, Any]

SESSION_STARTS = 1000
STARTS_RESET_AFTER = 86_400.0
HEARTBEAT_INTERVAL = 41.25
MEMBERS_A_CHUNK = 1000


class GatewayCloseError(Exception):
    """The connection must be closed with one of Discord's close codes."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Connection(Protocol):
    """The part of a socket that the gateway needs."""

    session: Session | None

    def send(self, frame: str) -> None:
        """Queue a frame."""

    def drop(self) -> None:
        """Cut the connection without a close frame."""

    def close_soon(self, code: int) -> None:
        """Close the connection with a code once the queue is sent."""


class Gateway:
    """Opens, resumes and ends sessions, and dispatches events to them.

    Attributes:
        max_concurrency: how many shards may identify at the same time, each with another rate limit key.
        recommended_shards: what `GET /gateway/bot` recommends; None means Discord's rule.
        refused: how many connections were closed with each code for what the bot sent, or by a fault. Identifies that
            came too early are not among them; the rate limiter counts them as `identify`.
    """

    def __init__(self, world: World, feed: ChangeFeed, faults: Faults, limiter: RateLimiter, *, token: str) -> None:
        self.world = world
        self.token = token
        self.url = ""
        self.privileged_intents = Intent.NONE
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        self.starts_left = SESSION_STARTS
        self.max_concurrency = 1
        self.recommended_shards: int | None = None
        self.refused = Counter[int]()
        self._first_start: float | None = None
        self._feed = feed
        self._faults = faults
        self._limiter = limiter
        feed.subscribe(self._on_change)
        faults.apply_now = self._apply_fault

    @property
    def online(self) -> bool:
        """Whether a bot is connected and has identified itself."""
        return bool(self.connected_shards)

    @property
    def connected_shards(self) -> list[Shard]:
        """The shards that are connected, by their ids. One that was identified twice is listed twice."""
        return sorted(session.shard for session in self.sessions.values() if session.send is not None)

    @property
    def refuses(self) -> bool:
        """Whether a fault refuses the connection that is being made."""
        return self._faults.refuses_gateway()

    def start_limit(self) -> Json:
        """https://docs.discord.com/developers/events/gateway#session-start-limit-object."""
        passed = 0.0 if self._first_start is None else self.world.clock.monotonic() - self._first_start
        if passed > STARTS_RESET_AFTER:
            self._first_start, self.starts_left, passed = None, SESSION_STARTS, 0.0
        return {
            "total": SESSION_STARTS,
            "remaining": max(0, self.starts_left),
            "reset_after": int((STARTS_RESET_AFTER - passed) * 1000),
            "max_concurrency": self.max_concurrency,
        }

    def shard_count(self) -> int:
        """Return the recommended number of shards."""
        return self.recommended_shards or recommended_count(len(self._guilds(Shard())))

    def identify(self, connection: Connection, data: Json) -> None:
        """Start a session and send its initial events (IDENTIFY).

        Raises:
            GatewayCloseError: 4004 token, 4010 shard, 4011 too many guilds, 4013 and 4014 intents, or the code of a
                fault.
        """
        self._check_token(data)
        self._check_faults()
        intents = self._check_intents(data)
        shard = self._check_shard(data)
        self._forget_expired()
        self._spend_start()
        verdict = self._limiter.take("identify", str(shard.id % self.max_concurrency))
        if verdict is not None and not verdict.passed:
            connection.send('{"op":9,"d":false}')
            return
        session = Session(secrets.token_hex(16), intents, shard)
        self.sessions[session.id] = session
        self._attach(connection, session)
        session.dispatch(Event("READY", encode(self._ready(session))))
        if Intent.GUILDS in intents:
            for guild in self._guilds(shard):
                session.dispatch(Event("GUILD_CREATE", encode(guild_create_payload(self.world, guild))))
        self._feed.publish(GatewayChanged())

    def resume(self, connection: Connection, data: Json) -> None:
        """Resume a session and send the events that it missed (RESUME).

        Raises:
            GatewayCloseError: 4004 token, 4007 a sequence number from the future, or the code of a fault.
        """
        self._check_token(data)
        self._check_faults()
        self._forget_expired()
        session = self.sessions.get(str(data.get("session_id")))
        seq = int(data.get("seq") or 0)
        if session is not None and seq > session.seq:
            raise GatewayCloseError(4007, "Invalid seq.")
        missed = None if session is None else session.missed(seq)
        if session is None or missed is None:
            connection.send('{"op":9,"d":false}')
            return
        self._attach(connection, session)
        for frame in missed:
            connection.send(frame)
        session.dispatch(Event("RESUMED", '{"_trace":[]}'))
        self._feed.publish(GatewayChanged())

    def detach(self, connection: Connection, *, ended: bool) -> None:
        """Detach a lost connection. `ended` means that the bot closed it with 1000 or 1001, which ends the session."""
        self.connections.discard(connection)
        session = connection.session
        if session is None or session.send != connection.send:
            return
        session.send = None
        session.left = self.world.clock.monotonic()
        if ended:
            self.sessions.pop(session.id, None)
        self._feed.publish(GatewayChanged())

    def members(self, session: Session, data: Json) -> None:
        """Answer a request for members in chunks of a thousand (op 8)."""
        guild = self.world.guilds.get(int(data.get("guild_id") or 0))
        if guild is None or not session.shard.covers(guild.id):
            return
        wanted = {int(user_id) for user_id in data.get("user_ids") or []}
        query = str(data.get("query") or "").casefold()
        found = [
            member_payload(member)
            for member in guild.members.values()
            if (not wanted or member.user.id in wanted) and member.user.name.casefold().startswith(query)
        ][: int(data.get("limit") or 0) or None]
        chunks = [found[at : at + MEMBERS_A_CHUNK] for at in range(0, len(found), MEMBERS_A_CHUNK)] or [[]]
        for index, chunk in enumerate(chunks):
            payload: Json = {"guild_id": str(guild.id), "members": chunk}
            payload.update(chunk_index=index, chunk_count=len(chunks), nonce=data.get("nonce"))
            session.dispatch(Event("GUILD_MEMBERS_CHUNK", encode(payload)))

    def deliver(self, interaction: Interaction) -> None:
        """Send an interaction to the bot, or twice if a fault says so."""
        event = Event(
            "INTERACTION_CREATE",
            encode(interaction_payload(self.world, interaction)),
            guild_id=interaction.channel.guild_id,
        )
        self._dispatch(event)
        if self._faults.armed and self._faults.duplicates_interaction():
            self._dispatch(event)

    def _on_change(self, change: Change) -> None:
        if self.sessions:
            event = event_for(self.world, change)
            if event is not None:
                self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        for session in self.sessions.values():
            if session.wants(event):
                session.dispatch(event)

    def _attach(self, connection: Connection, session: Session) -> None:
        for other in self.connections:
            if other.session is session and other is not connection:
                other.session = None
                other.close_soon(4000)
        connection.session = session
        session.send = connection.send
        session.left = None

    def _ready(self, session: Session) -> Json:
        return {
            "v": 10,
            "user": self_payload(self.world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in self._guilds(session.shard)],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "shard": [session.shard.id, session.shard.count],
            "application": {"id": str(self.world.bot.id), "flags": 0},
        }

    def _guilds(self, shard: Shard) -> list[Guild]:
        """Return the guilds of a shard that the bot is a member of."""
        guilds = self.world.guilds.values()
        return [guild for guild in guilds if shard.covers(guild.id) and self.world.bot.id in guild.members]

    def _check_token(self, data: Json) -> None:
        if str(data.get("token", "")).removeprefix("Bot ") != self.token:
            raise GatewayCloseError(4004, "Authentication failed.")

    def _check_faults(self) -> None:
        if self._faults.armed and (code := self._faults.gateway_close_code()) is not None:
            raise GatewayCloseError(code, "")

    def _check_intents(self, data: Json) -> Intent:
        given = data.get("intents")
        if not isinstance(given, int) or given < 0:
            raise GatewayCloseError(4013, "Invalid intent(s).")
        intents = Intent(given)
        if intents & PRIVILEGED & ~self.privileged_intents:
            raise GatewayCloseError(4014, "Disallowed intent(s).")
        return intents

    def _check_shard(self, data: Json) -> Shard:
        try:
            shard = parse_shard(data.get("shard"))
        except ValueError:
            raise GatewayCloseError(4010, "Invalid shard.") from None
        if len(self._guilds(shard)) > GUILDS_AT_MOST:
            raise GatewayCloseError(4011, "Sharding required.")
        return shard

    def _spend_start(self) -> None:
        """Count a session start. Beyond the limit, Discord ends all sessions and resets the token."""
        self.start_limit()
        if self._first_start is None:
            self._first_start = self.world.clock.monotonic()
        self.starts_left -= 1
        if self.starts_left < 0:
            for connection in self.connections:
                connection.close_soon(4004)
            self.sessions.clear()
            self.token = secrets.token_urlsafe(24)
            raise GatewayCloseError(4004, "Authentication failed.")

    def _forget_expired(self) -> None:
        now = self.world.clock.monotonic()
        self.sessions = {key: session for key, session in self.sessions.items() if not session.expired(now)}

    def _apply_fault(self, action: Action) -> None:
        for connection in list(self.connections):
            if isinstance(action, DropGateway):
                connection.drop()
            elif isinstance(action, Reconnect):
                connection.send('{"op":7,"d":null}')
            elif isinstance(action, InvalidSession):
                if connection.session is not None and not action.resumable:
                    self.sessions.pop(connection.session.id, None)
                connection.send(f'{{"op":9,"d":{str(action.resumable).lower()}}}')
