"""Publishing with confirms: a message counts as sent only once the broker has confirmed it.

Without `mandatory` and `on_return_raises`, the broker confirms unroutable messages and drops them.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, cast

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection, DeliveryMode
from aio_pika.exceptions import DeliveryError, PublishError

from shared import logs
from shared.errors import BodyTooLargeError, TransientError
from shared.messaging import topology
from shared.messaging.connection import UNAVAILABLE, close, connect, is_unavailable, open_channel, translated
from shared.messaging.envelope import ATTEMPT_HEADER, AnyEvent, encode
from shared.messaging.topology import Queue, QueueState
from shared.settings import BrokerSettings, Timing

MAX_BODY = 256_000
"""Bytes. A far larger body closes the connection, which loses every confirm in flight."""
REFUSED_FOR = 5.0
"""Seconds between checks of a channel that refuses every message."""


class PublishResult(enum.Enum):
    """One message's result."""

    CONFIRMED = "confirmed"
    FULL = "full"
    UNROUTABLE = "unroutable"
    FAILED = "failed"


class OutgoingMessage(NamedTuple):
    """A body and its properties, which cost an eighth of an `aio_pika.Message`."""

    body: bytes
    properties: aiormq.spec.Basic.Properties


def build_message(event: AnyEvent, *, ttl: int | None, attempt: int) -> OutgoingMessage:
    """Return an event's AMQP message. `ttl` is in milliseconds; None never expires.

    Raises:
        BodyTooLargeError: its body is larger than 256 kB.
    """
    body = encode(event)
    if len(body) > MAX_BODY:
        raise BodyTooLargeError(f"the event has {len(body)} bytes, at most {MAX_BODY} can be sent")
    properties = aiormq.spec.Basic.Properties(
        message_id=str(event.row_id),
        message_type=event.event_type,
        content_type="application/json",
        delivery_mode=DeliveryMode.PERSISTENT,
        expiration=None if ttl is None else str(ttl),
        headers={ATTEMPT_HEADER: attempt},
    )
    return OutgoingMessage(body, properties)


@dataclass
class _Route:
    """A queue's own channel."""

    queue: Queue
    setting_up: asyncio.Lock = field(default_factory=asyncio.Lock)
    channel: AbstractChannel | None = None
    lower: aiormq.Channel | None = None
    """aiormq's part of the channel, None before the next set-up."""
    refused_since: float | None = None
    """When the channel began to refuse every message, or was last checked. None if it has taken one since."""
    problem: str | None = None

    @property
    def usable(self) -> aiormq.Channel | None:
        return self.lower if self.channel is not None and not self.channel.is_closed else None


class Publisher:
    """Publishes batches over one long-lived connection, on which each queue has its own channel.

    Loops share a publisher. A queue that does not answer ends its own channel, and delays the others' batches by
    nothing. Only `connect` opens anything, because `publish` runs while rows are locked. If a queue is missing, it
    is new or the broker lost it. Then `on_queue_lost` makes its published rows due again before it is declared.
    """

    def __init__(
        self, settings: BrokerSettings, timing: Timing, *, name: str, on_queue_lost: Callable[[Queue], Awaitable[None]]
    ) -> None:
        self._settings = settings
        self._timing = timing
        self._name = name
        self._on_queue_lost = on_queue_lost
        self._log = logs.get(component="publisher")
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()
        self._routes = {queue: _Route(queue) for queue in topology.QUEUES}

    async def connect(self, *queues: Queue) -> None:
        """Make queues, by default all, ready for `publish`.

        Raises:
            TransientError: the broker or one of the queues cannot be reached. The other queues are ready.
            ConfigurationError: the broker rejects our credentials.
        """
        routes = [self._routes[queue] for queue in queues or topology.QUEUES]
        for error in await asyncio.gather(*map(self._set_up, routes), return_exceptions=True):
            if error is not None:
                raise error

    async def inspect(self, queue: Queue) -> QueueState | None:
        """Return a queue's state, or None if it does not exist. Raises as `connect`."""
        with translated():
            async with asyncio.timeout(self._timing.publish_timeout):
                return await topology.inspect(await self._connected(), queue.name)

    def problem(self, queue: Queue) -> str | None:
        """Return what an operator should know about a queue, or None."""
        return self._routes[queue].problem

    async def _set_up(self, route: _Route) -> None:
        async with route.setting_up:
            if route.usable is not None and not await self._must_replace_channel(route):
                return
            if route.channel is not None:
                await close(route.channel)
            connection = await self._connected()
            with translated():
                try:
                    async with asyncio.timeout(self._timing.publish_timeout):
                        route.channel = await open_channel(connection, publisher_confirms=True, on_return_raises=True)
                except UNAVAILABLE:
                    await self._disconnect(connection)  # it does not answer at all
                    raise
                await self._declare(route.queue, connection)
                async with asyncio.timeout(self._timing.publish_timeout):
                    await topology.declare_exchange(route.channel)
                    route.lower = cast(aiormq.Channel, await route.channel.get_underlay_channel())
                    route.refused_since = None

    async def _must_replace_channel(self, route: _Route) -> bool:
        """Check a channel that refuses everything. Return whether it does so although its queue is empty.

        RabbitMQ lets a channel whose first message came while the queue's leader was dying refuse all others too. A new
        channel asks for the present leader.
        """
        now = asyncio.get_running_loop().time()
        if route.refused_since is None or now - route.refused_since < REFUSED_FOR:
            return False
        route.refused_since = now
        state = await self.inspect(route.queue)
        if state is not None and state.message_count:
            return False
        self._log.warning(
            "A channel takes no messages although its queue is empty, opening another",
            action="channel_replaced",
            queue=route.queue.name,
        )
        return True

    async def _declare(self, queue: Queue, connection: AbstractConnection) -> None:
        async with asyncio.timeout(self._timing.publish_timeout):
            exists = await topology.exists(connection, queue)
        if not exists:
            self._log.warning("A queue is missing, requeueing its rows", action="queue_missing", queue=queue.name)
            await self._on_queue_lost(queue)
        async with asyncio.timeout(self._timing.publish_timeout):
            different = await topology.declare(connection, queue)
        problem = f"{', '.join(different)} has other arguments: delete it once it is empty" if different else None
        if problem is not None and problem != self.problem(queue):
            self._log.warning("A queue has other arguments", action="queue_differs", queue=queue.name, error=problem)
        self._routes[queue].problem = problem

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            if self._connection is None or self._connection.is_closed:
                self._connection = await connect(self._settings, name=self._name)
                self._log.info("Connected to the broker", action="broker_connected")
            return self._connection

    async def publish(self, queue: Queue, batch: Sequence[OutgoingMessage]) -> list[PublishResult]:
        """Publish a batch to one queue concurrently, and return the results in order.

        Raises:
            TransientError: the queue is not ready; nothing was sent.
        """
        if not batch:
            return []
        route = self._routes[queue]
        channel = route.usable
        if channel is None:
            raise TransientError("broker unavailable: the connection was lost before anything was sent")
        # aio-pika would write each message before it takes the next. The confirms show which ones arrived.
        publish = partial(
            channel.basic_publish,
            exchange=topology.EXCHANGE,
            routing_key=queue.routing_key,
            mandatory=True,
            wait=False,
        )
        tasks = [asyncio.create_task(publish(message.body, properties=message.properties)) for message in batch]
        outcomes = asyncio.gather(*tasks, return_exceptions=True)
        try:
            # A task that waits for its turn to write does not notice that the channel ends.
            await asyncio.wait(
                {outcomes, channel.closing},
                timeout=self._timing.publish_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for task in tasks:
                task.cancel()
        results = [_result(outcome) for outcome in await outcomes]
        if set(results) != {PublishResult.FULL}:
            route.refused_since = None
        elif route.refused_since is None:
            route.refused_since = asyncio.get_running_loop().time()
        if {PublishResult.FAILED, PublishResult.UNROUTABLE} & set(results) and route.lower is channel:
            # The next set-up opens a channel on which late confirms cannot arrive, and declares the binding.
            route.lower = None
        return results

    async def close(self) -> None:
        """Close the connection."""
        async with self._connecting:
            if self._connection is not None:
                await self._disconnect(self._connection)

    async def _disconnect(self, connection: AbstractConnection) -> None:
        if self._connection is connection:
            self._connection = None
        await close(connection)


def _result(outcome: object) -> PublishResult:
    match outcome:
        case PublishError():
            return PublishResult.UNROUTABLE
        case DeliveryError():
            return PublishResult.FULL
        case BaseException() if is_unavailable(outcome):
            return PublishResult.FAILED
        case BaseException():
            raise outcome
        case _:
            return PublishResult.CONFIRMED
