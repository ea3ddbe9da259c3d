"""The answers to the messages of one channel, with one ACK for those that came in a row and are finished together.

Deliveries that share a transaction are finished together, and a frame for each costs as much as all else that consuming
takes. No ACK waits for another message: one that is finished before an earlier message gets its own frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from itertools import count, takewhile

from aiormq.abc import AbstractChannel

from shared.messaging.connection import translated


class Acknowledgements:
    """Answers each message of a channel once, by its delivery tag. A channel counts its messages from 1."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._finished: dict[int, asyncio.Future[None]] = {}
        """The messages to be ACKed."""
        self._lowest = 1
        """The first message without an answer."""
        self._answered: set[int] = set()
        """The later ones with an answer."""
        self._sending: asyncio.Task[None] | None = None

    async def ack(self, tag: int) -> None:
        """ACK a message.

        Raises:
            TransientError: the channel is gone.
        """
        self._finished[tag] = future = asyncio.get_running_loop().create_future()
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        await future

    async def nack(self, tag: int) -> None:
        """NACK a message, so that it goes to the dead-letter queue. Raises as `ack`."""
        with translated():
            await self._channel.basic_nack(tag, requeue=False)
        self._mark_answered([tag])  # only now: no ACK before it may include this message

    async def _send(self) -> None:
        try:
            while self._finished:
                await asyncio.sleep(0)  # tasks that were woken together share a frame
                finished, self._finished = self._finished, {}
                for tags in self._split_into_frames(finished):
                    await self._ack(tags, [finished[tag] for tag in tags])
                    self._mark_answered(tags)
        finally:
            self._sending = None

    def _split_into_frames(self, finished: Collection[int]) -> Iterator[list[int]]:
        """Yield the tags of each frame. One for several messages is for every message until the last of them."""
        in_a_row = takewhile(lambda tag: tag in finished or tag in self._answered, count(self._lowest))
        together = [tag for tag in in_a_row if tag in finished]
        if together:
            yield together
        yield from ([tag] for tag in sorted(set(finished) - set(together)))

    def _mark_answered(self, tags: Sequence[int]) -> None:
        self._answered.update(tags)
        while self._lowest in self._answered:
            self._answered.remove(self._lowest)
            self._lowest += 1

    async def _ack(self, tags: Sequence[int], futures: Sequence[asyncio.Future[None]]) -> None:
        error: Exception | None = None
        try:
            with translated():
                await self._channel.basic_ack(tags[-1], multiple=len(tags) > 1)
        # reason: whatever it is, those who wait for the ACK raise it
        except Exception as raised:
            error = raised
        for future in futures:
            if future.done():  # the process is ending
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
