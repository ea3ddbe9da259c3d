from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.discord.history import Extent, ReadPage, read_history
from shared.discord.ids import first_id_at

NOW = datetime(2030, 5, 1, 18, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)


def channel(*messages: dict[str, Any], page_size: int = 2) -> ReadPage:
    """A channel with these messages, oldest first, a minute apart."""
    shown = [
        {"id": str(first_id_at(NOW - timedelta(minutes=age))), **message}
        for age, message in enumerate(reversed(messages))
    ]

    async def read_page(before: int | None) -> list[dict[str, Any]]:
        return [message for message in shown if before is None or int(message["id"]) < before][:page_size]

    return read_page


def button(custom_id: str) -> dict[str, Any]:
    return {"components": [{"type": 1, "components": [{"type": 2, "custom_id": custom_id}]}]}


async def test_all_pages_are_read_back_to_the_first_message() -> None:
    messages, extent = await read_history(channel(*[{}] * 5), since=LONG_AGO, max_pages=4)
    assert (len(messages), extent) == (5, Extent.COMPLETE)


async def test_reading_ends_with_the_page_that_reaches_the_moment() -> None:
    since = NOW - timedelta(seconds=90)
    messages, extent = await read_history(channel(*[{}] * 9), since=since, max_pages=9)
    assert (len(messages), extent) == (4, Extent.COMPLETE)


async def test_a_busy_channel_is_cut_off() -> None:
    messages, extent = await read_history(channel(*[{}] * 9), since=LONG_AGO, max_pages=2)
    assert (len(messages), extent) == (4, Extent.CUT_OFF)


async def test_an_empty_channel_proves_nothing() -> None:
    assert await read_history(channel(), since=LONG_AGO, max_pages=2) == ([], Extent.EMPTY)


@pytest.mark.parametrize("mine", [button("leave:1:nonce"), {"components": [button("leave:1:nonce")]}])
async def test_reading_stops_at_the_message_with_the_nonce(mine: dict[str, Any]) -> None:
    messages, extent = await read_history(
        channel({}, mine, button("leave:1:other"), {}), since=LONG_AGO, max_pages=9, stop_at="nonce"
    )
    assert messages[-1].is_marked("nonce")
    assert (len(messages), extent) == (3, Extent.COMPLETE)
