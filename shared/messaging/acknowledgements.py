"""The answers to the messages of one channel, with one ACK for those that came in a row and are finished together.

Deliveries that share a transaction are finished together, and a frame for each costs as much as all else that consuming
takes. No ACK waits for another message: one that is finished before an earlier message gets its own frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, takewhile

from aio_pika.abc import AbstractIncomingMessage

from shared.messaging.connection import translated

_Finished = tuple[AbstractIncomingMessage, asyncio.Future[None]]


class Acknowledgements:
    """Answers each message of a channel once."""

    def __init__(self) -> None:
        self._finished: dict[int, _Finished] = {}
        """The messages to be ACKed, by delivery tag. A channel counts its messages from 1."""
        self._lowest = 1
        """The first message without an answer."""
        self._answered: set[int] = set()
        """The later ones with an answer."""
        self._sending: asyncio.Task[None] | None = None

    async def ack(self, message: AbstractIncomingMessage) -> None:
        """ACK a message.

        Raises:
            TransientError: the channel is gone.
        """
        future = asyncio.get_running_loop().create_future()
        self._finished[message.delivery_tag or 0] = message, future
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        await future

    async def nack(self, message: AbstractIncomingMessage) -> None:
        """NACK a message, so that it goes to the dead-letter queue. Raises as `ack`."""
        with translated():
            await message.nack(requeue=False)
        self._mark_answered([message.delivery_tag or 0])  # only now: no ACK before it may include this message

    async def _send(self) -> None:
        try:
            while self._finished:
                await asyncio.sleep(0)  # tasks that were woken together share a frame
                finished, self._finished = self._finished, {}
                for tags in self._split_into_frames(finished):
                    await _ack([finished[tag] for tag in tags])
                    self._mark_answered(tags)
        finally:
            self._sending = None

    def _split_into_frames(self, finished: Mapping[int, _Finished]) -> Iterator[list[int]]:
        """Yield the tags of each frame. One for several messages is for every message until the last of them."""
        in_a_row = takewhile(lambda tag: tag in finished or tag in self._answered, count(self._lowest))
        together = [tag for tag in in_a_row if tag in finished]
        if together:
            yield together
        yield from ([tag] for tag in sorted(finished.keys() - set(together)))

    def _mark_answered(self, tags: Sequence[int]) -> None:
        self._answered.update(tags)
        while self._lowest in self._answered:
            self._answered.remove(self._lowest)
            self._lowest += 1


async def _ack(finished: Sequence[_Finished]) -> None:
    last, _ = finished[-1]
    error: Exception | None = None
    try:
        with translated():
            await last.ack(multiple=len(finished) > 1)
    # reason: whatever it is, those who wait for the ACK raise it
    except Exception as raised:
        error = raised
    for _, future in finished:
        if future.done():  # the process is ending
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
